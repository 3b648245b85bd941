"""Live displays as a whole: what every view says after a bad hour, and that they end when they should."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import pytest
from jupyter_client.manager import start_new_kernel

from primepods_magic.api.errors import PodFailed
from primepods_magic.notebook.progress.lines import PlainView
from primepods_magic.notebook.progress.live import ProgressDisplays
from primepods_magic.notebook.progress.terminal import TerminalView
from primepods_magic.notebook.progress.widget import WidgetView
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.wait import wait_for
from primepods_magic.pods.watching.snapshot import ChangeKind, Snapshot
from tests.notebook.views.snapshots import FrontEnd
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually


@pytest.fixture
def connection(sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    connection = connect(sandbox=True)
    connection.poll_interval_s = 5.0
    yield connection
    disconnect()


class Cells(FrontEnd):
    """A front end that tells which cell is run."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = "one"
        self.run = 0
        self.kernel.get_parent = lambda _: {
            "content": {"allow_stdin": True},
            "metadata": {"cellId": self.cell},
            "header": {"msg_id": str(self.run)},
        }


def open_widgets() -> int:
    return len(ipywidgets.widgets.widget._instances)


def test_after_a_bad_hour_every_view_tells_the_truth(connection: Connection, sandbox: SandboxControl) -> None:
    """The service is down for 30 s, refuses with 429 for as long, answers with nonsense; meanwhile a pod is
    taken back, one is ended, one fails."""
    pods = [launch(gpu="L4_24GB", name=name).details for name in ("stays", "taken", "ended")]
    pods.append(launch(cloud_id="td-RTX4090x1", name="fails").details)

    def choose(*rules: dict[str, Any]) -> None:
        sandbox.api.put("/sandbox/faults", json=rules).raise_for_status()

    def lose() -> None:
        sandbox.event(str(pods[1].id), "reclaim")
        path, past_faults = f"/api/v1/pods/{pods[2].id}", {"X-Sandbox-Fault": "none"}
        sandbox.api.delete(path, headers=past_faults).raise_for_status()

    # Nobody waits for so long, so each refusal is final at once.
    down = {"fault": "503_before", "path": "/pods*", "retry_after": 3600}
    nonsense = {"fault": ["html_ok", "truncated", "not_json"], "path": "/pods*"}
    script: dict[int, Callable[[], None]] = {
        2: lambda: choose(down),
        4: lose,
        8: lambda: choose({**down, "fault": "429"}),
        14: lambda: choose(nonsense),
        16: choose,
    }
    front_end, terminal, lines = FrontEnd(), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(terminal):
        views = {"widget": WidgetView(front_end), "terminal": TerminalView(None), "plain": PlainView()}
    seen: list[Snapshot] = []

    def show(snapshot: Snapshot, how: str = "show") -> None:
        for name, view in views.items():
            with contextlib.redirect_stdout(lines if name == "plain" else terminal):
                getattr(view, how)(snapshot)

    def listen(snapshot: Snapshot) -> None:
        seen.append(snapshot)
        show(snapshot)
        script.get(len(seen), lambda: None)()

    with pytest.raises(PodFailed, match=r"taken is gone.+ended is gone.+fails: installation FAILED"):
        wait_for(connection, pods, on_snapshot=listen, timeout_s=3600)
    show(seen[-1], "finish")

    assert [bool(snapshot.trouble) for snapshot in seen] == [False] * 2 + [True] * 14 + [False] * (
        len(seen) - 16
    )
    changes = [change for snapshot in seen for change in snapshot.changes]
    assert [change.kind for change in changes if change.pod is None] == [
        ChangeKind.UNREACHABLE,
        ChangeKind.BACK,
    ]
    ends = (ChangeKind.READY, ChangeKind.GONE, ChangeKind.FAILED)
    assert sorted(str(change).partition(":")[0] for change in changes if change.kind in ends) == [
        "ended is gone",
        "fails failed",
        "stays is ready",
        "taken is gone",
    ]
    told = {
        "widget": front_end.shown[-1][0]["text/plain"],
        "terminal": terminal.getvalue().rpartition("4 pods")[2],
        "plain": lines.getvalue().rpartition("answers again")[2],
    }
    for name, text in told.items():
        said = {line.split()[0]: line for line in text.splitlines() if line.split()}
        assert "ready" in said["stays"], (name, text)
        assert "terminated" in said["taken"], (name, text)
        assert "terminated" in said["ended"], (name, text)
        assert "failed" in said["fails"], (name, text)
        assert "dkms build failed" in text, (name, text)
        assert "Not up to date" not in text, (name, text)
    assert lines.getvalue().count("The service cannot be reached at present") == 1
    for view in views.values():
        view.close()


def test_running_a_cell_again_ends_the_display_that_it_had(connection: Connection) -> None:
    shell, before = Cells(), open_widgets()
    live = ProgressDisplays(shell)
    pods = [launch(gpu="L4_24GB", name="train").details]
    for shell.run, shell.cell in enumerate(("one", "two", "one", "one")):
        live.watch(connection, pods, joins=lambda _: True, can_be_stopped=True)
    assert len(connection.poller._watches) == 2
    live.close()
    assert connection.poller._watches == []
    assert open_widgets() == before


def test_a_cell_may_show_several_displays(connection: Connection) -> None:
    live = ProgressDisplays(Cells())
    for name in ("a", "b", "c"):
        live.watch(connection, [launch(gpu="L4_24GB", name=name).details])
    assert len(connection.poller._watches) == 3
    live.close()


def is_watching() -> bool:
    return any(thread.name == "primepods-watch" for thread in threading.enumerate())


def test_a_bar_follows_its_pod_until_it_ends(connection: Connection, sandbox: SandboxControl) -> None:
    connection.poll_interval_s = 0.2
    shell = Cells()
    live = ProgressDisplays(shell)
    pods = [launch(gpu="L4_24GB", name=name) for name in ("here", "elsewhere")]
    for pod in pods:
        live.follow(connection, [pod.details], goal="ready", timeout_s=600)
    assert len(connection.poller._watches) == 2
    sandbox.event(pods[1].id, "reclaim")
    eventually(lambda: len(connection.poller._watches) == 1, "the bar sees the end of its pod")
    assert "elsewhere" in shell.shown[-1][0]["text/plain"]
    assert "terminated" in shell.shown[-1][0]["text/plain"]
    pods[0].terminate()
    eventually(lambda: not is_watching(), "nothing is watched once all pods are gone")
    assert "here" in shell.shown[-1][0]["text/plain"]
    live.close()


def test_a_bar_turns_at_once_and_without_a_request_if_its_pod_is_terminated_here(
    connection: Connection,
) -> None:
    """The poller's next request is far away, and must not come any sooner."""
    shell = Cells()
    live = ProgressDisplays(shell)
    pod = launch(gpu="L4_24GB", name="train").wait()
    connection.poll_interval_s = 600.0
    live.watch(connection, [pod.details])
    polls = connection.poller._poll_number
    result = pod.terminate()
    eventually(lambda: not is_watching(), "the bar is finished")
    assert connection.poller._poll_number == polls
    assert "terminated" in shell.shown[-1][0]["text/plain"]
    assert pod.status == "TERMINATED"
    assert pod.details.terminated_at == result.terminated_at
    live.close()


def test_no_more_than_fifty_bars_are_followed(connection: Connection) -> None:
    live = ProgressDisplays(Cells())
    details = launch(gpu="L4_24GB", name="train").wait().details
    for _ in range(52):
        live.watch(connection, [details])
    assert len(connection.poller._watches) == 50
    live.close()
    eventually(lambda: not is_watching(), "nothing is watched after unloading")


def test_stopping_ends_the_watching_and_leaves_the_pod(connection: Connection, no_leaks: None) -> None:
    shell = Cells()
    live = ProgressDisplays(shell)
    live.watch(connection, [launch(gpu="L4_24GB", name="train").details], can_be_stopped=True)
    widgets = ipywidgets.widgets.widget._instances.values()
    (button,) = [w for w in widgets if getattr(w, "description", "") == "Stop watching"]
    button.click()
    eventually(
        lambda: not [one for one in threading.enumerate() if one.name == "primepods-watch"],
        "the thread ends when nobody watches",
    )
    assert set(shell.shown[-1][0]) == {"text/html", "text/plain"}
    assert [pod.name for pod in connection.client.list_all_pods()] == ["train"]
    live.close()


FORKING = """
import multiprocessing, os
from primepods_magic.pods.connection.current import current

def names(_):
    return [pod.name for pod in current().client.list_all_pods()]

with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(names, range(8)) == [["train"]] * 8
child = os.fork()
if child == 0:
    status = 0 if names(None) == ["train"] and current().client.get_pod(train.id).name == "train" else 1
    os._exit(status)
print("children", os.waitpid(child, 0)[1])
"""


def test_a_cell_may_fork_while_bars_move(running_sandbox: SandboxControl) -> None:
    cells = [
        "%load_ext primepods_magic\n%pods connect --sandbox",
        "%pod_create --gpu L4_24GB --name train -o train",
        *[FORKING] * 3,
        "import time\nwhile not train.is_ready: time.sleep(0.05)\nprint('ready')",
        "%unload_ext primepods_magic\nimport threading\n"
        "print([one.name for one in threading.enumerate() if 'primepods' in one.name])",
    ]
    environment = {**os.environ, "PRIMEPODS_SANDBOX_URL": running_sandbox.url}
    printed: list[str] = []
    manager, client = start_new_kernel(env=environment, extra_arguments=["--log-level=ERROR"])
    client.session.metadata = {"cellId": "one"}
    try:
        for cell in cells:

            def hear(message: dict[str, Any]) -> None:
                if message["msg_type"] in ("stream", "error"):
                    content = message["content"]
                    printed.append(content.get("text") or "\n".join(content["traceback"]))

            reply = client.execute_interactive(cell, allow_stdin=True, timeout=60, output_hook=hear)
            assert reply["content"]["status"] == "ok", printed
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
        manager.cleanup_resources()
    lines = "".join(printed).splitlines()
    assert [line for line in lines if line.startswith(("children", "ready", "["))] == [
        *["children 0"] * 3,
        "ready",
        "[]",
    ]

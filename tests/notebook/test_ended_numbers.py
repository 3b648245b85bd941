"""The numbers of a pod that has ended are the same wherever they are shown, before and after its bill."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from primepods_magic.api.text.money import format_estimate, format_usd
from primepods_magic.costs import breakdown
from primepods_magic.costs.load import read_ledger
from primepods_magic.frames import history_frame, pods_frame, removed_frame
from primepods_magic.frames.rendering import read_sheet, sheet_text
from primepods_magic.notebook.display.pod import card_text
from primepods_magic.notebook.launcher.state.formatting import format_termination
from primepods_magic.notebook.progress.live import ProgressDisplays
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.listing import list_pod_details
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.terminate import TerminationResult
from tests.notebook.views.snapshots import FrontEnd
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

DAY_S = 86_400


@pytest.fixture
def connection(sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    yield connect(sandbox=True)
    disconnect()


def end_one_that_is_billed_late(
    connection: Connection, sandbox: SandboxControl, live: ProgressDisplays
) -> tuple[Pod, TerminationResult]:
    """The sandbox bills one pod in eight up to a day late."""
    for number in range(60):
        pod = launch(gpu="L4_24GB", name=f"late-{number}", connection=connection).wait()
        live.watch(connection, [pod.details])
        sandbox.advance(600)
        result = pod.terminate()
        if result.billed_usd is None:
            return pod, result
    raise AssertionError("every pod was billed at once")


def shown(frame: Any, kind: str) -> str:
    return sheet_text(read_sheet(frame, kind, None, None, list(frame.columns)))


def test_an_ended_pod_has_the_same_numbers_everywhere_before_and_after_its_bill(
    connection: Connection, sandbox: SandboxControl
) -> None:
    front_end = FrontEnd()
    live = ProgressDisplays(front_end)
    pod, result = end_one_that_is_billed_late(connection, sandbox, live)
    is_watching = [thread for thread in threading.enumerate() if thread.name == "primepods-watch"]
    eventually(lambda: not any(thread.is_alive() for thread in is_watching), "the bar is finished")
    usd, begun, ended = result.estimated_usd, result.created_at, result.terminated_at
    assert usd is not None
    assert begun is not None
    assert ended is not None
    assert 0.1 < usd < 0.2
    estimate, minutes = format_estimate(usd), int((ended - begun).total_seconds() // 60)

    # The estimate, before the bill: of the removal, the pod, its card, its bar and the launcher.
    removed = removed_frame([result])
    assert removed["estimated_usd"].tolist() == [usd]
    assert estimate.removeprefix("≈ $") in shown(removed, "removed")
    assert repr(result).endswith(f"terminated · not billed yet, {estimate}")
    assert pod.cost_usd == pytest.approx(usd)
    assert re.search(rf"\n  cost +{re.escape(estimate)}\n", card_text(pod))
    assert format_termination(result).endswith(f"not billed yet, {estimate}")
    saved = front_end.shown[-1][0]["text/plain"].splitlines()[0]
    assert saved.startswith(f"{pod.name}  terminated · {minutes} min ")
    assert saved.endswith(f" · {estimate}")
    assert estimate in front_end.shown[-1][0]["text/html"]
    assert "/h<" not in front_end.shown[-1][0]["text/html"]

    # Of the history and of the costs, which say how much of a sum is an estimate.
    assert pod.id not in set(pods_frame(list_pod_details(connection))["id"])
    history = history_frame(connection.client.pod_history(limit=100).items, connection.now())
    line = history[history["id"] == pod.id]
    assert line["estimated_usd"].tolist() == [pytest.approx(usd)]
    assert line["duration"].tolist() == [ended - begun]
    assert estimate.replace("$", "") in shown(line.reset_index(drop=True), "history")
    ledger = read_ledger(connection)
    mine = ledger[ledger["id"] == pod.id]
    assert (mine["cost_usd"].tolist(), mine["estimated"].tolist()) == ([pytest.approx(usd)], [True])
    assert breakdown(mine)["estimated_usd"].tolist() == [pytest.approx(usd)]

    # After the bill, which is what was estimated but for the pod's cheaper start.
    sandbox.advance(DAY_S)
    history = history_frame(connection.client.pod_history(limit=100).items, connection.now())
    line = history[history["id"] == pod.id]
    (billed,) = line["billed_usd"].tolist()
    assert billed == pytest.approx(usd, rel=0.02)
    assert line["estimated_usd"].isna().all()
    assert format_usd(billed).removeprefix("$") in shown(line.reset_index(drop=True), "history")
    ledger = read_ledger(connection)
    mine = ledger[ledger["id"] == pod.id]
    assert (mine["cost_usd"].tolist(), mine["estimated"].tolist()) == ([billed], [False])
    assert breakdown(mine)["estimated_usd"].tolist() == [0.0]
    live.close()

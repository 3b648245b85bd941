"""A guard on the pod ends it although this computer is gone, and its key is nowhere but where it must be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import GuardNotArmed, InvalidRequest
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.guards.arming import check_guards, read_endings
from primepods_magic.pods.guards.records import GuardRecord, read_record
from primepods_magic.pods.pod import Pod
from primepods_magic.remote import agent_archive
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.links import close_links, open_link
from primepods_magic.remote.ssh.routes import find_route
from tests.remote.guards.conftest import WITHIN_S, Guarded
from tests.support.agents import alter_archive, find_marked
from tests.support.guard_processes import end_guard_processes, list_processes
from tests.support.waiting import eventually

KEY = "key-of-this-test-0123456789abcdef"
GUARD_KEY = "guard-key-of-this-test-0123456789abcdef"


@dataclass
class There:
    """A pod of the sandbox, and the files of its guard."""

    guarded: Guarded
    pod: Pod
    home: Path
    mark: str

    def read(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self.home / ".primepods/guard" / name).read_text())
        except FileNotFoundError:
            return {}
        return found

    @property
    def key_file(self) -> Path:
        return Path(self.read("order.json")["key_path"])

    def find_guard(self) -> int:
        """The process that held the lock last."""
        return int((self.home / ".primepods/guard/guard.lock").read_text() or 0)

    def kill_guard(self) -> None:
        """Kill it, and wait for another one."""
        first = self.find_guard()
        os.kill(first, signal.SIGKILL)
        eventually(lambda: self.find_guard() not in (0, first), "another guard", within=WITHIN_S)

    def find_agents(self) -> list[int]:
        return find_marked(self.mark, "agent.pyz", "serve")

    def read_journals(self) -> bytes:
        """What its cells show."""
        return b"".join(path.read_bytes() for path in self.home.glob(".primepods/*/sessions/*/*/*.frames"))

    def await_deletion(self) -> None:
        eventually(lambda: self.guarded.count_deletions(self.pod), "it is ended", within=WITHIN_S)
        self.guarded.advance(5)

    def await_record(self, what: str, is_so: Callable[[GuardRecord], object]) -> GuardRecord:
        def find() -> GuardRecord | None:
            record = read_record(self.guarded.folder, self.pod.id)
            return record if record is not None and is_so(record) else None

        return eventually(find, what, within=WITHIN_S)


def read_present(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # A process has ended, or a file was replaced.
        return b""


@pytest.fixture
def rent(
    open_account: Callable[..., Guarded], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., There]]:
    monkeypatch.setenv("PRIMEPODS_GUARD_KEY", "sandbox-pods")
    rented: list[There] = []

    def rent(key: str = "", **options: Any) -> There:
        guarded = open_account(key, machines=True, **options)
        # The agent itself, which looks often here, would use the GPU of a machine of the sandbox.
        started = guarded.launch(max_price=5, env_vars={"CUDA_VISIBLE_DEVICES": ""})
        guarded.advance(600)
        pod = Pod(guarded.connection, guarded.connection.client.get_pod(started.id))
        home, mark = pod.exec("echo $HOME; echo $SANDBOX_POD").stdout.split()
        rented.append(There(guarded, pod, Path(home), f"SANDBOX_POD={mark}"))
        return rented[-1]

    yield rent
    for there in rented:
        # The memory of a real pod goes with it.
        if there.read("order.json"):
            shutil.rmtree(there.key_file.parent, ignore_errors=True)


def test_a_pod_ends_at_its_deadline_although_this_computer_is_gone(
    rent: Callable[..., There], home: Path
) -> None:
    there = rent()
    record = there.pod.guard(run_for="1h", on="pod", on_end="echo $$ >> ended; exit 3", if_unsaved="1h")
    assert (record.where, record.state, record.due_rule) == ("pod", "armed", "deadline")
    there.pod.run("import pathlib, time; pathlib.Path('began').touch(); time.sleep(600)")
    eventually((there.home / "began").exists, "a cell runs", within=WITHIN_S)
    key_file, settings = there.key_file, there.guarded.connection.settings
    disconnect()
    end_guard_processes(home)
    there.guarded.advance(3300)
    eventually(lambda: b"This pod ends at " in there.read_journals(), "the cell is warned", within=WITHIN_S)
    assert not there.guarded.count_deletions(there.pod)
    there.guarded.advance(400)
    eventually(lambda: b"This pod ends now: deadline" in there.read_journals(), "it is told", within=WITHIN_S)
    eventually(lambda: there.read("state.json")["has_held_unsaved"], "it is kept once")
    assert "exit code 3" in there.read("state.json")["kept"]
    (job,) = there.home.glob(".primepods/*/sessions/main/*/job.json")
    assert json.loads(job.read_text())["state"] == "error", "it got Ctrl-C"
    assert key_file.exists()
    there.guarded.advance(3700)
    there.await_deletion()
    assert len((there.home / "ended").read_text().split()) == 2
    assert not key_file.parent.exists()
    there.guarded.connection = connect(settings=settings)
    check_guards(there.guarded.connection)
    there.guarded.await_end(there.pod)
    (ending,) = read_endings(there.guarded.connection)
    assert (ending.outcome, ending.rule, ending.where) == ("ended", "deadline", "pod")
    assert there.guarded.count_deletions(there.pod) == 1


def test_an_idle_pod_ends_and_a_busy_one_does_not(rent: Callable[..., There]) -> None:
    there = rent()
    link = open_link(there.guarded.connection, there.pod.details)
    link.ask("activity", gpus=1, interval_s=0.2)
    go = there.home / "go"
    there.pod.run(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.05)")
    there.pod.guard(idle="2s", on="pod")
    there.await_record("it is busy", lambda record: "cell" in record.why and record.due_at is None)
    go.touch()
    there.await_deletion()
    there.guarded.await_end(there.pod)
    (ending,) = read_endings(there.guarded.connection)
    assert ending.rule == "idle"


def test_what_is_killed_is_started_again_and_the_pod_ends_once(rent: Callable[..., There]) -> None:
    there = rent()
    there.pod.guard(run_for="1h", on="pod")
    there.kill_guard()
    (agent,) = there.find_agents()
    os.kill(agent, signal.SIGKILL)
    eventually(lambda: set(there.find_agents()) - {agent}, "another agent", within=WITHIN_S)
    second = there.find_guard()
    for process in (*there.find_agents(), second):
        os.kill(process, signal.SIGKILL)
    eventually(lambda: there.find_guard() not in (0, second), "a third guard", within=WITHIN_S)
    held_until = there.pod.hold("3h").held_until
    # The third one has just begun, and reads its order in its own time.
    there.await_record("it is held", lambda record: record.due_at == record.held_until == held_until)
    there.pod.guard(max_total_usd=50)
    there.guarded.advance(2 * 3600)
    record = there.await_record("both rules", lambda record: len(record.rules.list_rules()) == 2)
    assert record.where == "pod", "it goes on where it was, with its key"
    assert there.read("order.json")["rules"]["max_total_usd"] == 50
    assert not there.guarded.count_deletions(there.pod), "it is held, also by the changed guard"
    there.guarded.advance(2 * 3600)
    there.await_deletion()
    there.guarded.await_end(there.pod)
    assert there.guarded.count_deletions(there.pod) == 1


def test_an_earlier_guard_goes_on_if_a_new_one_cannot_be_armed(rent: Callable[..., There]) -> None:
    there = rent()
    there.pod.guard(run_for="1h")
    there.pod.hold("3h")
    there.pod.guard(on="pod")
    assert there.read("order.json")["held_until_s"], "it is held, also by the guard on it"
    blocked = there.home / ".primepods/guard/order.json.new"
    blocked.mkdir()
    with pytest.raises(GuardNotArmed, match="its files cannot be written"):
        there.pod.guard(run_for="8h")
    blocked.rmdir()
    there.await_record("it runs", lambda record: record.state == "armed")
    assert there.key_file.exists()
    there.guarded.advance(2 * 3600)
    there.await_record("it is held", lambda record: record.checked_at and record.due_at)
    assert not there.guarded.count_deletions(there.pod)
    there.guarded.advance(3600)
    there.await_deletion()


@pytest.mark.soak
def test_a_newer_agent_takes_the_guard_over(
    rent: Callable[..., There], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = rent()
    there.pod.guard(run_for="1h", on="pod")
    first, version = there.find_guard(), there.read("state.json")["agent"]
    newer = alter_archive("main.py", "def find", 'VERSION = "newer"\n\n\ndef find')
    monkeypatch.setattr(agent_archive, "build_archive", lambda: newer)
    link = PodLink(find_route(there.guarded.connection, there.pod.details), lambda: None)
    eventually(lambda: there.read("state.json").get("agent") == newer.name, "it runs", within=WITHIN_S)
    assert newer.name != version
    assert there.find_guard() != first
    link.close()
    there.guarded.advance(3700)
    there.await_deletion()
    assert there.guarded.count_deletions(there.pod) == 1


def test_a_guard_that_cannot_go_on_is_said_loudly(rent: Callable[..., There]) -> None:
    there = rent()
    there.pod.guard(run_for="1h", on="pod")
    shutil.rmtree(there.key_file.parent)
    os.kill(there.find_guard(), signal.SIGKILL)
    record = there.await_record("it is said", lambda record: "no key" in record.trouble)
    assert record.state == "unproven"
    there.guarded.advance(4000)
    news = there.guarded.await_news("should have ended")
    assert "may not end it" in " ".join(news)
    assert not there.guarded.count_deletions(there.pod)
    # With a key, it goes on.
    there.pod.guard(on="pod")
    there.await_deletion()


def test_one_that_could_not_end_the_pod_is_not_armed(
    rent: Callable[..., There], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = rent()
    with pytest.raises(GuardNotArmed, match=r"on the pod, a termination would fail: .*permission"):
        there.pod.guard(run_for="1h", on="pod", key="sandbox-read")
    with pytest.raises(GuardNotArmed, match=r"on the pod, the pod cannot be read: the key is not valid"):
        there.pod.guard(run_for="1h", on="pod", key="no-key-of-anybody")
    assert not there.read("order.json")
    assert read_record(there.guarded.folder, there.pod.id) is None
    with pytest.raises(InvalidRequest, match="Files cannot reach this computer"):
        there.pod.guard(run_for="1h", on="pod", get="runs")
    with pytest.raises(InvalidRequest, match="is not an API key"):
        there.pod.guard(run_for="1h", on="pod", key="a\nb")
    monkeypatch.delenv("PRIMEPODS_GUARD_KEY")
    with pytest.raises(InvalidRequest, match="Set PRIMEPODS_GUARD_KEY"):
        there.pod.guard(run_for="1h", on="pod")
    with pytest.warns(UserWarning, match="gets the key of this connection"):
        armed = there.pod.guard(run_for="1h", on="pod", key="sandbox")
    with pytest.raises(GuardNotArmed, match="would fail"):
        there.pod.guard(run_for="2h", key="sandbox-read")
    assert there.read("order.json")["rules"]["ends_at"] == armed.rules.model_dump(mode="json")["ends_at"]
    key_file = there.key_file
    disked = alter_archive("key_file.py", '("tmpfs", "ramfs")', '("no such kind",)')
    with monkeypatch.context() as patch:
        patch.setattr(agent_archive, "build_archive", lambda: disked)
        close_links(there.guarded.connection)
        with pytest.raises(GuardNotArmed, match="on the pod, the pod has no storage in memory"):
            there.pod.guard(run_for="2h", on="pod", key="sandbox-pods")
    close_links(there.guarded.connection)
    assert there.pod.guard(on="here").where == "here"
    assert not key_file.parent.exists()
    assert not there.read("order.json")


def test_the_key_is_in_its_file_in_memory_alone(
    rent: Callable[..., There], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text(f"{KEY}\n{GUARD_KEY}")
    keys.chmod(0o600)
    monkeypatch.setenv("PRIME_API_KEY", KEY)
    there = rent(KEY, keys=keys)
    # In the environment it is this process's own.
    there.pod.guard(run_for="1h", on="pod", key=GUARD_KEY)
    there.pod.run("print('hello')").result()
    there.kill_guard()
    key_file = there.key_file
    assert key_file.read_text() == GUARD_KEY
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert key_file.parts[1:3] in (("dev", "shm"), ("run", "user"))
    places = [path for root in (there.home, home) for path in root.rglob("*") if path.is_file()]
    processes = [*find_marked(there.mark), *(file.pid for file in list_processes(home)), os.getpid()]
    for process in processes:
        places += [Path(f"/proc/{process}/{name}") for name in ("cmdline", "environ")]
    assert there.find_guard() in processes
    assert len(places) > 20
    assert [place for place in places if GUARD_KEY.encode() in read_present(place)] == []
    there.pod.end_guard()
    assert not key_file.parent.exists()
    assert not there.read("order.json")
    assert there.pod.exec("ls .primepods/guard").stdout.split() == ["guard.lock"]

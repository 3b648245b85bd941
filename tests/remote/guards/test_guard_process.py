"""A pod ends by its rules although every kernel is gone, once, and what happened can be read afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import GuardNotArmed, InvalidRequest, PodsError
from primepods_magic.api.settings import Settings
from primepods_magic.pods.audit import read_audit
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.guards.arming import check_guards, keep_guards, read_endings
from primepods_magic.pods.guards.process import find_process
from primepods_magic.pods.guards.records import (
    GuardRecord,
    find_account_folder,
    list_records,
    read_record,
)
from primepods_magic.pods.pod import Pod
from tests.remote.guards.conftest import WITHIN_S, Guarded
from tests.support.guard_processes import end_guard_processes, is_running, list_processes
from tests.support.sandbox_control import controlled
from tests.support.soak import pick
from tests.support.waiting import eventually

KEY = "key-of-this-test-0123456789abcdef"


def find_pid(home: Path) -> int:
    (process,) = list_processes(home)
    return process.pid


def await_record(guarded: Guarded, pod: Pod, what: str, is_so: Any) -> GuardRecord:
    def find() -> GuardRecord | None:
        record = read_record(guarded.folder, pod.id)
        return record if record is not None and is_so(record) else None

    return eventually(find, what, within=WITHIN_S)


def test_a_pod_ends_at_its_deadline_although_its_kernel_is_gone(guarded: Guarded, home: Path) -> None:
    pod = guarded.launch(run_for="40m")
    assert os.getsid(find_pid(home)) != os.getsid(0), "it would end with the kernel"
    settings = guarded.connection.settings
    disconnect()
    guarded.advance(2000)
    guarded.connection = connect(settings=settings)
    await_record(guarded, pod, "a warning", lambda record: record.has_warned)
    assert guarded.is_live(pod)
    guarded.advance(401)
    guarded.await_end(pod)
    (ending,) = read_endings(guarded.connection)
    assert (ending.outcome, ending.rule, ending.pod_id) == ("ended", "deadline", pod.id)
    assert ending.due_at is not None
    assert ending.at - ending.due_at < timedelta(minutes=1)
    assert ending.billed_usd or ending.estimated_usd
    news = keep_guards(guarded.connection)
    assert [line for line in news if "'train' ends at" in line and "%pods hold" in line]
    assert [line for line in news if "'train' has ended: deadline" in line and "billed" in line]
    last = read_audit()[-1]
    assert (last.event, last.cause, last.front_end) == ("terminated", "guard: deadline", "guard")
    assert keep_guards(guarded.connection) == []
    assert guarded.count_deletions(pod) == 1


def test_a_pod_ends_at_a_sum_whatever_it_is_held_for(guarded: Guarded) -> None:
    pod = guarded.launch(max_total_usd=1)
    assert pod.price_usd_hr
    pod.hold("12h")
    guarded.advance(3600 / pod.price_usd_hr - 300)
    check_guards(guarded.connection)
    assert guarded.is_live(pod)
    guarded.advance(400)
    guarded.await_end(pod)
    (ending,) = read_endings(guarded.connection)
    assert ending.rule == "sum"
    assert "$1.00" in ending.why


def test_a_pod_is_held_and_its_guard_can_be_changed_and_ended(guarded: Guarded) -> None:
    pod = guarded.launch(run_for="1h")
    held = pod.hold("3h")
    assert held.due_at == held.held_until
    guarded.advance(2 * 3600)
    check_guards(guarded.connection)
    assert guarded.is_live(pod)
    changed = pod.guard(run_for="off", max_total_usd=50, get="runs", to="/nowhere")
    assert changed.rules.list_rules() == ["sum"]
    assert (changed.rules.get, changed.rules.folder) == (("runs",), "/nowhere")
    again = guarded.launch(run_for="9h")
    record = read_record(guarded.folder, again.id)
    assert record is not None
    assert record.rules.list_rules() == ["deadline", "sum"], "what was added by hand stays"
    with pytest.raises(InvalidRequest, match="Nothing would end"):
        pod.guard(run_for="off", max_total_usd="off")
    pod.end_guard()
    guarded.advance(30 * 3600)
    assert list_records(guarded.folder) == []
    assert guarded.is_live(pod)
    with pytest.raises(PodsError, match="has no guard"):
        pod.hold("1h")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("max_total_usd", "25", "an amount of USD"),
        ("max_month_usd", "500", "an amount of USD"),
        ("until", 18, "a time such as"),
        ("on_end", "sync\0", "null character"),
        ("on_end", 5, "a shell command"),
        ("notify", "x" * 20_000, "too long"),
        ("get", 5, "a list of paths"),
        ("get", ["runs", 5], "a list of paths"),
        ("if_unsaved", "later", "not a length of time"),
    ],
)
def test_rejects_a_value_that_it_would_not_follow(
    guarded: Guarded, field: str, value: Any, says: str
) -> None:
    pod = guarded.launch(run_for="4h")
    before = read_record(guarded.folder, pod.id)
    with pytest.raises(InvalidRequest, match=says):
        pod.guard(**{field: value})
    after = read_record(guarded.folder, pod.id)
    assert before is not None
    assert after is not None
    assert after.rules == before.rules
    pod.end_guard()


def test_a_new_deadline_replaces_one_that_is_switched_off(guarded: Guarded) -> None:
    pod = guarded.launch(run_for="9h")
    changed = pod.guard(run_for="1h", until="off")
    assert changed.due_at == guarded.connection.now() + timedelta(hours=1)
    pod.end_guard()


def test_running_the_cell_again_leaves_the_deadline_where_it_was(guarded: Guarded, home: Path) -> None:
    pod = guarded.launch(run_for="4h")
    first = read_record(guarded.folder, pod.id)
    guarded.advance(3600)
    end_guard_processes(home)
    guarded.launch(run_for="4h")
    assert find_process(guarded.folder), "as after a restart of this computer"
    second = read_record(guarded.folder, pod.id)
    assert first is not None
    assert second is not None
    assert second.rules == first.rules
    guarded.advance(3 * 3600 + 60)
    guarded.await_end(pod)


def test_a_guard_that_was_killed_is_started_again_and_makes_up_for_it(guarded: Guarded, home: Path) -> None:
    pod = guarded.launch(run_for="1h")
    pid = find_pid(home)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_running(pid), "the guard is dead")
    guarded.advance(7200)
    news = keep_guards(guarded.connection)
    assert [line for line in news if "The guard of 'train' did not run" in line and "started again" in line]
    guarded.await_end(pod)
    assert guarded.count_deletions(pod) == 1


@pytest.mark.soak
@pytest.mark.parametrize("fault", ["503_before", "html"])
def test_a_service_that_is_down_at_the_deadline_is_said_and_asked_again(
    open_account: Callable[..., Guarded], fault: str
) -> None:
    guarded = open_account(clock="running")
    pod = guarded.launch(run_for="3s")
    guarded.fail({"fault": fault})
    guarded.await_news("may go on being billed")
    guarded.fail()
    guarded.await_end(pod)
    assert guarded.count_deletions(pod) == 1


@pytest.mark.parametrize("fault", pick(["html_after"], ["429", "reset_before", "500_after", "html_after"]))
def test_a_termination_that_fails_is_said_and_sent_again(guarded: Guarded, fault: str) -> None:
    pod = guarded.launch(run_for="1h")
    guarded.fail({"fault": fault, "method": "DELETE", "times": 3})
    guarded.advance(3601)
    guarded.await_end(pod)
    assert guarded.count_deletions(pod) == 1


def test_two_computers_that_guard_one_pod_end_it_once(
    guarded: Guarded, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = guarded.launch(run_for="1h")
    other = home / "other"
    monkeypatch.setenv("XDG_STATE_HOME", str(other))
    Pod(guarded.connection, pod.details).guard(run_for="1h")
    there = find_account_folder(guarded.connection)
    assert there is not None
    assert there != guarded.folder
    guarded.advance(3700)
    guarded.await_end(pod)
    eventually(lambda: not list_records(there), "the other guard is done", within=WITHIN_S)
    assert guarded.count_deletions(pod) == 1


def test_a_launch_whose_guard_could_not_end_it_is_refused(guarded: Guarded) -> None:
    reader = connect(settings=Settings(guarded.control.url, "sandbox-read"))
    guarded.connection = reader
    with pytest.raises(GuardNotArmed, match=r"(?s)termination would fail.*Nothing was created"):
        guarded.launch(run_for="1h", max_price=5)
    assert reader.client.list_all_pods() == []


def test_a_computer_that_cannot_keep_a_guard_is_refused_one(
    guarded: Guarded, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(GuardNotArmed, match="does not start"):
        guarded.launch(run_for="1h")
    monkeypatch.undo()
    shutil.rmtree(guarded.folder)
    guarded.folder.write_text("in the way")
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(GuardNotArmed, match="cannot be written"):
        guarded.launch(run_for="1h")
    assert guarded.connection.client.list_all_pods() == []


def test_a_pod_that_a_person_ends_is_no_trouble(guarded: Guarded) -> None:
    pod = guarded.launch(run_for="1h")
    pod.terminate()
    guarded.await_end(pod)
    (ending,) = read_endings(guarded.connection)
    assert ending.outcome == "ended by something else"
    assert guarded.count_deletions(pod) == 1


def test_events_go_to_a_command_as_json(guarded: Guarded, tmp_path: Path) -> None:
    told = tmp_path / "told"
    pod = guarded.launch()
    pod.guard(run_for="1h", notify=f"cat >> '{told}'; echo >> '{told}'")
    guarded.advance(3700)
    guarded.await_end(pod)
    events = eventually(
        lambda: (
            [json.loads(line) for line in told.read_text().splitlines() if line]
            if told.exists() and told.read_text().count("\n") >= 2
            else None
        ),
        "both events",
    )
    assert [event["event"] for event in events if event["event"] != "warning"] == ["ending", "ended"]
    assert {event["pod_id"] for event in events} == {pod.id}


def test_the_key_is_in_no_argument_variable_or_file(
    guarded: Guarded, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text(KEY)
    keys.chmod(0o600)
    with controlled(clock="stepped", keys=keys, history=0) as control:
        monkeypatch.setenv("PRIME_API_KEY", KEY)
        monkeypatch.setenv("PRIME_API_BASE_URL", control.url)
        guarded.connection = connect(settings=Settings(control.url, KEY))
        guarded.launch(run_for="1h", max_price=5)
        pid = next(file.pid for file in list_processes(home))
        seen = b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
        assert KEY.encode() not in seen
        files = [path for path in home.rglob("*") if path.is_file()]
        assert files
        assert [path for path in files if KEY.encode() in path.read_bytes()] == []
        assert {path.stat().st_mode & 0o077 for path in files if "guards" in path.parts} == {0}
        disconnect()

"""The guard process answers and guards whatever else it does, and whatever its disk, key and records are."""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from primepods_magic.api.errors import GuardNotArmed
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.current import open_connection
from primepods_magic.pods.guards.alerts import add_alert
from primepods_magic.pods.guards.arming import check_guards, keep_guards, read_endings
from primepods_magic.pods.guards.process import describe_settings, find_process
from primepods_magic.pods.guards.records import read_record
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.guards.service import GuardService
from tests.remote.guards.conftest import WITHIN_S, Guarded
from tests.support.guard_processes import is_running, list_processes
from tests.support.waiting import eventually

RULES = {"ends_at": "2100-01-01T00:00:00Z"}


@pytest.mark.parametrize("change", ["arm", "disarm"])
def test_a_guard_can_be_changed_while_its_pod_is_checked(guarded: Guarded, change: str) -> None:
    """A check stores what it has found; neither waits for the other forever."""
    pod = guarded.launch()
    service = GuardService(guarded.folder, describe_settings(guarded.connection.settings))
    service._do_arm(pod.id, pod.name, RULES)
    done = threading.Event()

    def store() -> None:
        while not done.is_set():
            for watch in list(service._watches.values()):
                watch.change(checked_at=datetime.now(timezone.utc))

    def change_rules() -> None:
        for _ in range(8):
            if change == "disarm":
                service._do_disarm(pod.id)
            service._do_arm(pod.id, pod.name, RULES)
        done.set()

    for work in (store, change_rules):
        threading.Thread(target=work, daemon=True).start()
    assert done.wait(WITHIN_S), "each waits for the other"
    service._connection.close()


def kill_process(home: Path) -> None:
    (process,) = list_processes(home)
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not is_running(process.pid), "it is killed")


def test_on_a_full_disk_an_earlier_guard_stays_and_its_command_is_run(
    guarded: Guarded, home: Path, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    pod = guarded.launch(run_for="1h")
    pod.guard(notify=f"mkdir -p {said}; touch {said}/$(date +%s%N)")
    (process,) = list_processes(home)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    with pytest.raises(GuardNotArmed, match="cannot write its files"):
        pod.guard(run_for="5h")
    guarded.advance(3601)
    eventually(lambda: not guarded.is_live(pod), "it ends at its first deadline", within=WITHIN_S)
    eventually(lambda: said.is_dir() and len(list(said.iterdir())) >= 2, "its end is announced, and said")


def test_a_guard_that_was_started_again_is_not_armed_with_a_key_that_may_only_read(
    guarded: Guarded, home: Path
) -> None:
    pod = guarded.launch(run_for="1h")
    kill_process(home)
    reader = open_connection(Settings(guarded.control.url, "sandbox-read"))
    keep_guards(reader)
    reader.close()
    guarded.await_news("cannot end it: a termination would fail")
    record = read_record(guarded.folder, pod.id)
    assert record is not None
    assert record.state == "unproven"
    check_guards(guarded.connection)
    guarded.advance(3601)
    guarded.await_end(pod)


def test_a_record_of_an_alert_that_cannot_be_read_stops_no_guard(guarded: Guarded, home: Path) -> None:
    guarded.launch(run_for="1h")
    add_alert(gpu="H100_80GB", max_price=0.5, connection=guarded.connection)
    kill_process(home)
    (path,) = (guarded.folder / "alerts").glob("*.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "since": "2026-09-14T08:00:00", "state": "over"}))
    keep_guards(guarded.connection)
    assert find_process(guarded.folder) is not None


@pytest.mark.soak
def test_what_could_not_be_saved_is_said_although_the_pod_ends_only_later(
    open_account: Callable[..., Guarded], tmp_path: Path
) -> None:
    guarded = open_account(machines=True)
    started = guarded.launch()
    guarded.advance(600)
    pod = Pod(guarded.connection, guarded.connection.client.get_pod(started.id))
    pod.guard(run_for="1h", get="missing.pt", to=tmp_path / "here", if_unsaved="end")
    guarded.fail({"fault": "503_before", "method": "DELETE"})
    guarded.advance(3601)
    guarded.await_news("could not be ended")
    guarded.fail()
    guarded.await_end(pod)
    (ending,) = read_endings(guarded.connection)
    assert ending.saved == ()
    assert "There is no file 'missing.pt'" in ending.why

"""Guards while disks, files, clients and people are difficult: no pod lives on in silence or ends early."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from primepods_magic import launch_many
from primepods_magic.api.errors import GuardNotArmed, PodsError
from primepods_magic.pods.guards.arming import check_guards, keep_guards, read_endings
from primepods_magic.pods.guards.process import LOCK_FILE, PROCESS_FILE, find_process
from primepods_magic.pods.guards.records import add_news, list_records, read_record, take_news
from primepods_magic.pods.pod import Pod
from tests.remote.guards.conftest import WITHIN_S, Guarded
from tests.support.guard_processes import is_running, list_processes, running_guards
from tests.support.waiting import eventually


def test_a_held_pod_stays_held_whatever_is_changed(guarded: Guarded) -> None:
    pod = guarded.launch(run_for="1h")
    pod.hold("6h")
    guarded.advance(3 * 3600)
    held = pod.guard(notify="true")
    assert held.held_until is not None
    assert guarded.is_live(pod)
    assert guarded.launch(run_for="1h").id == pod.id
    check_guards(guarded.connection)
    assert guarded.is_live(pod)
    guarded.advance(4 * 3600)
    guarded.await_end(pod)


def test_running_the_cell_again_keeps_what_was_changed_by_hand(guarded: Guarded) -> None:
    pod = guarded.launch(run_for="1h")
    longer = pod.guard(run_for="8h").rules
    guarded.launch(run_for="1h")
    record = read_record(guarded.folder, pod.id)
    assert record is not None
    assert record.rules == longer
    guarded.launch(run_for="2h")
    record = read_record(guarded.folder, pod.id)
    assert record is not None
    assert record.created_at is not None
    assert record.rules.ends_at == record.created_at + timedelta(hours=2)


def test_records_that_cannot_be_written_keep_no_pod_alive(guarded: Guarded) -> None:
    pod = guarded.launch(run_for="1h")
    records = guarded.folder / "pods"

    def is_blocked() -> bool:
        # The guard may write meanwhile. Even root cannot write a file into a file.
        with suppress(OSError):
            records.rename(guarded.folder / f"moved-{time.monotonic_ns()}")
            records.write_text("in the way")
        return records.is_file()

    eventually(is_blocked, "a file is in the way")
    guarded.advance(3601)
    eventually(lambda: not guarded.is_live(pod), "it ends all the same", within=WITHIN_S)
    eventually(lambda: read_endings(guarded.connection), "it is logged", within=WITHIN_S)
    records.unlink()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b'{"pod_id": "x", "pod": "train", "rules": 5}'])
def test_a_damaged_record_is_said(guarded: Guarded, home: Path, content: bytes) -> None:
    guarded.launch(run_for="1h")
    guarded.launch("other", run_for="1h")
    (process,) = list_processes(home)
    os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: not is_running(process.pid), "it is dead")
    # A process that is killed may leave a temporary file.
    next((guarded.folder / "pods").glob("*.json")).write_bytes(content)
    keep_guards(guarded.connection)
    guarded.await_news("cannot be read")


def test_a_process_that_is_stopped_holds_no_command_up(guarded: Guarded, home: Path) -> None:
    guarded.launch(run_for="1h")
    (process,) = list_processes(home)
    os.kill(process.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        news = keep_guards(guarded.connection)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert time.monotonic() - began < 20
    assert [line for line in news if "'train' may not end in time" in line]
    eventually(lambda: find_process(guarded.folder), "it goes on", within=WITHIN_S)


def test_a_client_that_says_nothing_holds_no_other_up(guarded: Guarded, home: Path) -> None:
    pod = guarded.launch(run_for="1h")
    (process,) = list_processes(home)
    silent = [socket.socket(socket.AF_UNIX) for _ in range(3)]
    for client in silent:
        client.connect(process.address)
    assert pod.hold("2h").held_until is not None
    for client in silent:
        client.close()


def test_a_service_that_fails_from_the_first_check_on_is_said(open_account: Callable[..., Guarded]) -> None:
    guarded = open_account(clock="running")
    guarded.fail({"fault": "html", "method": "GET", "path": "/pods"})
    pod = Pod(guarded.connection, guarded.connection.client.get_pod(_rent(guarded)))
    pod.guard(run_for="2s")
    guarded.await_news("may go on being billed")
    guarded.fail()
    guarded.await_end(pod)


def _rent(guarded: Guarded) -> str:
    guarded.fail()
    pod = guarded.launch()
    guarded.fail({"fault": "html", "method": "GET", "path": "/pods"})
    return pod.id


def test_many_messages_are_counted_and_none_is_cut_off(guarded: Guarded) -> None:
    for number in range(60):
        add_news(guarded.folder, f"message {number}")
    first, *rest = take_news(guarded.folder)
    assert first.startswith("10 earlier messages")
    assert rest == [f"message {number}" for number in range(10, 60)]
    for number in range(900):
        add_news(guarded.folder, f"message {number} {'x' * 100}")
    assert len(take_news(guarded.folder)) == 51


def test_a_guard_that_has_ended_its_pod_at_once_says_so(guarded: Guarded) -> None:
    pod = guarded.launch()
    guarded.advance(7200)
    record = pod.guard(max_total_usd=0.01)
    assert record.pod_id == pod.id
    guarded.await_end(pod)
    with pytest.raises(PodsError, match="has no guard"):
        pod.hold("1h")


def test_a_process_whose_file_is_gone_is_found_again(guarded: Guarded, home: Path) -> None:
    pod = guarded.launch(run_for="1h")
    (process,) = list_processes(home)
    (guarded.folder / PROCESS_FILE).unlink()
    eventually(lambda: find_process(guarded.folder), "its file is back", within=WITHIN_S)
    assert list_processes(home) == [process]
    assert pod.hold("2h").held_until is not None


def test_a_process_whose_socket_is_gone_is_found_again(guarded: Guarded, home: Path) -> None:
    pod = guarded.launch(run_for="1h")
    (process,) = list_processes(home)
    shutil.rmtree(Path(process.address).parent)
    eventually(lambda: find_process(guarded.folder), "its socket is back", within=WITHIN_S)
    assert list_processes(home) == [process]
    assert pod.hold("2h").held_until is not None


def test_a_pod_that_is_hard_to_find_delays_the_end_of_no_other(guarded: Guarded) -> None:
    slow, other = guarded.launch("slow", run_for="9h"), guarded.launch("other", run_for="1h")
    paths = ("/pods/history", "/pods/status", f"/pods/{slow.id}")
    guarded.connection.client.delete_pod(slow.id)
    guarded.fail(*({"fault": "latency", "seconds": 60, "method": "GET", "path": path} for path in paths))
    guarded.advance(3700)
    eventually(lambda: guarded.count_deletions(other), "the other one is ended", within=WITHIN_S)
    assert read_record(guarded.folder, slow.id) is not None, "its fate is still being looked up"


def test_of_two_processes_one_stays(guarded: Guarded, home: Path) -> None:
    pod = guarded.launch(run_for="1h")
    for name in (PROCESS_FILE, LOCK_FILE):
        (guarded.folder / name).unlink()
    eventually(lambda: keep_guards(guarded.connection) == [], "one runs", within=WITHIN_S)
    eventually(lambda: len(running_guards(home)) == 1, "only one is left", within=WITHIN_S)
    guarded.advance(3601)
    guarded.await_end(pod)
    assert len(read_endings(guarded.connection)) == 1
    assert guarded.count_deletions(pod) == 1


def test_what_a_guard_cannot_keep_is_refused(guarded: Guarded) -> None:
    pod = guarded.launch()
    with pytest.raises(GuardNotArmed, match="too long"):
        pod.guard(run_for="1h", get=[f"runs/{number:0100}" for number in range(6000)])
    assert list_records(guarded.folder) == []


@pytest.mark.soak
def test_every_pod_of_a_launch_whose_guard_fails_is_named(guarded: Guarded) -> None:
    def tell(text: str) -> None:
        if "armed" in text:
            guarded.fail({"fault": "html", "method": "DELETE"})

    body = "gpu: L4_24GB\nname: w\npods: 3\nfor: 1h"
    with pytest.raises(GuardNotArmed, match=r"(?s)'w-2' exists and is billed.*'w-3' exists") as caught:
        launch_many(body, connection=guarded.connection, tell=tell)
    assert caught.value.may_be_billed
    assert [record.pod for record in list_records(guarded.folder)] == ["w-1"]
    assert len(guarded.connection.client.list_all_pods()) == 3


@pytest.mark.parametrize("change", ["hold", "later", "off"])
def test_what_is_changed_while_a_check_is_under_way_counts(guarded: Guarded, change: str) -> None:
    pod = guarded.launch(run_for="1h")
    # The month is read in each check, and takes a while.
    pod.guard(max_month_usd=10_000)
    guarded.fail({"fault": "latency", "seconds": 0.5, "method": "GET", "path": "/wallet*"})
    guarded.fail({"fault": "latency", "seconds": 0.7, "method": "GET", "path": "/user/teams"})
    guarded.advance(3601)
    changes = {"hold": lambda: pod.hold("5h"), "later": lambda: pod.guard(run_for="9h"), "off": pod.end_guard}
    refusal = ""
    try:
        changes[change]()
    except PodsError as error:
        refusal = str(error)
    guarded.fail()
    if refusal:
        # It was too late, and that is said.
        assert re.search("already|no guard", refusal)
        guarded.await_end(pod)
        return
    for _ in range(3):
        check_guards(guarded.connection)
    assert guarded.is_live(pod)

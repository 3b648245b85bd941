"""The record of a launch: written before the create, found again by any kernel, and missed aloud."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import LaunchRefused
from primepods_magic.api.local.folders import find_folder
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.doctor.local import check_launch_notes
from primepods_magic.pods.launching.launch import launch
from tests.pods.conftest import Changing, Through
from tests.pods.test_one_pod import Breaking, is_create, names, note_of
from tests.support.sandbox_control import SandboxControl


@pytest.fixture
def no_records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home in which nothing can be written."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))


@pytest.mark.usefixtures("no_records")
def test_without_a_record_nothing_is_rented_unless_a_person_agrees(
    connection: Connection, through: Through
) -> None:
    live = through(httpx.HTTPTransport(verify=False), live=True)
    said: list[str] = []
    asked: list[int] = []

    def refuse(_: Any) -> bool:
        asked.append(len(said))
        return False

    with pytest.raises(LaunchRefused):
        launch(gpu="L4_24GB", name="train", max_price=3, connection=live, tell=said.append)
    with pytest.raises(LaunchRefused):
        launch(gpu="L4_24GB", name="train", max_price=3, connection=live, tell=said.append, confirm=refuse)
    assert asked == [2], "the reason is told before the question"
    assert "No record of this launch can be kept" in said[0]
    assert names(connection) == []
    launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=said.append)
    assert names(connection) == ["train"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS], ids=errno.errorcode.get)
def test_without_a_lock_nothing_is_rented_unless_a_person_agrees(
    connection: Connection, through: Through, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A home on a file system that cannot lock files."""

    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    live, said = through(httpx.HTTPTransport(verify=False), live=True), list[str]()
    with pytest.raises(LaunchRefused):
        launch(gpu="L4_24GB", name="train", max_price=3, connection=live, tell=said.append)
    assert "cannot be locked. Launch this name in one notebook at a time" in said[0]
    assert "cannot be locked" in next(check_launch_notes()).detail
    assert names(connection) == []
    launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=said.append)
    assert names(connection) == ["train"]


def test_nothing_is_created_if_the_record_cannot_be_written_at_last(
    connection: Connection, through: Through, tmp_path: Path
) -> None:
    """The disk fills up between the plan and the create."""

    def fill_up(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if "history" in request.url.path:
            folder = find_folder("state")
            assert folder is not None
            (folder / "launching").rename(tmp_path / "moved")
            (folder / "launching").touch()
        return response

    with pytest.raises(LaunchRefused, match=r"could not be written.*Nothing was created"):
        launch(gpu="L4_24GB", name="train", connection=through(Changing(fill_up)))
    assert names(connection) == []


FOREIGN = {
    "empty": b"",
    "text": b"hello",
    "binary": bytes(range(256)),
    "a list": b"[]",
    "a number": b"7",
    "nothing": b"null",
    "deep": b"[" * 100_000,
    "other keys": b'{"a": 1}',
    "a naive time": b'{"name": "train", "team_id": null, "gpu_type": "L4_24GB", "gpu_count": 1, '
    b'"digest": "x", "known_ids": [], "sent_at": "2026-11-29T00:00:00"}',
    "odd types": b'{"name": 7, "team_id": [], "gpu_type": {}, "gpu_count": "x", "digest": null, '
    b'"known_ids": 3, "sent_at": "never"}',
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_record_that_cannot_be_read_is_reported_and_replaced(
    connection: Connection, content: bytes
) -> None:
    note = note_of(connection, "train")
    note._path.parent.mkdir(parents=True)
    note._path.write_bytes(content)
    assert note.read() is None
    said: list[str] = []
    pod = launch(gpu="L4_24GB", name="train", tell=said.append)
    assert ["the last one cannot be read" in text for text in said] == [True]
    kept = note.read()
    assert kept is not None
    assert kept.pod_id == pod.id


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop"])
def test_a_record_that_is_not_a_file_does_not_stop_a_launch(connection: Connection, kind: str) -> None:
    path = note_of(connection, "train")._path
    path.parent.mkdir(parents=True)
    {"folder": Path.mkdir, "pipe": os.mkfifo, "loop": lambda path: path.symlink_to(path)}[kind](path)
    said: list[str] = []
    launch(gpu="L4_24GB", name="train", tell=said.append)
    assert names(connection) == ["train"]
    assert any("No record of this launch can be kept" in text for text in said)


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_of_the_service_that_jumps_does_not_end_the_search(
    connection: Connection, through: Through, hours: int
) -> None:
    """The create is lost and its pod appears late; meanwhile the service's clock is hours off."""

    class Jumping(Breaking):
        looks = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if self.creates and request.method == "GET" and request.url.path.rstrip("/") == "/api/v1/pods":
                self.looks += 1
                if self.looks < 4:
                    return httpx.Response(200, json={"data": [], "total_count": 0})
            response = super().handle_request(request)
            if self.creates:
                jumped = (connection.now() + timedelta(hours=hours)).strftime("%a, %d %b %Y %H:%M:%S GMT")
                response.headers["Date"] = jumped
            return response

    from primepods_magic.api.client import Client
    from primepods_magic.pods.support.clock import ServiceClock

    client = Client(connection.settings, http=Jumping(arrives=True))
    there = Connection(client, ServiceClock(client.session), is_sandbox=True, poll_interval_s=0.05)
    try:
        pod = launch(gpu="L4_24GB", name="train", connection=there, settle_s=20, tell=lambda _: None)
        assert launch(gpu="L4_24GB", name="train", connection=there, tell=lambda _: None).id == pod.id
    finally:
        there.close()
    assert names(connection) == ["train"]


def test_a_twin_is_reported_although_the_list_lags(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    elsewhere: list[str] = []
    looks: list[int] = []

    def meanwhile(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if is_create(request) and not elsewhere:
            elsewhere.append("")
            elsewhere[0] = sandbox.api.post("/api/v1/pods/", json=json.loads(request.read())).json()["id"]
        elif elsewhere and request.method == "GET" and request.url.path.rstrip("/") == "/api/v1/pods":
            looks.append(1)
            if len(looks) < 4:
                return httpx.Response(200, json={"data": [], "total_count": 0})
        return response

    said: list[str] = []
    launch(gpu="L4_24GB", name="twin", connection=through(Changing(meanwhile)), tell=said.append)
    assert [text for text in said if "2 live pods are called 'twin'" in text and elsewhere[0] in text]


FORKING = """
import os, sys, threading, time
from primepods_magic.pods.launching.journal.name_lock import locked
from pathlib import Path

held, done = threading.Event(), threading.Event()

def hold():
    with locked(Path(sys.argv[1])):
        held.set()
        done.wait()

threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    time.sleep(120)
    os._exit(0)
print(child, flush=True)
time.sleep(120)
"""

WAITING = """
import sys
from pathlib import Path
from primepods_magic.pods.launching.journal.name_lock import locked

with locked(Path(sys.argv[1]), on_wait=lambda: print("waits", flush=True)):
    print("held")
"""


def test_a_forked_child_does_not_keep_the_lock_of_a_kernel_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "name.lock"
    with _python(FORKING, path) as kernel:
        assert kernel.stdout is not None
        child = int(kernel.stdout.readline())
        try:
            with _python(WAITING, path) as waiting:
                assert waiting.stdout is not None
                assert waiting.stdout.readline() == "waits\n", "the living kernel holds its lock"
                kernel.kill()
                kernel.wait()
                rest, _ = waiting.communicate(timeout=60)
                assert rest.splitlines()[-1] == "held"
        finally:
            os.kill(child, signal.SIGKILL)


def _python(code: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)

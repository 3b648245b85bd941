"""The process of the machines: when it starts, whom it outlives (nobody), and what it leaves (nothing)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.sandbox.machines.host import MachineHost, MachinesUnavailable
from tests.support.ssh_client import DAEMON, Login, is_running
from tests.support.waiting import eventually

# A sandbox's process: it starts a machine, forks a child, says where everything is, and waits.
PARENT = """
import ctypes, json, os, signal, sys
from primepods_magic.sandbox.machines.host import MachineHost
host = MachineHost()
order = json.loads(sys.argv[1])
port = host.run([order])[order["id"]]
running = host._running
# Python does not notice the latter.
child = os.fork() if sys.argv[2] == "os" else ctypes.PyDLL(None).fork()
if not child:
    signal.pause()
said = {"port": port, "machines": running.process.pid, "folder": str(running.folder), "child": child}
print(json.dumps(said), flush=True)
sys.stdin.readline()
host.stop()
print(running.process.returncode, flush=True)
signal.pause()
"""


def make_order(ssh_key: Path) -> dict[str, Any]:
    keys = [ssh_key.with_suffix(".pub").read_text()]
    return {"id": "p-1", "user": "root", "port": 0, "secret": "s", "env": {}, "keys": keys}


@contextmanager
def running_parent(ssh_key: Path, fork: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    words = [sys.executable, "-W", "ignore", "-c", PARENT, json.dumps(make_order(ssh_key)), fork]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, start_new_session=True, **pipes) as parent:
        assert parent.stdout is not None
        said = json.loads(parent.stdout.readline())
        try:
            yield parent, said
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


@pytest.mark.parametrize(("end", "fork"), [("SIGKILL", "C"), ("SIGTERM", "os")])
def test_ends_with_the_process_that_started_it(end: str, fork: str, ssh_key: Path, tmp_path: Path) -> None:
    with running_parent(ssh_key, fork) as (parent, said):
        login = Login.make("root@127.0.0.1", ssh_key, tmp_path / "known_hosts", Port=said["port"])
        daemon = login.read(DAEMON)
        parent.send_signal(getattr(signal, end))
        parent.wait()
        # A fork of the parent lives on.
        assert is_running(said["child"])
        eventually(
            lambda: not is_running(daemon) and not Path(said["folder"]).exists(), "all is gone", within=2
        )
        eventually(lambda: not is_running(said["machines"]), "the process has ended")


def test_survives_an_interrupt_of_the_kernels_group_and_stops_in_spite_of_a_fork(ssh_key: Path) -> None:
    with running_parent(ssh_key, "os") as (parent, said):
        assert os.getsid(said["machines"]) == said["machines"] != os.getsid(parent.pid)
        assert parent.stdin is not None
        assert parent.stdout is not None
        print(file=parent.stdin, flush=True)
        # It was not killed: the fork does not hold its pipe.
        assert parent.stdout.readline() == "0\n"
        assert is_running(said["child"])
        assert not Path(said["folder"]).exists()


def test_starts_once_and_leaves_nothing(ssh_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIME_API_KEY", "secret-of-the-kernel")
    folders = set(Path(tempfile.gettempdir()).glob("primepods-machines-*"))
    host = MachineHost()
    assert not host.is_alive()
    host.stop()
    host = MachineHost()
    for _ in range(3):
        host.warm_up()
    host.run([make_order(ssh_key)])
    assert (host.generation, host.is_alive()) == (1, True)
    assert host._running is not None
    pid = host._running.process.pid
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"secret-of-the-kernel" not in environment
    host.stop()
    host.stop()
    assert not is_running(pid)
    assert [thread.name for thread in threading.enumerate() if "machines" in thread.name] == []
    assert set(Path(tempfile.gettempdir()).glob("primepods-machines-*")) == folders
    with pytest.raises(MachinesUnavailable, match="has been stopped"):
        host.run([make_order(ssh_key)])


def test_replaces_a_process_that_was_killed(ssh_key: Path, tmp_path: Path) -> None:
    host = MachineHost()
    try:
        port = host.run([make_order(ssh_key)])["p-1"]
        daemon = Login.make("root@127.0.0.1", ssh_key, tmp_path / "known_hosts", Port=port).read(DAEMON)
        assert host._running is not None
        folder = host._running.folder
        os.kill(host._running.process.pid, signal.SIGKILL)
        eventually(lambda: not host.is_alive(), "it is seen")
        eventually(lambda: not is_running(daemon), "its daemons are gone")
        assert not folder.exists()
        port = host.run([{**make_order(ssh_key), "port": port}])["p-1"]
        login = Login.make("root@127.0.0.1", ssh_key, tmp_path / "known_hosts", Port=port)
        # The same host key, else it would be refused.
        assert login.read("echo back") == "back"
    finally:
        host.stop()


def test_says_why_it_does_not_start(ssh_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    host = MachineHost()
    with pytest.raises(MachinesUnavailable, match="do not start"):
        host.run([make_order(ssh_key)])
    monkeypatch.undo()
    host.stop()


def test_leaves_out_a_machine_that_cannot_start(ssh_key: Path) -> None:
    host = MachineHost()
    try:
        order = make_order(ssh_key)
        first = host.run([order])
        assert host._running is not None
        # A machine that runs is not started twice, and the next one finds a file where its folder should be.
        (host._running.folder / "2").touch()
        assert host.run([order, {**order, "id": "q-1"}]) == first
        assert host.run([{**order, "id": "r-1"}]).keys() == {"r-1"}
    finally:
        host.stop()


def test_reports_a_command_that_fails_and_goes_on(host: MachineHost, ssh_key: Path) -> None:
    with pytest.raises(MachinesUnavailable, match="KeyError"):
        host.change("no such machine", {})
    assert host.is_alive()

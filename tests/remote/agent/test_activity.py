"""The parts of a pod's monitoring that a machine of the sandbox cannot show."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from primepods_magic.remote.agent.activity import logins as logins_module
from primepods_magic.remote.agent.activity.logins import Logins
from primepods_magic.remote.agent.activity.other_agents import OtherAgents
from primepods_magic.remote.agent.activity.processes import (
    Process,
    Use,
    measure_use,
    read_processes,
)
from primepods_magic.remote.agent.activity.signals import BUSY, IDLE, UNKNOWN, Reading, Signal, make_unknown
from primepods_magic.remote.agent.activity.system import SystemSampler
from primepods_magic.remote.agent.folders import hold_kernel_lock

QUIET = Process(parent=1, own_s=5.0, reaped_s=1.0, io_bytes=100, has_terminal=False)


def test_what_a_child_used_counts_once() -> None:
    parent, child = QUIET, QUIET._replace(parent=10, own_s=3.0, reaped_s=0.0, io_bytes=40)
    before = {(10, b"1"): parent, (11, b"2"): child}
    # It has used half a second more, has ended, and its parent has waited for it.
    after = {(10, b"1"): parent._replace(reaped_s=4.5, io_bytes=160)}
    assert measure_use(before, after, set()) == Use(0.5, 20)
    # One that began and ended in between, and one that is new with an id that was used before.
    after = {(10, b"1"): parent._replace(reaped_s=3.0), (11, b"3"): child, (11, b"2"): child}
    assert measure_use(before, after, set()) == Use(5.0, 40)
    assert measure_use(before, after, {10, 11}) == Use(0.0, 0)
    # Its parent did not wait for it: what its parent itself used still counts.
    assert measure_use(before, {(10, b"1"): parent._replace(own_s=6.0)}, set()) == Use(1.0, 0)


def test_processes_that_the_system_hides_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (os.getpid(), 1) == (os.getpid(), next(pid for pid, _ in read_processes(None) if pid == 1))
    listed = os.listdir("/proc")
    monkeypatch.setattr(os, "listdir", lambda path: [name for name in listed if name != "1"])
    readings = SystemSampler(Logins()).read(set())
    assert {name: readings[name].state for name in ("cpu", "io", "logins")} == dict.fromkeys(
        ("cpu", "io", "logins"), UNKNOWN
    )
    assert "hides processes" in readings["cpu"].reason


def test_a_real_pod_has_a_network_of_its_own() -> None:
    sampler = SystemSampler(Logins())
    assert sampler.read(set())["network"].state == UNKNOWN
    assert sampler.read(set())["network"].state in (IDLE, BUSY)


def test_quiet_begins_again_after_anything_else_and_after_a_gap() -> None:
    signal, idle = Signal("cpu"), Reading(IDLE, "0")

    def find_quiet(now_s: float) -> tuple[str, float]:
        facts = signal.describe(now_s, 15.0)
        return facts["state"], facts["quiet_s"]

    assert find_quiet(0.0) == (UNKNOWN, 0.0)
    for now_s in (0.0, 5.0, 10.0):
        signal.note(now_s, idle, 15.0)
    assert find_quiet(12.0) == (IDLE, 10.0)
    assert find_quiet(26.0) == (UNKNOWN, 0.0)
    signal.note(26.0, idle, 15.0)
    assert find_quiet(26.0) == (IDLE, 0.0)
    for other in (Reading(BUSY, "1"), make_unknown("lost")):
        signal.note(30.0, idle, 15.0)
        signal.note(35.0, other, 15.0)
        assert find_quiet(35.0) == (other.state, 0.0)
        signal.note(40.0, idle, 15.0)
        assert find_quiet(40.0) == (IDLE, 0.0)
    signal.note(45.0, idle, 15.0)
    signal.note_busy("a cell was sent")
    assert find_quiet(45.0) == (BUSY, 0.0)


def test_a_cell_of_another_agent_counts_while_its_kernel_lives(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = home / ".primepods"
    for agent in ("own", "other"):
        job = root / agent / "sessions" / "main" / "abc"
        job.mkdir(parents=True)
        (job / "job.json").write_text(json.dumps({"state": "running"}))
    monkeypatch.setattr(sys, "argv", [str(root / "own" / "agent.pyz")])
    others = OtherAgents()
    assert not others.has_running_cell()
    with hold_kernel_lock(str(root / "own" / "sessions" / "main")):
        assert not others.has_running_cell()
    with hold_kernel_lock(str(root / "other" / "sessions" / "main")):
        assert others.has_running_cell()
        (root / "other/sessions/main/abc/job.json").write_text(json.dumps({"state": "ok"}))
        assert not others.has_running_cell()
        assert not others.has_running_cell()
        (root / "other/sessions/main/abc/job.json").write_text("{")
        others = OtherAgents()
        with pytest.raises(ValueError, match="Expecting"):
            others.has_running_cell()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_to_the_ssh_server_are_found(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("this computer has no IPv6")
    wait = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
    port = server.getsockname()[1]
    with (
        server,
        socket.create_connection((host, port)) as ours,
        socket.create_connection((host, port)) as other,
    ):
        ends = [f"{host} {each.getsockname()[1]} {host} {port}" for each in (ours, other)]
        monkeypatch.setenv("SSH_CONNECTION", ends[0])
        logins = Logins()
        processes = {(1, b"1"): QUIET._replace(has_terminal=True)}
        # Nothing is known of the table yet: one that lacks our own connections lacks others.
        assert logins.read(processes).reason == "a program runs in a terminal"
        assert logins.read({}) == Reading(IDLE, "no program in a terminal")
        assert logins.read(None).state == UNKNOWN
        logins._bridges[1] = logins_module._parse_connection(ends[0])
        assert logins.read(processes) == Reading(IDLE, "no login")
        # A bridge that has ended, whose connection has not.
        logins._bridges.clear()
        assert logins.read(processes).state == IDLE
        person = subprocess.Popen(wait, stdin=subprocess.PIPE, env={**os.environ, "SSH_CONNECTION": ends[1]})
        with person:
            seen = {(person.pid, b"1"): QUIET}
            assert logins.read(seen) == Reading(BUSY, "1 logged in", "a user is logged in over SSH")
        assert logins.read({}).state == IDLE
        # A tunnel has no process, and stays longer than a login takes.
        monkeypatch.setattr(logins_module, "_LOGIN_S", 0.0)
        assert logins.read({}).state == BUSY
        monkeypatch.setattr(logins_module, "_TABLES", ("/nowhere/tcp",))
        assert logins.read(processes).reason == "a program runs in a terminal"

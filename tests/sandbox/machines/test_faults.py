"""Faults of a machine's network and login."""

from __future__ import annotations

from pathlib import Path

from .conftest import Handle


def test_cuts_connections(machine: Handle) -> None:
    with machine.login.started("echo in; cat") as process:
        assert process.stdout is not None
        process.stdout.readline()
        machine.change(cut=True)
        assert process.wait(10) == 255
    assert machine.login.read("echo back") == "back"


def test_freezes_and_thaws(machine: Handle, ssh_key: Path) -> None:
    impatient = machine.log_in(ssh_key, ServerAliveInterval=1, ServerAliveCountMax=1)
    talk = "echo in; while :; do echo more; sleep 0.05; done"
    with impatient.started(talk) as leaving, machine.login.started("echo in; cat") as staying:
        assert leaving.stdout is not None
        assert staying.stdout is not None
        assert staying.stdin is not None
        leaving.stdout.readline()
        staying.stdout.readline()
        machine.change(frozen=True)
        # Nothing arrives any more, though the command goes on talking.
        assert leaving.wait(20) == 255
        done = machine.log_in(ssh_key, ConnectTimeout=1).run("true")
        assert (done.returncode, "timed out" in done.stderr) == (255, True)
        print("after", file=staying.stdin, flush=True)
        machine.change(frozen=False)
        assert staying.stdout.readline() == "after\n"


def test_refuses_logins_for_a_while(machine: Handle) -> None:
    machine.change(refuse_logins=True)
    assert "Permission denied" in machine.login.run("true").stderr
    machine.change(refuse_logins=False)
    assert machine.login.run("true").returncode == 0


def test_shows_another_host_key(machine: Handle) -> None:
    assert machine.login.run("true").returncode == 0
    machine.change(other_host_key=True)
    done = machine.login.run("true")
    assert (done.returncode, "Host key verification failed" in done.stderr) == (255, True)
    machine.change(other_host_key=False)
    assert machine.login.run("true").returncode == 0

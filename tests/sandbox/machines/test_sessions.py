"""Sessions behave as sshd's: the same probes against a machine and against a real sshd, and what both do."""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pexpect
import pytest

from primepods_magic.sandbox.machines.host import MachineHost
from primepods_magic.sandbox.machines.ssh.children import Reaper, spawn_on_terminal
from tests.support.openssh import find_sshd
from tests.support.ssh_client import DAEMON, Login, is_running, make_key
from tests.support.waiting import eventually

from .conftest import Handle

SSHD_CONFIG = """
HostKey {folder}/host_key
AuthorizedKeysFile {key}.pub
UsePAM no
StrictModes no
PidFile none
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""

# A command, its input, and options of the client.
PROBES: dict[str, tuple[str | None, str, tuple[str, ...]]] = {
    "exit code": ("exit 37", "", ()),
    "signal": ("kill -TERM $$", "", ()),
    "unknown command": ("no-such-command", "", ()),
    "two streams": ("echo out; echo err >&2", "", ()),
    "name of the shell": ("echo $0; echo $-", "", ()),
    "syntax error": ("if", "", ()),
    "input to its end": ("cat; echo end", "some\ninput", ()),
    "no input": ("cat; echo end", "unread", ("-n",)),
    "input that is not read": ("head -c 3; exit 4", "x" * 1_000_000, ()),
    "a late holder of the output": ("(sleep 0.3; echo late) &", "", ()),
    "a daemon": ("sleep 1000 >/dev/null 2>&1 </dev/null & echo $?; kill $!", "", ()),
    "terminal": ('tty | sed s/[0-9]*$//; test "$SSH_TTY" = "$(tty)"; echo $?; ps -o stat= $$', "", ("-tt",)),
    "terminal in raw mode": (
        "stty -a | tr -d \\\\r | grep -o -w -E 'echo|isig|icanon'; exit 5",
        "",
        ("-tt",),
    ),
    "login shell": (None, "echo $0; shopt -q login_shell; echo $?; exit 6\n", ()),
    "unknown subsystem": ("no-such-subsystem", "", ("-s", "-S", "none")),
    "language": ("echo $LC_TIME $OTHER", "", ("-o", "SetEnv=LC_TIME=C.UTF-8 OTHER=x", "-S", "none")),
    "signals on a terminal": (
        "grep SigIgn /proc/$$/status; trap; umask",
        "",
        ("-tt",),
    ),
    "modes": ("grep SigIgn /proc/$$/status; umask; ulimit -c >/dev/null; trap", "", ()),
    "connection": ("set -- $SSH_CONNECTION; echo $# ; set -- $SSH_CLIENT; echo $#; echo ${MAIL%/*}", "", ()),
    "much output": ("head -c 3000000 /dev/zero | tr '\\0' x", "", ()),
}


@pytest.fixture(scope="module")
def host(host: MachineHost) -> MachineHost:
    """A process of machines started by one that ignores signals, as under nohup or in the background."""
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    host.set_keys({})
    for number, handler in before.items():
        signal.signal(number, handler)
    return host


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory, ssh_key: Path) -> Iterator[Login]:
    """A login to a real sshd, which serves its connection over a pipe and listens nowhere."""
    folder = tmp_path_factory.mktemp("sshd")
    make_key(folder, "host_key")
    config = folder / "sshd_config"
    config.write_text(SSHD_CONFIG.format(folder=folder, key=ssh_key))
    target, known_hosts = f"{getpass.getuser()}@sshd", folder / "known_hosts"
    with tempfile.TemporaryDirectory(prefix="sshd-", dir="/tmp") as short:
        login = Login.make(
            target,
            ssh_key,
            known_hosts,
            ProxyCommand=f"{find_sshd()} -i -f {config}",
            ControlMaster="auto",
            ControlPersist=60,
            ControlPath=f"{short}/control",
        )
        yield login
        login.run(None, "-O", "exit")


def probe(login: Login, command: str | None, input: str, options: tuple[str, ...]) -> tuple[object, ...]:
    done = login.run(command, *options, input=input)
    # The client itself says this in other words if its connection ends with the session.
    said = re.sub(r"(Shared )?[Cc]onnection to \S+ closed\.\s*|mux_client\S+ ", "", done.stderr)
    return done.returncode, done.stdout, said


@pytest.mark.parametrize("name", PROBES)
def test_does_what_sshd_does(name: str, machine: Handle, sshd: Login) -> None:
    command, input, options = PROBES[name]
    theirs = probe(sshd, command, input, options)
    assert probe(machine.login, command, input, options) == theirs
    assert theirs[0] is not None


def test_copies_files_with_every_client(machine: Handle, tmp_path: Path) -> None:
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(os.urandom(300_000))
    login = machine.login
    for options in ([], ["-O"]):
        for words in ([str(here), f"{login.target}:there"], [f"{login.target}:there", str(back)]):
            done = login.copy("scp", *options, *words)
            assert (done.returncode, done.stderr) == (0, "")
        assert back.read_bytes() == here.read_bytes()
        back.unlink()
    batch = tmp_path / "batch"
    batch.write_text(f"pwd\nget there {back}\nrename there moved\nrm moved\n")
    done = login.copy("sftp", "-b", str(batch), login.target)
    assert (done.returncode, login.read("pwd") in done.stdout, back.exists()) == (0, True, True)
    assert login.read("ls") == ""


def test_sets_the_size_of_the_terminal(machine: Handle) -> None:
    words = machine.login.words(
        "trap 'stty size' WINCH; trap 'exit 5' INT; stty size; while :; do sleep 0.05; done", "-tt"
    )
    shell = pexpect.spawn(words[0], words[1:], dimensions=(33, 101), timeout=20)
    shell.expect_exact("33 101")
    shell.setwinsize(44, 99)
    shell.expect_exact("44 99")
    shell.sendintr()
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 5


def test_keeps_what_a_terminal_has_said_before_it_closed(tmp_path: Path) -> None:
    async def read_late() -> bytes:
        reaper = Reaper(asyncio.get_running_loop())
        words = ["sh", "-c", "echo said"]
        child = await spawn_on_terminal(reaper, "/bin/sh", words, os.environ, tmp_path, (80, 24))
        await child.exited
        terminal = child._transports[0]
        while not terminal.is_closing():
            await asyncio.sleep(0.01)
        try:
            return await child.outputs[0].read()
        finally:
            child.close()

    assert asyncio.run(read_late()) == b"said\r\n"


def test_hangs_up_a_terminal_whose_client_is_gone(machine: Handle) -> None:
    with machine.login.started("echo $$; exec sleep 1000", "-tt") as process:
        assert process.stdout is not None
        pid = process.stdout.readline().strip()
        assert is_running(pid)
    eventually(lambda: not is_running(pid), "it has been hung up")


def test_lets_a_command_live_without_its_client(machine: Handle) -> None:
    with machine.login.started("echo $$; exec sleep 1000") as process:
        assert process.stdout is not None
        pid = process.stdout.readline().strip()
    eventually(lambda: machine.login.read("true") == "", "the client is gone")
    assert is_running(pid)


def test_sends_signals(machine: Handle, ssh_key: Path) -> None:
    async def interrupt() -> tuple[int | None, str]:
        async with asyncssh.connect(
            "127.0.0.1",
            machine.port,
            username="root",
            client_keys=[str(ssh_key)],
            known_hosts=None,
            config=None,
            agent_path=None,
        ) as connection:
            process = await connection.create_process(
                "trap 'echo got; exit 9' INT; echo in; sleep 10 >/dev/null 2>&1 & wait"
            )
            await process.stdout.readline()
            process.send_signal("INT")
            done = await process.wait()
            return done.exit_status, str(done.stdout)

    assert asyncio.run(interrupt()) == (9, "got\n")


def test_ends_a_daemon_with_its_machine_and_keeps_the_files_of_a_stopped_one(machine: Handle) -> None:
    daemons = machine.login.read(f"{DAEMON}; {DAEMON}").split()
    home = Path(machine.login.read("touch kept; pwd"))
    with machine.login.started("echo $$; trap '' HUP TERM; while :; do sleep 1; done") as process:
        assert process.stdout is not None
        shell = process.stdout.readline().strip()
        begin_s = time.monotonic()
        machine.end(keeps_files=True)
        eventually(lambda: not any(map(is_running, [*daemons, shell])), "its processes are gone")
        assert time.monotonic() - begin_s < 2
        assert process.wait(10) == 255
    assert (home / "kept").exists()
    machine.end()
    eventually(lambda: not home.exists(), "its files are gone")


def test_kills_the_processes_of_one_machine_only(machine: Handle, start_machine: object) -> None:
    assert callable(start_machine)
    other = start_machine()
    mine, theirs = machine.login.read(DAEMON), other.login.read(DAEMON)
    machine.end()
    eventually(lambda: not is_running(mine), "it is gone")
    assert is_running(theirs)
    os.kill(int(theirs), signal.SIGKILL)

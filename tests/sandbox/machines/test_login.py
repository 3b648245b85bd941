"""Logging in: who may, what is there, and sshd's limits."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from primepods_magic.sandbox.machines.ssh.peers import find_user_id, is_own_connection
from tests.support.ssh_client import Login, make_key
from tests.support.waiting import eventually

from .conftest import Handle, StartMachine


def test_runs_commands_in_a_home_of_its_own(machine: Handle, home: Path) -> None:
    said = machine.login.read("pwd; stat -c %a .; ls -A; echo $HOME $USER $LOGNAME; id -u")
    folder, mode, *rest = said.splitlines()
    assert folder != str(home)
    assert (mode, rest) == ("700", [f"{folder} root root", str(os.getuid())])


def test_passes_variables_in_the_environment_only(start_machine: StartMachine) -> None:
    secret = "a 'quoted' secret\nof two lines"
    machine = start_machine(env={"TOKEN": secret, "PATH": "/usr/bin:/bin", "BAD\0NAME": "x", "BAD=": "x"})
    assert machine.login.run('printf %s "$TOKEN"').stdout == secret
    assert machine.login.read("command -v nvidia-smi").endswith("/bin/nvidia-smi")
    folder = Path(machine.login.read("pwd")).parent
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if "secret" in path.read_text()]
    processes = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True).stdout
    assert "quoted" not in processes


def test_does_not_pass_on_the_sandboxs_own_environment(
    machine: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {line.partition("=")[0] for line in machine.login.read("env").splitlines()}
    assert names - {"SHLVL", "_", "PWD", "OLDPWD"} == {
        *("HOME", "USER", "LOGNAME", "SHELL", "MAIL", "PATH"),
        *("SSH_CLIENT", "SSH_CONNECTION", "SANDBOX_POD"),
    }


def test_refuses_other_keys_users_and_passwords(machine: Handle, ssh_key: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path)
    ask = {"PreferredAuthentications": "password,keyboard-interactive", "BatchMode": "no"}
    for login in (
        machine.log_in(other),
        machine.log_in(ssh_key, target="ada@127.0.0.1"),
        machine.log_in(ssh_key, NumberOfPasswordPrompts=1, **ask),
    ):
        done = login.run("true")
        assert (done.returncode, "Permission denied (publickey)" in done.stderr) == (255, True), done.stderr


def test_admits_the_keys_of_the_moment(machine: Handle, tmp_path: Path) -> None:
    other = make_key(tmp_path)
    machine.host.set_keys({machine.id: ["ssh-ed25519 AAAA broken", other.with_suffix(".pub").read_text()]})
    assert machine.log_in(other).read("echo in") == "in"
    assert machine.login.run("true").returncode == 255


def test_logs_in_as_the_user_of_the_connection(start_machine: StartMachine, ssh_key: Path) -> None:
    machine = start_machine(user="ubuntu")
    assert machine.log_in(ssh_key, target="ubuntu@127.0.0.1").read("echo $USER") == "ubuntu"


def read_host_key(port: int) -> str:
    done = subprocess.run(
        ["ssh-keyscan", "-t", "ed25519", "-p", str(port), "127.0.0.1"], capture_output=True, text=True
    )
    return done.stdout.split()[-1]


def test_derives_a_host_key_for_each_machine(start_machine: StartMachine) -> None:
    first, second = start_machine(id="kept-1"), start_machine()
    key = read_host_key(first.port)
    assert key != read_host_key(second.port)
    first.end()
    again = start_machine(id="kept-1")
    assert read_host_key(again.port) == key
    again.end()
    assert read_host_key(start_machine(id="kept-1", secret="of another sandbox").port) != key


def test_listens_on_the_usual_port_unless_it_is_taken(start_machine: StartMachine) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    first = start_machine(port=port)
    assert first.port == port
    assert start_machine(port=port).port != port
    first.end()
    assert start_machine(port=port).port == port


def test_closes_a_connection_with_too_many_wrong_keys(machine: Handle, tmp_path: Path) -> None:
    keys = [str(make_key(tmp_path, f"wrong{number}")) for number in range(7)]
    options = [word for key in keys[1:] for word in ("-i", key)]
    done = subprocess.run(
        ["ssh", *machine.log_in(Path(keys[0])).options, *options, "root@127.0.0.1"],
        capture_output=True,
        text=True,
    )
    assert "Too many authentication failures" in done.stderr


def test_opens_ten_sessions_per_connection(machine: Handle) -> None:
    with ExitStack() as stack:
        control = Path(stack.enter_context(_short_folder()), "control")
        login = Login(machine.login.target, (*machine.login.options, "-o", f"ControlPath={control}"))
        sessions = [stack.enter_context(login.started("echo in; cat", "-M"))]
        _await_line(sessions[0])
        sessions += [stack.enter_context(login.started("echo in; cat")) for _ in range(9)]
        for session in sessions[1:]:
            _await_line(session)
        # Refused on this connection, the client opens one of its own.
        assert "Session open refused by peer" in login.run("true").stderr
        assert sessions[1].communicate()[0] == ""
        eventually(lambda: login.run("true").stderr == "", "there is room for another")


def _await_line(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"


def _short_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder whose path leaves room for the name of a socket."""
    return tempfile.TemporaryDirectory(prefix="m-", dir="/tmp")


def test_refuses_some_of_many_connections_that_do_not_log_in(machine: Handle) -> None:
    with ExitStack() as stack:
        banners = []
        for _ in range(60):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", machine.port)))
            link.settimeout(10)
            banners.append(link.recv(100))
        admitted = [banner for banner in banners if banner]
        assert banners[:10] == admitted[:10]
        assert 10 <= len(admitted) < 60
        assert admitted[0].startswith(b"SSH-2.0-")


def test_knows_the_owner_of_a_connection() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        peer, own = client.getsockname(), server.getsockname()
        assert is_own_connection(peer, own)
        assert not is_own_connection((peer[0], peer[1] ^ 1), own)
    table = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        "   0: 0100007F:0016 0100007F:8AB4 01 00000000:00000000 02:00AF 00000000     0        0 1 4\n"
        "   1: 0100007F:8AB4 0100007F:0016 01 00000000:00000000 02:00AF 00000000  1001        0 2 2\n"
    )
    assert find_user_id(table, ("127.0.0.1", 35508), ("127.0.0.1", 22)) == 1001
    assert find_user_id(table, ("127.0.0.1", 35509), ("127.0.0.1", 22)) is None


def test_refuses_other_users_of_this_computer(machine: Handle) -> None:
    script = (
        "import encodings.idna, os, socket, sys\n"
        "os.getuid() == 0 and os.setuid(65534)\n"
        "print(socket.create_connection(('127.0.0.1', int(sys.argv[1]))).recv(9))\n"
    )
    done = subprocess.run(["python3", "-S", "-c", script, str(machine.port)], capture_output=True, text=True)
    # Only root can try it as someone else.
    assert done.stdout.strip() == ("b''" if os.getuid() == 0 else "b'SSH-2.0-S'"), done.stderr


def _connect_to(path: Path) -> socket.socket | None:
    client = socket.socket(socket.AF_UNIX)
    if client.connect_ex(str(path)) == 0:
        return client
    client.close()
    return None


def test_forwards_ports_and_sockets(machine: Handle) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(_short_folder()))
        path = folder / "there"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()
            stack.enter_context(machine.login.started(None, "-N", "-L", f"{folder}/here:{path}"))
            # ssh makes the file a moment before it listens on it.
            client = eventually(lambda: _connect_to(folder / "here"), "it is forwarded")
            with client:
                client.sendall(b"through")
                accepted, _ = server.accept()
                assert accepted.recv(100) == b"through"
                accepted.close()


def test_forwards_a_port_back(machine: Handle, ssh_key: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])))"
        command = f"read -r port; python3 -c {shlex.quote(connect)} 127.0.0.1 $port"
        login = machine.log_in(ssh_key, LogLevel="INFO", StrictHostKeyChecking="no")
        with login.started(command, "-R", f"0:127.0.0.1:{port}") as process:
            assert process.stderr is not None
            assert process.stdin is not None
            said = iter(process.stderr.readline, "")
            allocated = next(line for line in said if line.startswith("Allocated port"))
            print(allocated.split()[2], file=process.stdin, flush=True)
            server.settimeout(10)
            server.accept()[0].close()

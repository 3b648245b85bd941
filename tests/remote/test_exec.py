"""Commands on a pod, over a real OpenSSH server: words, output, exit codes, and what goes wrong."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primepods_magic.api.errors import (
    CommandFailed,
    InvalidRequest,
    NotFound,
    SshFailed,
    WaitInterrupted,
    WaitTimedOut,
)
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.support.notices import redirect_warnings
from primepods_magic.remote.command import _BOOTSTRAP, _encode_command, _send_line
from primepods_magic.remote.ssh.routes import find_route
from tests.remote.conftest import describe_pod, pin_host
from tests.support.openssh import OpenSshServer, openssh_server
from tests.support.ssh_client import Login, make_key
from tests.support.waiting import eventually


def test_returns_output_and_exit_code(pod: Pod) -> None:
    result = pod.exec("echo out; echo err >&2; exit 3", check=False)
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 3)
    assert repr(result).startswith("<CommandResult exit code 3, ")
    with pytest.raises(
        CommandFailed, match=r"'train' failed with exit code 3: err\. The pod keeps"
    ) as failed:
        pod.exec("echo out; echo err >&2; exit 3")
    assert failed.value.exit_code == 3
    assert failed.value.result.stdout == "out\n"


def test_words_arrive_exactly(pod: Pod) -> None:
    words = [
        "a b",
        "it's",
        '"',
        "$HOME",
        "`id`",
        "\\n",
        "%s",
        "*",
        "",
        "-n",
        "é\n\t;",
        "!",
        "{a,b}",
        "~",
        "#",
    ]
    assert pod.exec(["printf", "%s\\0", *words]).stdout.split("\0")[:-1] == words


def test_a_line_is_for_the_shell(pod: Pod) -> None:
    text = 'for i in 1 2; do\n  echo "$i \\\\ \\" %d"\ndone | tac; cat <<"END"\n\\0101 $x\nEND\n'
    assert pod.exec(text).stdout == '2 \\ " %d\n1 \\ " %d\n\\0101 $x\n'


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(str.strip))
@settings(deadline=None)
def test_any_text_survives_on_its_way_to_the_shell(text: str) -> None:
    decode = 'IFS= read -r c; c=$(printf "%bx" "$c"); c=${c%x}; printf %s "$c"'
    done = subprocess.run(["/bin/sh", "-c", decode], input=_encode_command(text), capture_output=True)
    assert done.stdout.decode() == text


@pytest.mark.parametrize("command", ["", " \n", "a\0b", "\ud800", [], ["a", 1]])
def test_refuses_what_is_no_command(pod: Pod, command: object) -> None:
    with pytest.raises(InvalidRequest, match="Nothing was run"):
        pod.exec(command)  # type: ignore[arg-type]


def test_no_process_shows_the_command(pod: Pod) -> None:
    shown = pod.exec("secret=hunter2; cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout
    assert "hunter2" not in shown
    assert "read -r" in shown


def test_a_key_in_the_environment_stays_here(pod: Pod, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIME_API_KEY", "hunter2")
    client = folder / "client.env"
    wrapper = folder / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nenv > {client}\nexec {shutil.which("ssh")} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    assert pod.exec("echo hi").stdout == "hi\n"
    assert "hunter2" not in client.read_text()


def test_output_arrives_while_the_command_runs(pod: Pod, folder: Path) -> None:
    """The command ends only after its first line was seen."""
    gate = folder / "gate"
    os.mkfifo(gate)
    seen: list[tuple[str, bytes]] = []

    def show(name: str, data: bytes) -> None:
        seen.append((name, data))
        if data == b"first\n":
            gate.write_text("go")

    result = pod.exec(f"echo first; cat {gate}; echo last >&2", on_output=show)
    assert seen[0] == ("stdout", b"first\n")
    assert b"".join(data for name, data in seen if name == "stderr") == b"last\n"
    assert (result.stdout, result.stderr) == ("", "")


def test_much_output_is_complete(pod: Pod) -> None:
    assert pod.exec("head -c 20000000 /dev/zero | tr '\\0' x").stdout == "x" * 20_000_000


def test_a_command_that_goes_on_in_the_background_does_not_hold_the_cell(pod: Pod, folder: Path) -> None:
    gate, done = folder / "gate", folder / "done"
    os.mkfifo(gate)
    assert pod.exec(f"(cat {gate}; touch {done}) >/dev/null 2>&1 & echo started").stdout == "started\n"
    gate.write_text("go")
    eventually(done.exists, "the command ends")


def test_a_command_that_takes_too_long_is_terminated(pod: Pod, folder: Path) -> None:
    mark = folder / "pid"
    with pytest.raises(WaitTimedOut, match=r"did not end within 2 s and was terminated"):
        pod.exec(f"echo $$ > {mark}; sleep 60", timeout_s=2)
    pid = int(mark.read_text())
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "the command is gone")


def interrupt_at(pod: Pod, command: str, gate: Path, times: int = 1) -> None:
    """Run a command, with Ctrl-C each time that it writes to the gate."""

    def press() -> None:
        for _ in range(times):
            gate.read_text()
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    os.mkfifo(gate)
    thread.start()
    try:
        pod.exec(command)
    finally:
        thread.join()


def test_ctrl_c_interrupts_the_command_there(pod: Pod, folder: Path) -> None:
    caught, gate = folder / "caught", folder / "gate"
    program = f"import time\ntry:\n open('{gate}', 'w').close(); time.sleep(60)\n"
    program += f"except KeyboardInterrupt:\n open('{caught}', 'w').write('yes')\n"
    with pytest.raises(
        WaitInterrupted, match=r"Interrupted: the command on 'train' ended with exit code 130"
    ):
        interrupt_at(pod, f'python3 -c "{program}"; echo not this', gate)
    assert caught.read_text() == "yes"


def test_ctrl_c_twice_stops_waiting(pod: Pod, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primepods_magic.remote.interrupts._SECOND_WITHIN_S", 60.0)
    gate = folder / "gate"
    command = f"trap 'echo > {gate}' INT; echo $$ > {folder}/pid; echo > {gate}; while :; do sleep 0.1; done"
    with pytest.raises(WaitInterrupted, match="may still run there"):
        interrupt_at(pod, command, gate, times=2)
    pid = int((folder / "pid").read_text())
    assert Path(f"/proc/{pid}").exists()
    os.kill(pid, signal.SIGKILL)


def test_ctrl_c_while_another_is_passed_on_is_counted(
    pod: Pod, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one comes right after the first was sent, before anything else happens."""

    def send(process: subprocess.Popen[bytes], line: bytes) -> None:
        _send_line(process, line)
        if line == b"INT\n":
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("primepods_magic.remote.command._send_line", send)
    gate = folder / "gate"
    with pytest.raises(WaitInterrupted, match="may still run there"):
        interrupt_at(pod, f"trap '' INT; echo $$ > {folder}/pid; echo > {gate}; exec sleep 60", gate)
    os.kill(int((folder / "pid").read_text()), signal.SIGKILL)


def test_a_wrong_key_is_denied(
    connection: Connection, server: OpenSshServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(make_key(folder, "other")))
    pin_host(server.host_key)
    with pytest.raises(SshFailed, match=r"accepts none of your SSH keys.*Nothing was run") as failed:
        Pod(connection, describe_pod(server.target)).exec("true")
    assert failed.value.reason == "denied"


def test_a_port_that_nobody_listens_on_is_refused(connection: Connection) -> None:
    pin_host()
    with pytest.raises(SshFailed, match="refuses SSH connections") as failed:
        Pod(connection, describe_pod("root@127.0.0.1 -p 9")).exec("true")
    assert failed.value.reason == "refused"


def test_another_host_key_is_refused(
    connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with openssh_server(folder / "a") as first:
        monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(first.key))
        pin_host(first.host_key)
        pod = Pod(connection, describe_pod(first.target))
        pod.exec("true")
    with openssh_server(folder / "b", key=first.key) as second:
        pod.update(describe_pod(second.target))
        with pytest.raises(SshFailed, match="has a different host key than before") as failed:
            pod.exec("true")
    assert failed.value.reason == "host-key"


def test_without_an_ssh_client_it_says_what_to_install(
    pod: Pod, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(SshFailed, match="apt install openssh-client") as failed:
        pod.exec("true")
    assert failed.value.reason == "setup"


def test_a_lost_connection_says_that_the_command_may_run(pod: Pod, folder: Path) -> None:
    mark = folder / "pid"

    def cut(name: str, data: bytes) -> None:
        if name == "stderr":
            return
        # The process of the server that serves this connection is an ancestor of the command.
        pid = data.split()[0].decode()
        while b"sshd" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            pid = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        os.kill(int(pid), signal.SIGKILL)

    with pytest.raises(SshFailed, match=r"was lost .* It may still run there") as failed:
        pod.exec(f"echo $$ > {mark}; cat {mark}; exec sleep 60", on_output=cut)
    assert failed.value.reason == "lost"
    os.kill(int(mark.read_text()), signal.SIGKILL)


def test_a_pod_that_is_new_is_tried_until_it_lets_in(
    connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with openssh_server(folder) as early:
        pin_host(early.host_key)
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(early.key))
    monkeypatch.setattr("primepods_magic.remote.command._RETRY_S", 0.1)
    pod = Pod(connection, describe_pod(early.target, createdAt=connection.now().isoformat()))
    results, told = [], threading.Event()
    with redirect_warnings(lambda text: told.set()):
        thread = threading.Thread(target=lambda: results.append(pod.exec("echo up").stdout))
        thread.start()
        assert told.wait(10)
        with openssh_server(folder, key=early.key, port=early.port):
            thread.join()
    assert results == ["up\n"]


def test_half_a_command_is_not_run(server: OpenSshServer, folder: Path) -> None:
    login = Login.make("root@127.0.0.1", server.key, folder / "known_hosts", Port=server.port)
    marks = [folder / "whole", folder / "half"]
    for mark, end in zip(marks, ("\n", ""), strict=True):
        login.run(_BOOTSTRAP, input=f"touch {mark}{end}")
    assert [mark.exists() for mark in marks] == [True, False]


def test_settings_of_the_user_that_would_run_nothing_do_not_apply(pod: Pod, home: Path) -> None:
    (home / ".ssh").mkdir(exist_ok=True)
    (home / ".ssh" / "config").write_text("Host *\n  StdinNull yes\n  SessionType none\n  RemoteCommand id\n")
    assert pod.exec("echo runs").stdout == "runs\n"


def test_a_pod_cannot_use_this_computers_keys_or_ports(
    pod: Pod, home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the user's own configuration forwards, and however it trusts hosts."""
    monkeypatch.setenv("SSH_AUTH_SOCK", str(folder / "agent"))
    (home / ".ssh").mkdir(exist_ok=True)
    forwarded = "  RemoteForward 0 127.0.0.1:22\n  LocalForward 65009 127.0.0.1:22\n  ForwardX11 yes\n"
    trusting = f"  StrictHostKeyChecking no\n  UserKnownHostsFile {folder}/theirs\n"
    (home / ".ssh" / "config").write_text(f"Host *\n  ForwardAgent yes\n{forwarded}{trusting}")
    words = find_route(pod.connection, pod.details).words
    for name, value in {"forwardagent": "no", "forwardx11": "no", "clearallforwardings": "yes"}.items():
        assert read_client_setting(words, name) == value
    assert read_client_setting(words, "stricthostkeychecking") == "accept-new"
    assert pod.exec("echo [$SSH_AUTH_SOCK]").stdout == "[]\n"
    assert not (folder / "theirs").exists()
    assert not (home / ".ssh" / "known_hosts").exists()


def test_a_fast_cipher_is_used_unless_the_user_has_chosen_one(pod: Pod, home: Path) -> None:
    words = find_route(pod.connection, pod.details).words
    assert "-gcm@" in read_client_setting(words, "ciphers").split(",")[0]
    (home / ".ssh").mkdir(exist_ok=True)
    (home / ".ssh" / "config").write_text("Host *\n  Ciphers aes256-ctr\nHost other\n  User x\n")
    assert read_client_setting(words, "ciphers") == "aes256-ctr"


def read_client_setting(words: Sequence[str], name: str) -> str:
    """What the client makes of its options and configuration."""
    shown = subprocess.run([words[0], "-G", *words[1:]], check=True, capture_output=True, text=True).stdout
    return dict(line.split(" ", 1) for line in shown.splitlines())[name]


def test_a_pod_that_ended_is_not_logged_in_to_by_its_old_address(
    connection: Connection, server: OpenSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(server.key))
    pod = Pod(connection, describe_pod(server.target))
    for use in (pod.exec, pod.run):
        with pytest.raises(NotFound, match="p1"):
            use("true")


def test_a_login_that_does_not_end_is_given_up(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("primepods_magic.remote.command._LOGIN_S", 0.3)
    pin_host()
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:

        def answer() -> None:
            # It says that it is one, and then nothing more.
            stack.enter_context(server.accept()[0]).sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        pod = Pod(connection, describe_pod(f"root@127.0.0.1 -p {server.getsockname()[1]}"))
        with pytest.raises(SshFailed, match="did not let you in within") as failed:
            pod.exec("true")
        thread.join()
    assert failed.value.reason == "unreachable"

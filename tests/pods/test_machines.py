"""Logging in to the pods of a sandbox: the key that is made for it, and the commands that use it."""

from __future__ import annotations

import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from primepods_magic import connect, launch
from primepods_magic.api.errors import InvalidRequest, NotConfigured
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.current import disconnect
from primepods_magic.pods.ssh.config import write_ssh_config
from primepods_magic.pods.ssh.keys import add_key, add_new_key, list_keys
from primepods_magic.pods.ssh.own_keys import find_account_key, find_sandbox_key, prepare_sandbox_key
from tests.support.sandbox_control import SandboxControl, controlled
from tests.support.ssh_client import make_key


@pytest.fixture
def disconnected() -> Iterator[None]:
    yield
    disconnect()


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch, disconnected: None) -> Iterator[SandboxControl]:
    """A sandbox with machines, whose clock stands still."""
    with controlled(clock="stepped", machines=True, history=0) as control:
        monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", control.url)
        yield control


def start_pod(machines: SandboxControl, name: str = "train") -> PodDetails:
    """A pod that is ready."""
    pod = launch(gpu="L4_24GB", name=name, tell=lambda _: None)
    machines.advance(120)
    return pod.connection.client.get_pod(str(pod.id))


def test_the_shown_command_works_at_once(bare_shell: Any, machines: SandboxControl, home: Path) -> None:
    bare_shell.run("%load_ext primepods_magic\n%pods connect --sandbox")
    start_pod(machines)
    command = str(bare_shell.run("%pods ssh train"))
    assert command == "ssh -F ~/.config/primepods_magic/ssh_config pod-train"
    words = shlex.split(command.replace("~", str(home)))
    done = subprocess.run([*words, "echo in; nvidia-smi -L"], capture_output=True, text=True)
    assert done.stdout.startswith("in\nGPU 0: NVIDIA L4"), done.stderr
    bare_shell.run("%unload_ext primepods_magic")


def test_makes_one_key_for_a_sandbox(machines: SandboxControl, home: Path) -> None:
    connection = connect(sandbox=True)
    assert connection.has_machines
    path = find_sandbox_key(connection.instance)
    assert path is not None
    assert path.is_relative_to(home / ".local/state/primepods_magic")
    assert [stat.S_IMODE(where.stat().st_mode) for where in (path, path.parent)] == [0o600, 0o700]
    names = [key.name for key in list_keys(connection)]
    disconnect()
    again = connect(sandbox=True)
    assert [key.name for key in list_keys(again)] == names == ["laptop", "this computer"]
    assert not (home / ".ssh").exists()
    # It has been removed from the account, and is registered again.
    for key in list_keys(again):
        machines.api.delete(f"/api/v1/ssh_keys/{key.id}")
    prepare_sandbox_key(again.client, again.instance)
    assert [key.name for key in list_keys(again)] == ["this computer"]


def test_keys_that_ssh_tries_by_itself_may_enter_a_sandbox(machines: SandboxControl, home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_ed25519.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@home\n")
    (home / ".ssh" / "id_rsa.pub").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    names = [key.name for key in list_keys(connect(sandbox=True))]
    assert names == ["laptop", "this computer", "~/.ssh/id_ed25519"]


@pytest.mark.parametrize("instance", ["../../elsewhere", "A" * 32, "", "f" * 65, None])
def test_makes_no_key_for_a_strange_instance(
    machines: SandboxControl, home: Path, instance: str | None
) -> None:
    connection = connect(sandbox=True)
    before = sorted(home.rglob("*"))
    prepare_sandbox_key(connection.client, instance)
    assert find_sandbox_key(instance) is None
    assert sorted(home.rglob("*")) == before


def test_a_sandbox_without_machines_needs_no_key(
    sandbox: SandboxControl, disconnected: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    connection = connect(sandbox=True)
    assert not connection.has_machines
    assert find_sandbox_key(connection.instance) is None
    assert connect(sandbox=True, machines=False) is connection
    with pytest.raises(NotConfigured, match=r"has no machines\. Start it with --machines"):
        connect(sandbox=True, machines=True)


def test_rents_pods_where_no_key_can_be_made(
    machines: SandboxControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    connection = connect(sandbox=True)
    assert find_sandbox_key(connection.instance) is None
    assert [key.name for key in list_keys(connection)] == ["laptop"]


def test_chooses_whether_a_sandbox_here_has_machines(disconnected: None) -> None:
    first = connect(sandbox=True)
    assert first.has_machines
    assert connect(sandbox=True) is connect(sandbox=True, machines=True) is first
    without = connect(sandbox=True, machines=False)
    assert not without.has_machines
    assert first.is_closed
    assert connect(sandbox=True) is without
    with pytest.raises(NotConfigured, match="Pass sandbox=True, too"):
        connect(live=True, machines=False)
    with pytest.raises(InvalidRequest, match="'machines' must be True or False"):
        connect(sandbox=True, machines="no")  # type: ignore[arg-type]


def test_a_cell_chooses_it_too(bare_shell: Any) -> None:
    bare_shell.run("%load_ext primepods_magic")
    try:
        assert not bare_shell.run("%pods connect --sandbox --no-machines").has_machines
        assert not bare_shell.run("%pods connect --sandbox").has_machines
        with pytest.raises(InvalidRequest, match="--no-machines needs --sandbox"):
            bare_shell.run("%pods connect --no-machines")
    finally:
        bare_shell.run("%unload_ext primepods_magic")


def test_works_without_asyncssh(disconnected: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    assert not connect(sandbox=True).has_machines
    with pytest.raises(NotConfigured, match=r"pip install 'primepods_magic\[machines\]'"):
        connect(sandbox=True, machines=True)


def test_names_every_key_that_may_be_right(
    machines: SandboxControl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(sandbox=True)
    pod = start_pod(machines)
    chosen = make_key(home, "chosen")
    own = find_sandbox_key(connection.instance)
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(chosen))
    text = write_ssh_config(connection, pod).path.read_text()
    assert [line.split('"')[1] for line in text.splitlines() if "IdentityFile" in line] == [
        str(own),
        str(chosen),
    ]
    assert "IdentitiesOnly yes" in text


def test_makes_a_key_for_the_account_on_request(
    shell: Any, sandbox: SandboxControl, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run("%pods keys add --new --name desk")
    assert "'desk' was added: ~/.ssh/id_ed25519_primepods, without a passphrase" in shell.output.text
    path = find_account_key()
    assert path == home / ".ssh" / "id_ed25519_primepods"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = path.read_bytes()
    rows = sandbox.api.get("/api/v1/ssh_keys").json()["data"]
    assert rows[-1]["publicKey"] == path.with_suffix(".pub").read_text().strip()
    with pytest.raises(InvalidRequest, match="exists already, and nothing was overwritten or sent"):
        shell.run("%pods keys add --new")
    assert path.read_bytes() == key
    for wrong in ("%pods keys add id.pub --new", "%pods keys --new", "%pods keys primary laptop --new"):
        with pytest.raises(InvalidRequest, match="without a KEY"):
            shell.run(wrong)


def test_host_blocks_name_the_key_that_was_made(machines: SandboxControl, home: Path) -> None:
    connection = connect(sandbox=True)
    pod = start_pod(machines)
    connection.has_machines = False
    (home / ".ssh").mkdir()
    default = make_key(home / ".ssh", "id_rsa")
    assert "IdentityFile" not in write_ssh_config(connection, pod).path.read_text()
    _, made = add_new_key(connection)
    text = write_ssh_config(connection, pod).path.read_text()
    assert [line.split('"')[1] for line in text.splitlines() if "IdentityFile" in line] == [
        str(made),
        str(default),
    ]
    # An agent may hold the right one.
    assert "IdentitiesOnly" not in text


def test_says_why_a_key_cannot_be_made(
    machines: SandboxControl, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(sandbox=True)
    (home / ".ssh").write_text("a file")
    with pytest.raises(InvalidRequest, match=r"Cannot make ~/\.ssh/id_ed25519_primepods .*Nothing was sent"):
        add_new_key(connection)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InvalidRequest, match="There is no ssh-keygen here"):
        add_new_key(connection)
    (home / ".ssh").unlink()
    with pytest.raises(InvalidRequest, match="'%pods keys add --new'"):
        add_key(connection)

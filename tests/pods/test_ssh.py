"""Getting in: what OpenSSH itself reads from the `Host` blocks, whatever a service says."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from primepods_magic import launch
from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection import Connection
from primepods_magic.pods.remove import remove_pods
from primepods_magic.pods.ssh import ssh_commands, write_ssh_config
from tests.support.waiting import eventually


def pod(**said: object) -> PodDetails:
    fields = {"id": "p1", "name": "train", "status": "ACTIVE", "sshConnection": "root@203.0.113.7 -p 2200"}
    return PodDetails.model_validate({**fields, **said})


def read_by_ssh(path: Path, host: str) -> dict[str, str]:
    """The settings of a host as OpenSSH understands them."""
    ssh = shutil.which("ssh")
    if ssh is None:
        pytest.skip("there is no OpenSSH on PATH")
    done = subprocess.run([ssh, "-G", "-F", str(path), host], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_the_command_of_each_node(connection: Connection) -> None:
    many = pod(sshConnection=["root@203.0.113.7 -p 2200", None, "ubuntu@203.0.113.9"])
    assert ssh_commands(many) == ("ssh root@203.0.113.7 -p 2200", None, "ssh ubuntu@203.0.113.9 -p 22")


def test_a_pod_that_is_not_up_says_what_to_do(connection: Connection) -> None:
    young = launch(gpu="L4_24GB", name="train").details
    with pytest.raises(InvalidRequest, match=r"PROVISIONING.*'%pods wait train'"):
        ssh_commands(young)
    with pytest.raises(InvalidRequest, match="it is over"):
        write_ssh_config(connection, pod(sshConnection=None, status="TERMINATED"))


def test_openssh_reads_what_was_written(connection: Connection, home: Path) -> None:
    many = pod(sshConnection=["root@203.0.113.7 -p 2200", "ubuntu@203.0.113.9"])
    written = write_ssh_config(connection, many)
    assert written.hosts == ("pod-train", "pod-train-2")
    first, second = (read_by_ssh(written.path, host) for host in written.hosts)
    assert (first["hostname"], first["user"], first["port"]) == ("203.0.113.7", "root", "2200")
    assert (second["hostname"], second["user"], second["port"]) == ("203.0.113.9", "ubuntu", "22")
    assert (first["hostkeyalias"], second["hostkeyalias"]) == ("p1-1", "p1-2")
    assert first["stricthostkeychecking"] == "accept-new"
    assert first["userknownhostsfile"] == str(written.path.with_name("known_hosts"))
    assert written.include == "Include ~/.config/primepods_magic/ssh_config"
    assert stat.S_IMODE(written.path.stat().st_mode) == 0o600


def test_an_include_that_is_there_is_not_asked_for(connection: Connection, home: Path) -> None:
    (home / ".ssh").mkdir()
    config = home / ".ssh" / "config"
    config.write_text("Include ~/.config/primepods_magic/ssh_config\n")
    assert write_ssh_config(connection, pod()).include is None
    assert config.read_text() == "Include ~/.config/primepods_magic/ssh_config\n"


def test_a_home_with_a_space_and_a_percent_sign(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "my 100% home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    written = write_ssh_config(connection, pod())
    assert written.include == "Include ~/.config/primepods_magic/ssh_config"
    said = read_by_ssh(written.path, "pod-train")["userknownhostsfile"].replace("%%", "%").replace('"', "")
    assert said == str(written.path.with_name("known_hosts"))


@pytest.mark.parametrize(
    "name", ["a b", "x\nHost *\n  ProxyCommand evil", 'q"uote', "*", "ключ", "-oProxy", "!x", ""]
)
def test_a_hostile_name_is_a_plain_word(connection: Connection, name: str) -> None:
    written = write_ssh_config(connection, pod(name=name))
    lines = written.path.read_text().splitlines()
    assert [line for line in lines if line.startswith("Host ")] == [f"Host {written.hosts[0]}"]
    assert "ProxyCommand" not in written.path.read_text().replace(f"Host {written.hosts[0]}", "")
    assert read_by_ssh(written.path, written.hosts[0])["hostname"] == "203.0.113.7"


@pytest.mark.parametrize("pod_id", ["p1\nHost *", "../x", "", "a b"])
def test_a_hostile_id_is_refused(connection: Connection, pod_id: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be written"):
        write_ssh_config(connection, pod(id=pod_id))


@pytest.mark.parametrize("target", ["root@-oProxyCommand=x", "ro ot@203.0.113.7"])
def test_a_hostile_address_is_no_connection(connection: Connection, target: str) -> None:
    with pytest.raises(InvalidRequest, match="has no connection"):
        write_ssh_config(connection, pod(sshConnection=target))


def test_what_follows_an_address_is_no_option(connection: Connection) -> None:
    written = write_ssh_config(connection, pod(sshConnection="root@203.0.113.7\n  ProxyCommand evil"))
    assert "ProxyCommand" not in written.path.read_text()


def test_what_is_gone_is_dropped_with_its_host_key_and_the_rest_stays(connection: Connection) -> None:
    first = launch(gpu="L4_24GB", name="one").wait().details
    second = launch(gpu="L4_24GB", name="two").wait().details
    path = write_ssh_config(connection, first).path
    write_ssh_config(connection, second)
    other = f"# pod p9 of {'0' * 12}\nHost pod-other\n    HostName 203.0.113.99\n"
    path.write_text(f"{path.read_text()}\n{other}")
    known_hosts = path.with_name("known_hosts")
    known_hosts.write_text(f"{first.id}-1 ssh-ed25519 AAAA\n{second.id}-1 ssh-ed25519 BBBB\n")
    remove_pods(connection, [first])
    write_ssh_config(connection, second)
    text = path.read_text()
    assert "Host pod-one" not in text
    assert text.count("Host pod-two") == 1
    assert "Host pod-other" in text
    assert known_hosts.read_text() == f"{second.id}-1 ssh-ed25519 BBBB\n"


def test_two_pods_of_a_name_are_told_apart(connection: Connection) -> None:
    first = launch(gpu="L4_24GB", name="train").wait().details
    second = launch(gpu="L4_24GB", name="train", new=True).wait().details
    assert write_ssh_config(connection, first).hosts == ("pod-train",)
    assert write_ssh_config(connection, second).hosts == (f"pod-train-{second.id[:6]}",)  # type: ignore[index]
    assert write_ssh_config(connection, first).hosts == ("pod-train",)


def test_the_key_that_was_chosen_for_the_command_line_is_taken(
    connection: Connection, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "my key").touch()
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", "~/my key")
    written = write_ssh_config(connection, pod())
    assert read_by_ssh(written.path, "pod-train")["identityfile"] == str(home / "my key")
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", "~/nothing")
    assert "IdentityFile" not in write_ssh_config(connection, pod()).path.read_text()


def test_kernels_that_write_at_once_lose_nothing(connection: Connection, tmp_path: Path) -> None:
    pods = [launch(gpu="L4_24GB", name=f"w{number}").wait().details for number in range(4)]
    begin = tmp_path / "begin"
    code = (
        "import sys, pathlib\nfrom primepods_magic import connect\n"
        "from primepods_magic.pods.ssh import write_ssh_config\n"
        "connection = connect(sandbox=True)\npod = connection.client.get_pod(sys.argv[1])\n"
        "pathlib.Path(sys.argv[2] + '-' + pod.name).touch()\n"
        "while not pathlib.Path(sys.argv[2]).exists(): pass\n"
        "for number in range(25):\n"
        "    connection._instance = f'{pod.name} {number}'\n"
        "    write_ssh_config(connection, pod)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(pod.id), str(begin)]) for pod in pods]
    eventually(lambda: len(list(tmp_path.glob("begin-*"))) == 4, "all kernels are ready", within=60)
    begin.touch()
    assert [process.wait(timeout=60) for process in running] == [0] * 4
    text = (Path.home() / ".config" / "primepods_magic" / "ssh_config").read_text()
    # Each as of another account, whose pods nobody else drops.
    assert len(re.findall(r"^# pod \w+ of \w+$", text, re.MULTILINE)) == 4 * 25

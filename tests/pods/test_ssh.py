"""Getting in: what OpenSSH itself reads from the `Host` blocks, whatever a service says."""

from __future__ import annotations

import json
import os
import pwd
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
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.ssh import config_check as ssh_effect
from primepods_magic.pods.ssh.config import ssh_commands, write_ssh_config
from primepods_magic.pods.terminate import terminate_pods
from tests.support.damage import damage_path
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually


def pod(**said: object) -> PodDetails:
    fields = {"id": "p1", "name": "train", "status": "ACTIVE", "sshConnection": "root@203.0.113.7 -p 2200"}
    return PodDetails.model_validate({**fields, **said})


PORTS = [{"internal": "8888", "external": "40001", "protocol": "TCP", "usedBy": "JUPYTER_NOTEBOOK"}]


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
    with pytest.raises(InvalidRequest, match="It is gone"):
        write_ssh_config(connection, pod(sshConnection=None, status="TERMINATED"))


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("STOPPED", "Start it in the dashboard"),
        ("stopped", "Start it in the dashboard"),
        ("DELETING", "It is gone"),
        ("TERMINATED", "It is gone"),
        ("PROVISIONING", "'%pods wait train' waits for it"),
        ("PENDING", "'%pods wait train' waits for it"),
    ],
)
def test_refuses_the_old_connection_of_a_pod_that_does_not_run(
    status: str, advice: str, connection: Connection
) -> None:
    idle = pod(status=status, ip="203.0.113.7", primePortMapping=PORTS)
    assert (idle.connections, idle.ssh, idle.jupyter_url) == ((), None, None)
    for refuse in (ssh_commands, lambda idle: write_ssh_config(connection, idle)):
        with pytest.raises(InvalidRequest, match=rf"(?i)'train' has no connection \({status}\)\. {advice}"):
            refuse(idle)


@pytest.mark.parametrize("status", ["ACTIVE", "ERROR", "UNKNOWN", "MIGRATING"])
def test_shows_the_connection_of_a_pod_that_may_run(status: str) -> None:
    up = pod(status=status, ip="203.0.113.7", primePortMapping=PORTS)
    assert ssh_commands(up) == ("ssh root@203.0.113.7 -p 2200",)
    assert up.jupyter_url == "http://203.0.113.7:40001"


def test_shows_a_connection_that_cannot_be_read() -> None:
    with pytest.raises(
        InvalidRequest, match=r"Cannot parse the connection from the service: telnet 203\.0\.113\.7 \ufffd"
    ):
        ssh_commands(pod(sshConnection="telnet 203.0.113.7 \x1b"))


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
    terminate_pods(connection, [first])
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


@pytest.mark.parametrize("name", ["id", "my key", "100%", "it's", "a#b", "~id"])
def test_names_the_private_key_alone(
    name: str, connection: Connection, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for chosen, there in (
        (name, [name, f"{name}.pub"]),
        (f"{name}.pub", [name, f"{name}.pub"]),
        (f"{name}.pub", [f"{name}.pub"]),
        (name, [f"{name}.pub"]),
    ):
        for file in home.glob(f"{name}*"):
            file.unlink()
        for file_name in there:
            (home / file_name).touch()
        monkeypatch.setenv("PRIME_SSH_KEY_PATH", f"~/{chosen}")
        written = write_ssh_config(connection, pod())
        settings = read_by_ssh(written.path, "pod-train")
        assert settings["identityfile"].replace("%%", "%") == str(home / there[0])
        assert settings["identitiesonly"] == "yes"
        assert written.notes == ()


@pytest.mark.parametrize(
    ("chosen", "note"),
    [
        ("~/nothing", "not an existing file"),
        ("~/nothing.pub", "not an existing file"),
        ("~", "not an existing file"),
        ("~/.ssh", "not an existing file"),
        ("~nobody-of-this-name/id", "not a valid path"),
        ('~/quo"te', "cannot read a path"),
        ("~/new\nline", "cannot read a path"),
        ("~/${HOME}", "cannot read a path"),
        ("~/back\\slash", "cannot read a path"),
    ],
)
def test_says_why_a_chosen_key_is_not_named(
    chosen: str, note: str, connection: Connection, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".ssh").mkdir()
    for name in ('quo"te', "new\nline", "${HOME}", "back\\slash"):
        (home / name).touch()
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", chosen)
    written = write_ssh_config(connection, pod())
    text = written.path.read_text()
    assert "IdentityFile" not in text
    assert "IdentitiesOnly" not in text
    (said,) = written.notes
    assert said.startswith("The Host blocks name no key: PRIME_SSH_KEY_PATH is '")
    assert note in said
    assert "\n" not in said


def test_takes_the_key_from_the_configuration_of_prime(connection: Connection, home: Path) -> None:
    (home / ".prime").mkdir()
    (home / "id").touch()
    config = home / ".prime" / "config.json"
    config.write_text(json.dumps({"ssh_key_path": str(home / "id.pub")}))
    written = write_ssh_config(connection, pod())
    assert read_by_ssh(written.path, "pod-train")["identityfile"] == str(home / "id")
    (home / ".ssh").mkdir()
    config.write_text(json.dumps({"ssh_key_path": str(home / ".ssh" / "id_rsa")}))
    assert write_ssh_config(connection, pod()).notes == ()
    config.write_text(json.dumps({"ssh_key_path": "/nothing"}))
    assert (
        "ssh_key_path in ~/.prime/config.json is '/nothing'" in write_ssh_config(connection, pod()).notes[0]
    )


OURS = "~/.config/primepods_magic/ssh_config"


@pytest.mark.parametrize(
    ("config", "obstacle"),
    [
        ("Include {ours}\n", None),
        ("include={ours}\n", None),
        ('Include "{ours}"\n', None),
        (f"Include {OURS}\n", None),
        (f'Include ~/.ssh/other "{OURS}"\nHost *\n  User me\n', None),
        ("Host *\n  ServerAliveInterval 5\n\nMatch all\nInclude {ours}\n", None),
        ("Host pod-*\n  Include {ours}\n", None),
        ("Host *\n  Port 2200\nHost *\n  Include {ours}\n", None),
        ("Host *\n  IdentityFile ~/.ssh/mine\nMatch all\nInclude {ours}\n", None),
        ("", "does not include it yet"),
        ("# Include {ours}\n", "does not include it yet"),
        ("  #Include {ours}\nHost work\n  User me\n", "does not include it yet"),
        ("Include /nothing\n", "does not include it yet"),
        ("Host work\n  Include {ours}\n", "does not take effect for pod-train"),
        ("Match host work\nInclude {ours}\n", "does not take effect for pod-train"),
        ("Host *\n  User me\nMatch all\nInclude {ours}\n", "sets a different User for pod-train"),
        ("Host *\n  User me\n  Port 5\nMatch all\nInclude {ours}\n", "a different User and Port"),
        ("Host pod-train\n  HostName 198.51.100.1\nMatch all\nInclude {ours}\n", "a different HostName"),
        ("Host *\n  UserKnownHostsFile /dev/null\nMatch all\nInclude {ours}\n", "UserKnownHostsFile"),
        ("Include {ours}\nNonsense yes\n", r"ssh cannot read ~/.ssh/config \(~/.ssh/config: line 2: Bad"),
        ("Include {ours}\n\0\xff\n", None),
    ],
)
def test_asks_ssh_whether_the_blocks_take_effect(
    config: str, obstacle: str | None, connection: Connection, home: Path
) -> None:
    ours = write_ssh_config(connection, pod()).path
    (home / ".ssh").mkdir()
    text = config.replace("{ours}", str(ours))
    (home / ".ssh" / "config").write_text(text)
    written = write_ssh_config(connection, pod())
    if obstacle is None:
        assert (written.include, written.obstacle) == (None, None)
    else:
        assert written.include == f"Include {OURS}"
        assert re.search(obstacle, written.obstacle or "")
    assert (home / ".ssh" / "config").read_text() == text


def test_asks_ssh_about_every_node_and_its_key(
    connection: Connection, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "id").touch()
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(home / "id"))
    many = pod(sshConnection=["root@203.0.113.7", "root@203.0.113.9"])
    ours = write_ssh_config(connection, many).path
    (home / ".ssh").mkdir()
    config = home / ".ssh" / "config"
    config.write_text(f"Include {ours}\n")
    assert write_ssh_config(connection, many).include is None
    config.write_text(f"Host pod-train-2\n  User me\nMatch all\nInclude {ours}\n")
    assert "a different User for pod-train-2" in (write_ssh_config(connection, many).obstacle or "")
    config.write_text(f"Host *\n  IdentitiesOnly no\nMatch all\nInclude {ours}\n")
    assert "a different IdentitiesOnly" in (write_ssh_config(connection, many).obstacle or "")


@pytest.mark.parametrize(
    ("damage", "obstacle"),
    [
        ("pipe", "cannot be read (not a plain file)"),
        ("folder", "cannot be read (Is a directory)"),
        ("dangling", "does not include it yet"),
        ("loop", "cannot be read"),
    ],
)
def test_answers_whatever_stands_in_place_of_the_users_configuration(
    damage: str, obstacle: str, connection: Connection, home: Path
) -> None:
    (home / ".ssh").mkdir()
    damage_path(home / ".ssh" / "config", damage)
    written = write_ssh_config(connection, pod())
    assert obstacle in (written.obstacle or "")
    assert written.include


def test_asks_ssh_without_naming_a_file_if_ssh_finds_it(
    connection: Connection, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an administrator includes counts, and a file that ssh refuses does not."""
    entry = pwd.getpwuid(os.getuid())
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pwd.struct_passwd([*entry[:5], str(home), entry[6]]))
    ours = write_ssh_config(connection, pod()).path
    # As ssh does of a user whose home this is, and of a system whose files are these.
    system, real = tmp_path / "system", shutil.which("ssh")
    system.write_text(f"Include {ours}\n")
    fake = tmp_path / "ssh"
    fake.write_text(
        f'#!/bin/sh\ncase "$*" in *-F*) exec {real} "$@";; *) exec {real} -F {system} "$@";; esac\n'
    )
    fake.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert write_ssh_config(connection, pod()).include is None
    fake.write_text('#!/bin/sh\necho "Bad owner or permissions on /home/ada/.ssh/config" >&2\nexit 255\n')
    written = write_ssh_config(connection, pod())
    assert written.include
    assert "(Bad owner or permissions on /home/ada/.ssh/config)" in (written.obstacle or "")


def test_waits_for_ssh_a_few_seconds_only(
    connection: Connection, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_effect, "_TIMEOUT_S", 0.2)
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text('Match exec "sleep 60; true"\n  User me\n')
    assert "ssh timed out after" in (write_ssh_config(connection, pod()).obstacle or "")


def test_says_that_there_is_no_ssh_client(
    connection: Connection, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = write_ssh_config(connection, pod()).path
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text(f"Include {ours}\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    written = write_ssh_config(connection, pod())
    assert written.obstacle == "cannot check whether ~/.ssh/config includes it: there is no ssh client here"
    fake = tmp_path / "ssh"
    fake.write_text("#!/nothing\n")
    fake.chmod(0o700)
    assert "ssh does not run" in (write_ssh_config(connection, pod()).obstacle or "")


def test_drops_a_pod_that_stopped_and_its_host_key_once_it_is_gone(
    connection: Connection, sandbox: SandboxControl
) -> None:
    stopped = launch(gpu="L4_24GB", name="one").wait().details
    other = launch(gpu="L4_24GB", name="two").wait().details
    path = write_ssh_config(connection, stopped).path
    known_hosts = path.with_name("known_hosts")
    known_hosts.write_text(f"{stopped.id}-1 ssh-ed25519 AAAA\n")
    sandbox.event(str(stopped.id), "stop")
    write_ssh_config(connection, other)
    assert "Host pod-one" not in path.read_text()
    assert known_hosts.read_text() == f"{stopped.id}-1 ssh-ed25519 AAAA\n"
    terminate_pods(connection, [stopped])
    write_ssh_config(connection, other)
    assert str(stopped.id) not in path.read_text()
    assert known_hosts.read_text() == ""


@pytest.mark.parametrize(
    "content", [b"", b"nonsense\n", b"\0\xff" * 50, b"Host *\n  ProxyCommand evil\n", b"# pod x of 0"]
)
def test_begins_a_foreign_file_anew(content: bytes, connection: Connection, home: Path) -> None:
    path = home / ".config" / "primepods_magic" / "ssh_config"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert write_ssh_config(connection, pod()).hosts == ("pod-train",)
    assert "ProxyCommand" not in path.read_text()
    assert read_by_ssh(path, "pod-train")["hostname"] == "203.0.113.7"


def write_as_of_another_account(connection: Connection, written: PodDetails) -> tuple[str, ...]:
    """Write the blocks of a pod, and make them another account's, whose pods are not dropped."""
    config = write_ssh_config(connection, written)
    config.path.write_text(re.sub(r" of \w+", " of 000000000000", config.path.read_text()))
    return config.hosts


def test_shortens_a_long_name(connection: Connection) -> None:
    (first,) = write_as_of_another_account(connection, pod(name="x" * 500))
    (second,) = write_as_of_another_account(connection, pod(id="p2", name="x" * 400))
    assert (first, second) == (f"pod-{'x' * 60}", f"pod-{'x' * 60}-p2")


def test_never_gives_two_pods_one_host(connection: Connection) -> None:
    nodes = ["root@203.0.113.7", "root@203.0.113.9"]
    pods = [pod(id="abcdef1", name="a", sshConnection=nodes)]
    pods += [pod(id=f"abcdef{number}", name=name) for number, name in enumerate(("a-2", "a-2", "a"), start=2)]
    hosts = [host for written in pods for host in write_as_of_another_account(connection, written)]
    assert len(set(hosts)) == 5, hosts


def test_kernels_that_write_at_once_lose_nothing(connection: Connection, tmp_path: Path) -> None:
    pods = [launch(gpu="L4_24GB", name=f"w{number}").wait().details for number in range(4)]
    begin = tmp_path / "begin"
    code = (
        "import sys, pathlib\nfrom primepods_magic import connect\n"
        "from primepods_magic.pods.ssh.config import write_ssh_config\n"
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

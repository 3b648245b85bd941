"""Pods of a sandbox as machines: their addresses, who may log in, and that they end with their pods."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.sandbox import start
from primepods_magic.sandbox.__main__ import command_line, main
from primepods_magic.sandbox.domain.gpu_products import find_gpu_product
from primepods_magic.sandbox.service import pod_machines
from tests.sandbox.conftest import Caller
from tests.support.ssh_client import DAEMON, Login, is_running, make_key
from tests.support.waiting import eventually


class Renter(Caller):
    """A caller with an SSH key, who logs in to its pods."""

    def __init__(self, url: str, key: Path, folder: Path) -> None:
        super().__init__(url)
        self._key = key
        self._folder = folder

    def add_key(self, name: str = "mine", key: Path | None = None) -> str:
        """Register a public key, and return its id."""
        text = (key or self._key).with_suffix(".pub").read_text()
        return str(self.call("POST", "ssh_keys", json={"name": name, "publicKey": text})["id"])

    def rent(self, offer: str = "n3-CPUx1", **changes: Any) -> dict[str, Any]:
        """A pod that is ready on a stepped clock."""
        pod = self.order(offer, **changes)
        self.advance(120)
        return self.call("GET", f"pods/{pod['id']}")

    def log_in(self, pod: dict[str, Any], key: Path | None = None, node: int = 0) -> Login:
        """A login by the connection that the pod shows."""
        connection = pod["sshConnection"]
        words = (connection[node] if isinstance(connection, list) else connection).split()
        port = int(words[2])
        alias = f"{pod['id']}-{node + 1}"
        known_hosts = self._folder / "known_hosts"
        return Login.make(words[0], key or self._key, known_hosts, Port=port, HostKeyAlias=alias)


@contextmanager
def renting(key: Path, folder: Path, db: Path | None = None, **settings: Any) -> Iterator[Renter]:
    options = {"clock": "stepped", "machines": True, "history": 0, **settings}
    with start(db, **options) as sandbox, Renter(sandbox.url, key, folder) as renter:
        yield renter


@pytest.fixture
def renter(ssh_key: Path, tmp_path: Path) -> Iterator[Renter]:
    """A renter at a sandbox with machines whose clock stands still."""
    with renting(ssh_key, tmp_path) as renter:
        renter.add_key()
        yield renter


def test_logs_in_to_a_pod_with_its_variables(renter: Renter) -> None:
    secret = "not in the database"
    young = renter.order("gpu-H100x1", envVars=[{"key": "TOKEN", "value": secret}])
    assert young["sshConnection"] is None
    renter.advance(120)
    pod = renter.call("GET", f"pods/{young['id']}")
    assert pod["sshConnection"] == f"ubuntu@127.0.0.1 -p {pod['primePortMapping'][0]['external']}"
    assert pod["ip"] == "127.0.0.1"
    (row,) = renter.status(pod["id"])
    assert row["sshConnection"] == pod["sshConnection"]
    said = renter.log_in(pod).read("echo $USER; echo $TOKEN; nvidia-smi -L")
    assert said.splitlines()[:2] == ["ubuntu", secret]
    assert said.splitlines()[2].startswith("GPU 0: NVIDIA H100 80GB HBM3 (UUID")


def test_has_a_machine_for_each_node(renter: Renter) -> None:
    pod = renter.rent("pc-H200x16")
    assert len(set(pod["sshConnection"])) == len(pod["ip"]) == 2
    homes = {renter.log_in(pod, node=node).read("pwd; nvidia-smi -L | wc -l") for node in range(2)}
    assert {home.splitlines()[1] for home in homes} == {"8"}
    assert len(homes) == 2


def test_admits_the_owners_keys_of_the_moment(renter: Renter, tmp_path: Path) -> None:
    pod = renter.rent()
    other = make_key(tmp_path)
    assert renter.log_in(pod, other).run("true").returncode == 255
    key_id = renter.add_key("other", other)
    assert renter.log_in(pod, other).run("true").returncode == 0
    only_other = renter.rent(sshKeyId=key_id)
    assert renter.log_in(only_other).run("true").returncode == 255
    assert renter.log_in(only_other, other).run("true").returncode == 0
    renter.call("DELETE", f"ssh_keys/{key_id}")
    assert renter.log_in(pod, other).run("true").returncode == 255
    with Renter(str(renter.base_url), other, tmp_path) as teammate:
        teammate.headers["Authorization"] = "Bearer sandbox-teammate"
        teammate.add_key()
        assert renter.log_in(pod, other).run("true").returncode == 255


def end_by_delete(renter: Renter, pod_id: str) -> None:
    renter.call("DELETE", f"pods/{pod_id}")


def end_by_reclaim(renter: Renter, pod_id: str) -> None:
    renter.happen(pod_id, "reclaim")


def end_by_an_empty_wallet(renter: Renter, pod_id: str) -> None:
    renter.put("/sandbox/wallet", json={"balance_usd": 0})


def end_as_time_goes_by(renter: Renter, pod_id: str) -> None:
    # The balance is used up long before.
    renter.advance(300 * 86_400)


@pytest.mark.parametrize("end", [end_by_delete, end_by_reclaim, end_by_an_empty_wallet, end_as_time_goes_by])
def test_ends_with_its_pod_unasked(renter: Renter, end: Callable[[Renter, str], None]) -> None:
    pod = renter.rent("n3-H100x1")
    login = renter.log_in(pod)
    daemon, home = login.read(DAEMON), Path(login.read("pwd"))
    assert is_running(daemon)
    begin_s = time.monotonic()
    end(renter, pod["id"])
    # No request is sent meanwhile.
    eventually(lambda: not is_running(daemon) and not home.exists(), "all is gone")
    assert time.monotonic() - begin_s < 2
    assert "refused" in login.run("true").stderr


def test_a_stopped_pod_keeps_its_files_only(renter: Renter) -> None:
    pod = renter.rent()
    login = renter.log_in(pod)
    daemon, home = login.read(f"touch kept; {DAEMON}"), login.read("pwd")
    renter.happen(pod["id"], "stop")
    eventually(lambda: not is_running(daemon), "its processes are gone")
    assert renter.call("GET", f"pods/{pod['id']}")["sshConnection"] == [None]
    renter.happen(pod["id"], "start")
    renter.advance(60)
    again = renter.call("GET", f"pods/{pod['id']}")
    assert again["sshConnection"] == pod["sshConnection"]
    # The same host key, else it would be refused.
    assert renter.log_in(again).read("pwd; ls") == f"{home}\nkept"
    renter.happen(pod["id"], "stop")
    renter.call("DELETE", f"pods/{pod['id']}")
    eventually(lambda: not Path(home).exists(), "its files are gone")


def test_names_no_port_for_jupyter(renter: Renter) -> None:
    """It does not run there, and something else of this computer may have its port."""
    pod = renter.rent("n3-H100x1", image="cuda_12_6_pytorch_2_7")
    assert [port["usedBy"] for port in pod["primePortMapping"]] == ["SSH"]


def test_a_lost_pod_goes_on(renter: Renter) -> None:
    pod = renter.rent()
    renter.happen(pod["id"], "lose")
    assert renter.log_in(pod).read("sleep 0.6; echo there") == "there"


def test_sets_faults(renter: Renter) -> None:
    pod = renter.rent("n3-H100x1")
    path = f"/sandbox/pods/{pod['id']}/machine"
    ask = "nvidia-smi --query-gpu=utilization.gpu,memory.used --format=csv,noheader,nounits"
    answer = renter.put(path, json={"utilization": 12, "memory_used_mb": 345})
    assert (answer.status_code, answer.json()["sshConnection"]) == (200, pod["sshConnection"])
    assert renter.log_in(pod).read(ask) == "12, 345"
    assert renter.put(path, json={"utilization": None}).status_code == 200
    assert renter.log_in(pod).read(ask) == "0, 345"
    assert renter.put(path, json={"refuse_logins": True, "node": 1}).status_code == 200
    assert renter.log_in(pod).run("true").returncode == 255
    assert renter.put(path, json={"cut": True, "node": 2}).status_code == 409
    assert renter.put(path, json={"utilization": 101}).status_code == 422
    assert renter.put("/sandbox/pods/nonsense/machine", json={}).status_code == 404
    renter.happen(pod["id"], "stop")
    eventually(lambda: renter.put(path, json={}).status_code == 409, "it has no machine")


def test_keeps_address_and_host_key_when_it_restarts(ssh_key: Path, tmp_path: Path) -> None:
    db = tmp_path / "pods.sqlite"
    with renting(ssh_key, tmp_path, db) as renter:
        renter.add_key()
        pod = renter.rent()
        daemon = renter.log_in(pod).read(DAEMON)
    assert not is_running(daemon)
    with renting(ssh_key, tmp_path, db) as renter:
        again = renter.call("GET", f"pods/{pod['id']}")
        assert again["sshConnection"] == pod["sshConnection"]
        assert renter.log_in(again).run("true").returncode == 0
    with renting(ssh_key, tmp_path, db, machines=False) as renter:
        assert "127.0.0.1" not in renter.call("GET", f"pods/{pod['id']}")["sshConnection"]
        assert renter.get("/sandbox").json()["machines"] is False
    with closing(sqlite3.connect(db)) as connection:
        assert not [line for line in connection.iterdump() if "127.0.0.1" in line]


def test_further_pods_have_documentation_addresses(renter: Renter, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pod_machines.MAX_MACHINES == 64
    monkeypatch.setattr(pod_machines, "MAX_MACHINES", 2)
    pods = [renter.rent() for _ in range(3)]
    there = [pod["sshConnection"].split("@")[1].startswith("127.0.0.1") for pod in pods]
    assert there == [True, True, False]
    renter.call("DELETE", f"pods/{pods[0]['id']}")

    def has_machine() -> bool:
        return "127.0.0.1" in str(renter.call("GET", f"pods/{pods[2]['id']}")["sshConnection"])

    eventually(has_machine, "there is room for it")


def test_works_only_while_there_are_machines(ssh_key: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"clock": "stepped", "machines": True}
    with start(**settings) as sandbox, Renter(sandbox.url, ssh_key, tmp_path) as renter:
        machines = sandbox._machines
        assert machines is not None
        renter.call("GET", "pods")
        assert not machines._host.is_alive()
        pod = renter.order("n3-CPUx1")
        eventually(machines._host.is_alive, "the process is started before it is needed")
        assert machines._watching is None
        renter.advance(120)
        renter.call("GET", "pods")
        watching = machines._watching
        assert watching is not None
        renter.call("DELETE", f"pods/{pod['id']}")
        eventually(watching.done, "nothing is watched any more")


def test_replaces_machines_whose_process_was_killed(renter: Renter, ssh_key: Path, tmp_path: Path) -> None:
    pod = renter.rent()
    parent = renter.log_in(pod).read("echo $PPID")
    os.kill(int(parent), signal.SIGKILL)

    def log_in_again() -> str:
        again = renter.call("GET", f"pods/{pod['id']}")
        return renter.log_in(again).run("echo back").stdout

    # A process that was killed is still there for a moment.
    eventually(lambda: log_in_again() == "back\n", "its machines are replaced")


def test_needs_asyncssh_and_loopback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ssh_key: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("a-long-key-of-my-own\n")
    keys.chmod(0o600)
    for host in ("0.0.0.0", "localhost.example.org"):
        with pytest.raises(ValueError, match="machines are reached on loopback alone"):
            start(host=host, keys=keys, machines=True)
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    with pytest.raises(ValueError, match=r"pip install 'primepods_magic\[machines\]'"):
        start(machines=True)
    with renting(ssh_key, tmp_path, machines=None) as renter:
        assert renter.get("/sandbox").json()["machines"] is False
        assert renter.rent()["ip"].startswith(("203.0.113.", "198.51.100."))


def test_is_chosen_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line().parse_args([]).machines is False
    assert command_line().parse_args(["--machines"]).machines is True
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--machines", "--port", str(taken.getsockname()[1])]) == 2
    assert "Address already in use" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gpu_type", "form", "expected"),
    [
        ("H100_80GB", "SXM5", ("NVIDIA H100 80GB HBM3", 81_559)),
        ("H100_80GB", "PCIe", ("NVIDIA H100 PCIe", 81_559)),
        ("RTX4070Ti_12GB", "PCIe", ("NVIDIA GeForce RTX 4070 Ti", 12_288)),
        ("RTX6000Ada_48GB", "PCIe", ("NVIDIA RTX 6000 Ada Generation", 49_152)),
        ("RTX8000_48GB", "PCIe", ("Quadro RTX 8000", 49_152)),
        ("A6000_48GB", "PCIe", ("NVIDIA RTX A6000", 49_152)),
        ("CPU_NODE", "PCIe", ("NVIDIA CPU", 0)),
    ],
)
def test_names_gpus_as_their_driver_does(gpu_type: str, form: str, expected: tuple[str, int]) -> None:
    assert find_gpu_product(gpu_type, form) == expected

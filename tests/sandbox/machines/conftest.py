"""A process of machines for the tests of a file, a machine for each test, and logins to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.sandbox.machines.host import MachineHost
from tests.support.ssh_client import Login, make_key

_numbers = count(1)


@dataclass(frozen=True)
class Handle:
    """A running machine."""

    id: str
    host: MachineHost
    port: int
    folder: Path
    login: Login

    def change(self, **settings: Any) -> None:
        """Apply faults."""
        self.host.change(self.id, settings)

    def end(self, *, keeps_files: bool = False) -> None:
        self.host.end([self.id], keeps_files=keeps_files)

    def log_in(self, key: Path, **settings: object) -> Login:
        """A login with another key or other settings."""
        target, known_hosts = settings.pop("target", "root@127.0.0.1"), self.folder / "known_hosts"
        return Login.make(str(target), key, known_hosts, Port=self.port, **settings)


@pytest.fixture(scope="module")
def ssh_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The private key of the account."""
    return make_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def host() -> Iterator[MachineHost]:
    """A process of machines."""
    host = MachineHost()
    yield host
    host.stop()


StartMachine = Callable[..., Handle]


@pytest.fixture
def start_machine(host: MachineHost, ssh_key: Path, tmp_path: Path) -> Iterator[StartMachine]:
    """Starts machines that end with the test."""
    handles = []

    def start(**changes: Any) -> Handle:
        order = {
            "id": f"pod{next(_numbers)}-1",
            "user": "root",
            "port": 0,
            "secret": "secret of the sandbox",
            "env": {},
            "keys": [ssh_key.with_suffix(".pub").read_text()],
            "gpu_name": "NVIDIA H100 80GB HBM3",
            "gpu_memory_mb": 81_559,
            "gpu_count": 2,
            **changes,
        }
        port = host.run([order])[order["id"]]
        login = Login.make("root@127.0.0.1", ssh_key, tmp_path / "known_hosts", Port=port)
        handles.append(Handle(order["id"], host, port, tmp_path, login))
        return handles[-1]

    yield start
    host.end([handle.id for handle in handles], keeps_files=False)


@pytest.fixture
def machine(start_machine: StartMachine) -> Handle:
    """A machine with two GPUs."""
    return start_machine()

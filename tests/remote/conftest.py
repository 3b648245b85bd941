"""A pod whose SSH server is a real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import disconnect
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.ssh.config import _find_files
from tests.pods.conftest import connection as connection
from tests.support.agents import pod_with_agent
from tests.support.openssh import OpenSshServer, openssh_server
from tests.support.sandbox_control import SandboxControl, controlled


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshServer]:
    with openssh_server(tmp_path_factory.mktemp("openssh")) as server:
        yield server


def describe_pod(target: str | None, **said: object) -> PodDetails:
    fields = {"id": "p1", "name": "train", "status": "ACTIVE", "createdAt": "2020-01-01T00:00:00Z"}
    return PodDetails.model_validate({**fields, "sshConnection": target, **said})


def pin_host(host_key: str = "ssh-ed25519 AAAA") -> None:
    """Make a host key known, as that of a pod that was logged in to before."""
    known_hosts = _find_files()[1]
    known_hosts.parent.mkdir(parents=True, exist_ok=True)
    known_hosts.write_text(f"p1-1 {host_key}")


@pytest.fixture
def pod(connection: Connection, server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> Pod:
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(server.key))
    pin_host(server.host_key)
    return Pod(connection, describe_pod(server.target))


@pytest.fixture(scope="module")
def pod_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pod")


@pytest.fixture(scope="module")
def agent_server(pod_folder: Path) -> Iterator[OpenSshServer]:
    with pod_with_agent(pod_folder) as server:
        yield server


@pytest.fixture
def agent_pod(connection: Connection, agent_server: OpenSshServer, monkeypatch: pytest.MonkeyPatch) -> Pod:
    """A pod on which cells can run; the tests of a file share its machine."""
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(agent_server.key))
    pin_host(agent_server.host_key)
    return Pod(connection, describe_pod(agent_server.target))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that both sides see."""
    return tmp_path


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxControl]:
    """A sandbox with pods that one can log in to."""
    with controlled(clock="stepped", machines=True, history=0) as control:
        monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", control.url)
        yield control
        disconnect()

"""A real OpenSSH server on loopback, for tests of what runs on a pod."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path

from tests.support.ssh_client import make_key
from tests.support.waiting import eventually


@dataclass(frozen=True)
class OpenSshServer:
    """A running server: its target as a service would name it, the key that it accepts, and its own."""

    port: int
    key: Path
    log: Path
    pid: int
    host_key: str

    @property
    def target(self) -> str:
        return f"{getuser()}@127.0.0.1 -p {self.port}"


def find_sshd() -> str:
    """The path of the server, ready to be started."""
    sshd = shutil.which("sshd", path=f"/usr/sbin:/usr/local/sbin:{os.environ['PATH']}")
    assert sshd, "these tests need OpenSSH's server (Debian: openssh-server)"
    if os.geteuid() == 0:
        # Where a server that the system starts would keep its privileges apart.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return sshd


@contextmanager
def openssh_server(
    folder: Path, *settings: str, key: Path | None = None, port: int = 0
) -> Iterator[OpenSshServer]:
    """Run a server that accepts one key; `settings` are lines of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    own_key = key or make_key(folder, "client_key")
    host_key = folder / "host_key"
    if not host_key.exists():
        make_key(folder, "host_key")
    port = port or _find_free_port()
    config = folder / "sshd_config"
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {host_key}",
        f"AuthorizedKeysFile {own_key}.pub",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        *settings,
    ]
    config.write_text("\n".join(lines) + "\n")
    log = folder / "sshd.log"
    server = subprocess.Popen(
        [find_sshd(), "-D", "-f", str(config), "-E", str(log)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        eventually(lambda: log.exists() and "Server listening" in log.read_text(), "sshd listens")
        yield OpenSshServer(port, own_key, log, server.pid, Path(f"{host_key}.pub").read_text())
    finally:
        server.terminate()
        server.wait()


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

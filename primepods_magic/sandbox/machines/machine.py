"""One machine: its listener, home folder, environment and processes, from start to end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from .gpus.nvidia_smi import NvidiaSmi
from .gpus.usage import Gpus
from .processes import MARK
from .ssh.children import Reaper
from .ssh.host_keys import derive_host_key
from .ssh.links import Link
from .ssh.login import LoginServer, parse_public_keys
from .ssh.state import MachineState

__all__ = ["Machine", "MachineOrder"]

_HOST = "127.0.0.1"
_LOGIN_GRACE_S = 120
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class MachineOrder:
    """A machine as the sandbox orders it.

    The secret determines the host key; `port` is used if it is free; without GPUs there is no `nvidia-smi`.
    """

    id: str
    user: str
    port: int
    secret: str = field(repr=False)
    env: Mapping[str, str] = field(repr=False)
    keys: list[str]
    gpu_name: str = ""
    gpu_memory_mb: int = 0
    gpu_count: int = 0


class Machine:
    """A machine that accepts logins from `start` to `close`; the processes with its `mark` are its own."""

    def __init__(self, order: MachineOrder, folder: Path, mark: str, reaper: Reaper, python: str) -> None:
        self._order = order
        self.mark = mark
        self.port = 0
        self._has_other_host_key = False
        self._server: asyncio.Server | None = None
        home, programs = folder / "home", folder / "bin"
        for path in (folder, home, programs):
            path.mkdir(mode=0o700, exist_ok=True)
        shell = "/bin/bash" if os.access("/bin/bash", os.X_OK) else "/bin/sh"
        self._state = MachineState(
            user=order.user,
            keys=parse_public_keys(order.keys),
            home=home,
            shell=shell,
            env=_make_env(order, home, programs, shell, python) | {MARK: mark},
            reaper=reaper,
        )
        gpus = Gpus(order.gpu_name, order.gpu_memory_mb, order.gpu_count, order.id)
        self._nvidia_smi = NvidiaSmi(gpus, mark, programs, folder / "gpu.sock", python)
        self._options = [self._make_options(kind) for kind in ("host key", "other host key")]

    async def start(self) -> None:
        """Listen on the port of the order, or on a free one."""
        loop = asyncio.get_running_loop()
        for port in (self._order.port, 0):
            with suppress(OSError):
                self._server = await loop.create_server(self._make_link, _HOST, port)
                break
        if self._server is None:
            raise OSError("no port is free for the machine")
        self.port = int(self._server.sockets[0].getsockname()[1])
        try:
            await self._nvidia_smi.start()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Stop listening, drop all connections, and kill what can be found without a search."""
        if self._server is not None:
            self._server.close()
        self.cut()
        self._nvidia_smi.stop()
        for child in self._state.children:
            with suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)

    def set_keys(self, lines: list[str]) -> None:
        """Replace the keys that may log in."""
        self._state.keys = parse_public_keys(lines)

    def change(self, settings: Mapping[str, Any]) -> None:
        """Apply faults, and what `nvidia-smi` reports; a setting that is missing stays as it is."""
        state = self._state
        state.refuses_logins = settings.get("refuse_logins", state.refuses_logins)
        self._has_other_host_key = settings.get("other_host_key", self._has_other_host_key)
        if "frozen" in settings:
            state.is_frozen = settings["frozen"]
            for link in list(state.links):
                link.freeze(state.is_frozen)
        if settings.get("cut"):
            self.cut()
        self._nvidia_smi.change(settings)

    def cut(self) -> None:
        """Drop all connections."""
        for link in list(self._state.links):
            link.cut()

    def _make_options(self, kind: str) -> asyncssh.SSHServerConnectionOptions:
        return asyncssh.SSHServerConnectionOptions(
            server_host_keys=[derive_host_key(self._order.secret, kind, self._order.id)],
            encoding=None,
            line_editor=False,
            compression_algs=None,
            agent_forwarding=False,
            x11_forwarding=False,
            gss_host=None,
            login_timeout=_LOGIN_GRACE_S,
            server_version="Sandbox",
        )

    def _make_link(self) -> Link:
        return Link(self._state, self._make_connection)

    def _make_connection(self, link: Link) -> asyncssh.SSHServerConnection:
        options = asyncssh.SSHServerConnectionOptions(
            self._options[self._has_other_host_key], server_factory=lambda: LoginServer(self._state, link)
        )
        return asyncssh.SSHServerConnection(asyncio.get_running_loop(), options)


def _make_env(order: MachineOrder, home: Path, programs: Path, shell: str, python: str) -> dict[str, str]:
    """Return the environment of a login; the machine's Python is the sandbox's."""
    own = {
        name: value
        for name, value in order.env.items()
        if name and "=" not in name and "\0" not in name + value
    }
    path = own.pop("PATH", f"{os.path.dirname(python)}:{_SYSTEM_PATH}")
    return {
        "HOME": str(home),
        "USER": order.user,
        "LOGNAME": order.user,
        "SHELL": shell,
        "MAIL": f"/var/mail/{order.user}",
        **own,
        "PATH": f"{programs}:{path}",
    }

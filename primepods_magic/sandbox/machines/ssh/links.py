"""Accepted TCP connections of a machine: admission as sshd limits it, and faults of the network."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

import asyncssh

from .peers import is_own_connection
from .state import MachineState

__all__ = ["Link"]

# MaxStartups 10:30:100 of sshd: from 10 connections that have not logged in, refuse some; at 100, all.
_FIRST_REFUSED, _FIRST_SHARE, _ALL_REFUSED = 10, 0.3, 100


class Link(asyncio.Protocol):
    """A connection before and below SSH; also the transport that SSH writes to, so that it can freeze."""

    def __init__(
        self, machine: MachineState, make_ssh: Callable[[Link], asyncssh.SSHServerConnection]
    ) -> None:
        self._machine = machine
        self._make_ssh = make_ssh
        self._transport: asyncio.Transport | None = None
        self._ssh: asyncssh.SSHServerConnection | None = None
        self._held: list[bytes] = []
        self._is_frozen = False
        self.has_logged_in = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the connection, or drop it before anything is said."""
        self._transport = cast(asyncio.Transport, transport)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        waiting = sum(not link.has_logged_in for link in self._machine.links)
        if _should_refuse(waiting) or not is_own_connection(peer[:2], own[:2]):
            self._transport.close()
            return
        self._machine.links.add(self)
        self.freeze(self._machine.is_frozen)
        self._ssh = self._make_ssh(self)
        self._ssh.connection_made(cast(asyncio.BaseTransport, self))

    def data_received(self, data: bytes) -> None:
        """Hand over what has arrived."""
        if self._ssh is not None:
            self._ssh.data_received(data)

    def eof_received(self) -> None:
        """Hand over the end of what arrives."""
        if self._ssh is not None:
            self._ssh.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._machine.links.discard(self)
        if self._ssh is not None:
            self._ssh.connection_lost(exc)

    def pause_writing(self) -> None:
        """Stop SSH from writing."""
        if self._ssh is not None:
            self._ssh.pause_writing()

    def resume_writing(self) -> None:
        """Let SSH write again."""
        if self._ssh is not None:
            self._ssh.resume_writing()

    def freeze(self, is_frozen: bool) -> None:
        """Neither read nor write from now on, or do so again."""
        transport = self._transport
        if transport is None or is_frozen == self._is_frozen:
            return
        self._is_frozen = is_frozen
        if is_frozen:
            transport.pause_reading()
            return
        held, self._held = self._held, []
        for data in held:
            transport.write(data)
        if not transport.is_closing():
            transport.resume_reading()

    def cut(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def write(self, data: bytes) -> None:
        """Send, as a transport does; hold back while frozen."""
        if self._is_frozen:
            self._held.append(bytes(data))
        elif self._transport is not None:
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        # Whatever else a transport can do.
        return getattr(self._transport, name)


def _should_refuse(waiting: int) -> bool:
    if waiting < _FIRST_REFUSED:
        return False
    share = _FIRST_SHARE + (1 - _FIRST_SHARE) * (waiting - _FIRST_REFUSED) / (_ALL_REFUSED - _FIRST_REFUSED)
    return random.random() < share  # noqa: S311 - not a secret

"""Logins to the pod other than ours, found among the connections to its SSH server."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .processes import Process, read_file
from .signals import BUSY, IDLE, Reading, make_unknown, read_clock

__all__ = ["Logins"]

_VARIABLE = "SSH_CONNECTION"
_PREFIX = f"{_VARIABLE}=".encode()
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_ESTABLISHED = b"01"
# SSH servers end connections that have not logged in by then, such as those of robots that try passwords.
_LOGIN_S = 150.0
_MAPPED = b"\0" * 10 + b"\xff\xff"
_CREDENTIALS = struct.Struct("3i")


class _Connection(NamedTuple):
    """A connection to the SSH server: the client's address and port, and the server's port."""

    address: bytes
    port: int
    server_port: int


class Logins:
    """The logins of people. Connections of bridges are ours, also after their bridge has ended."""

    def __init__(self) -> None:
        self._bridges: dict[int, _Connection | None] = {}
        self._ours: set[_Connection] = set()
        self._first_seen_s: dict[_Connection, float] = {}
        self._is_proven = False
        own = _parse_connection(os.environ.get(_VARIABLE, ""))
        self._ports = {own.server_port} if own else set()

    @contextlib.contextmanager
    def hold_bridge(self, connection: socket.socket) -> Iterator[None]:
        """Count the process at the other end as one of our bridges during the block."""
        pid = 0
        with contextlib.suppress(OSError, AttributeError):
            size = _CREDENTIALS.size
            packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
            pid = _CREDENTIALS.unpack(packed)[0]
            self._bridges[pid] = _read_connection(str(pid))
        try:
            yield
        finally:
            self._bridges.pop(pid, None)

    @property
    def bridge_pids(self) -> set[int]:
        """The processes of our connections."""
        return set(self._bridges)

    def read(self, processes: Mapping[tuple[int, bytes], Process] | None) -> Reading:
        """Return the reading; without a table of connections, it counts terminals."""
        living = {connection for connection in list(self._bridges.values()) if connection}
        self._ports |= {connection.server_port for connection in living}
        if not self._ports:
            return _read_terminals(processes)
        try:
            table = _read_table(self._ports)
        except (OSError, ValueError, IndexError):
            return _read_terminals(processes)
        # A table that lacks our own connections lacks others, too: those of another network, for example.
        self._is_proven = self._is_proven or bool(living & table)
        if not self._is_proven:
            return _read_terminals(processes)
        self._ours = (self._ours & table) | living
        count = self._count_logins(table - self._ours, processes)
        if count:
            return Reading(BUSY, f"{count} logged in", "a user is logged in over SSH")
        return Reading(IDLE, "no login")

    def _count_logins(
        self, others: set[_Connection], processes: Mapping[tuple[int, bytes], Process] | None
    ) -> int:
        now_s = read_clock()
        self._first_seen_s = {each: self._first_seen_s.get(each, now_s) for each in others}
        if not others:
            return 0
        old = {each for each in others if now_s - self._first_seen_s[each] > _LOGIN_S}
        young = others - old
        pids = [str(pid) for pid, _ in processes] if processes is not None else None
        # Without them, it is unknown which of the others have logged in.
        used = young if pids is None else {_read_connection(pid) for pid in pids} if young else set()
        return len(old) + len(young & used)


def _read_terminals(processes: Mapping[tuple[int, bytes], Process] | None) -> Reading:
    if processes is None:
        return make_unknown("neither connections to the SSH server nor processes can be seen")
    count = sum(process.has_terminal for process in processes.values())
    if count:
        return Reading(BUSY, f"{count} in a terminal", "a program runs in a terminal")
    return Reading(IDLE, "no program in a terminal")


def _read_table(ports: set[int]) -> set[_Connection]:
    """Return the established connections to these ports."""
    found: set[_Connection] = set()
    for number, path in enumerate(_TABLES):
        try:
            lines = read_file(path).split(b"\n")[1:]
        except FileNotFoundError:
            if number:
                # A system without IPv6.
                continue
            raise
        for line in lines:
            fields = line.split()
            if not fields or fields[3] != _ESTABLISHED:
                continue
            server_port = int(fields[1].rpartition(b":")[2], 16)
            if server_port in ports:
                address, _, port = fields[2].rpartition(b":")
                found.add(_Connection(_decode_address(address), int(port, 16), server_port))
    return found


def _decode_address(text: bytes) -> bytes:
    data = bytes.fromhex(text.decode("ascii"))
    if sys.byteorder == "little":
        # The system prints words as numbers of its own.
        data = b"".join(data[begin : begin + 4][::-1] for begin in range(0, len(data), 4))
    return _shorten_mapped(data)


def _shorten_mapped(data: bytes) -> bytes:
    """Return an IPv4 address that is written as an IPv6 one as the former."""
    return data[len(_MAPPED) :] if data.startswith(_MAPPED) else data


def _read_connection(pid: str) -> _Connection | None:
    """Return the connection that a process was started for."""
    try:
        variables = read_file(f"/proc/{pid}/environ").split(b"\0")
    except OSError:
        return None
    found = next((each for each in variables if each.startswith(_PREFIX)), _PREFIX)
    return _parse_connection(found[len(_PREFIX) :].decode("utf-8", "replace"))


def _parse_connection(text: str) -> _Connection | None:
    try:
        address, port, _, server_port = text.split()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        data = _shorten_mapped(socket.inet_pton(family, address.partition("%")[0]))
        return _Connection(data, int(port), int(server_port))
    except (OSError, ValueError):
        return None

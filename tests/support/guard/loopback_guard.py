"""Refuses every connection that would leave this computer, before a packet is sent.

An audit hook sees what patched methods would miss: connections made from C, or through a reference
taken before the patch. It cannot be removed, which here is the point.

This folder goes on PYTHONPATH of every process that a test starts, so that the `sitecustomize`
beside this file installs the same hook there. It may import nothing but the standard library.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_ADDRESS_LAST = {"socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"}
_HOST_FIRST = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}

_attempts: list[str] = []
_logs: list[Path] = []
_own_name = socket.gethostname()


class LeftLoopback(ConnectionRefusedError):
    """Raised in place of a connection that is not to this computer."""


def is_loopback(host: object) -> bool:
    """Whether a host, as given to the socket module, is this computer and no other."""
    if host is None or host in ("", b""):
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name in ("localhost", _own_name):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def attempts() -> list[str]:
    """What was refused in this process since the last `forget`."""
    return list(_attempts)


def forget() -> None:
    _attempts.clear()


@contextmanager
def expecting() -> Iterator[list[str]]:
    """Collect what is refused inside the block, instead of holding it against the test."""
    earlier = attempts()
    forget()
    seen: list[str] = []
    try:
        yield seen
    finally:
        seen.extend(_attempts)
        _attempts[:] = earlier


def _leaves(event: str, arguments: tuple[Any, ...]) -> str | None:
    if event in _ADDRESS_LAST:
        connection, address = arguments[0], arguments[-1]
        if connection.family not in (socket.AF_INET, socket.AF_INET6) or address is None:
            return None
        host = address[0]
        # An empty host means every interface when bound, and this computer when connected to.
        if event == "socket.bind" and host in ("", b""):
            return f"{event} to every interface"
        return None if is_loopback(host) else f"{event} to {host} port {address[1]}"
    if event in _HOST_FIRST:
        return None if is_loopback(arguments[0]) else f"{event} of {arguments[0]}"
    return None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    refused = _leaves(event, arguments)
    if refused is None:
        return
    _attempts.append(refused)
    for log in _logs:
        with log.open("a") as file:
            file.write(f"{refused} (by {' '.join(sys.orig_argv[:4])})\n")
    raise LeftLoopback(f"{refused}: tests stay on this computer")


def install(log: str | None = None) -> None:
    """Refuse from now on; with `log`, write down what was refused, for the test that started this process."""
    if log:
        _logs.append(Path(log))
    sys.addaudithook(_hook)

"""Pipes and sockets that much crosses, and a limit for those that much waits in."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
from collections import deque

__all__ = ["PIPE_BYTES", "Window", "enlarge_pipe", "enlarge_socket"]

PIPE_BYTES = 256 << 10
_WINDOW_BYTES = 1 << 20
# Of a socket, the system also counts what its own notes take.
_SOCKET_BYTES = 4 * PIPE_BYTES
# Linux's F_SETPIPE_SZ, which Python names since 3.10.
_SET_PIPE_SIZE = 1031


def enlarge_pipe(fd: int) -> None:
    """Let more than 64 KiB cross at once, if this is a pipe and the system allows it."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, _SET_PIPE_SIZE, PIPE_BYTES)


def enlarge_socket(connection: socket.socket) -> None:
    """Let as much be sent at once as crosses a pipe, as far as the system allows it."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)


class Window:
    """A limit on data sent to a client and not used yet: a slow client only lags."""

    def __init__(self) -> None:
        self._sent: deque[tuple[int, int]] = deque()
        self._size = 0
        self._freed = asyncio.Event()

    async def take(self, number: int, size: int) -> None:
        """Count what was sent, and wait until there is room for more."""
        self._sent.append((number, size))
        self._size += size
        while self._size > _WINDOW_BYTES:
            self._freed.clear()
            await self._freed.wait()

    def free(self, number: int) -> None:
        """Count what the client has used: everything before this frame."""
        while self._sent and self._sent[0][0] <= number:
            self._size -= self._sent.popleft()[1]
        self._freed.set()

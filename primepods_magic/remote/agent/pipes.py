"""Pipes and sockets that much crosses."""

from __future__ import annotations

import contextlib
import fcntl
import socket

__all__ = ["PIPE_BYTES", "enlarge_pipe", "enlarge_socket"]

PIPE_BYTES = 256 << 10
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

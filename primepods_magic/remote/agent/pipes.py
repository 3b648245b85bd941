"""Pipes that much crosses."""

from __future__ import annotations

import contextlib
import fcntl

__all__ = ["PIPE_BYTES", "enlarge_pipe"]

PIPE_BYTES = 256 << 10
# Linux's F_SETPIPE_SZ, which Python names since 3.10.
_SET_PIPE_SIZE = 1031


def enlarge_pipe(fd: int) -> None:
    """Let more than 64 KiB cross at once, if this is a pipe and the system allows it."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, _SET_PIPE_SIZE, PIPE_BYTES)

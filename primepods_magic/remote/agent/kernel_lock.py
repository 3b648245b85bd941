"""The lock of a session's kernel host: held while it lives, and in it its process id and its folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator

from .folders import root_folder

__all__ = ["find_lock_owner", "hold_kernel_lock"]

_FILE = "kernel.lock"
_MAX_SOCKET_PATH = 90


def find_lock_owner(folder: str) -> int | None:
    """Return the process id of the host that holds the lock of a session, or None."""
    try:
        with open(os.path.join(folder, _FILE), encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(lock.read().split("\n")[0] or 0) or None
    except (OSError, ValueError):
        pass
    return None


@contextlib.contextmanager
def hold_kernel_lock(folder: str) -> Iterator[str]:
    """Hold the lock of a session; yield a folder for the sockets of its kernel, removed with the block."""
    with open(os.path.join(folder, _FILE), "a+", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        before = lock.read().split("\n")
        if len(before) > 1 and os.path.basename(before[1]).startswith("primepods-"):
            # Left by a host that was killed.
            shutil.rmtree(before[1], ignore_errors=True)
        sockets = _make_socket_folder()
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n{sockets}")
        lock.flush()
        try:
            yield sockets
        finally:
            shutil.rmtree(sockets, ignore_errors=True)


def _make_socket_folder() -> str:
    """Make a folder whose path is short, for the paths of sockets must be."""
    folder = tempfile.mkdtemp(prefix="primepods-", dir=root_folder())
    if len(folder) > _MAX_SOCKET_PATH:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="primepods-")
    return folder

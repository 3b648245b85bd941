"""Folders and files of the agent on the pod, accessible to its user only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

__all__ = [
    "SOCKET",
    "agent_folder",
    "find_lock_owner",
    "hold_kernel_lock",
    "read_last_line",
    "root_folder",
]

SOCKET = "socket"
_LOCK = "kernel.lock"
_MAX_SOCKET_PATH = 90
_TAIL_BYTES = 4096


def root_folder() -> str:
    """Return the folder that contains all our files."""
    return os.path.join(os.path.expanduser("~"), ".primepods")


def agent_folder() -> str:
    """Return the folder of this version of the agent, which contains its archive."""
    return os.path.dirname(os.path.abspath(sys.argv[0]))


def read_last_line(name: str) -> str:
    """Return the last line of a log in the agent's folder."""
    try:
        with open(os.path.join(agent_folder(), name), "rb") as file:
            file.seek(max(0, os.path.getsize(file.name) - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError as error:
        return str(error)
    return next((line for line in reversed(lines) if line.strip()), f"see {name}")


def find_lock_owner(folder: str, name: str = _LOCK) -> int | None:
    """Return the process id of the host that holds the lock of a session, or another lock, or None."""
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return int(lock.read().split("\n")[0] or 0) or None
    except (OSError, ValueError):
        pass
    return None


@contextlib.contextmanager
def hold_kernel_lock(folder: str) -> Iterator[str]:
    """Hold the lock of a session; yield a folder for its kernel's sockets, removed with the block."""
    with open(os.path.join(folder, _LOCK), "a+", encoding="utf-8") as lock:
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
    """Make a folder with a short path, because the paths of sockets must be short."""
    folder = tempfile.mkdtemp(prefix="primepods-", dir=root_folder())
    if len(folder) > _MAX_SOCKET_PATH:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="primepods-")
    return folder

"""Files of the guard on the pod: its order, its state and its lock, without secrets.

They are beside the folders of all versions of the agent, since a pod has one guard at most.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from ..folders import find_lock_owner, root_folder

__all__ = [
    "ORDER",
    "STATE",
    "VERDICT",
    "delete_note",
    "find_guard",
    "hold_guard_lock",
    "read_note",
    "write_note",
]

ORDER = "order.json"
"""What the guard is to do; the agent writes it."""
STATE = "state.json"
"""What the guard has found; the guard writes it."""
VERDICT = "verdict.json"
"""Why the guard terminates the pod, written before."""
_LOCK = "guard.lock"
_POLL_S = 0.02


def read_note(name: str) -> dict[str, Any] | None:
    """Return the content of a file, or None if there is none that can be read."""
    try:
        with open(os.path.join(_find_folder(), name), encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write_note(name: str, content: dict[str, Any]) -> None:
    """Replace a file at once; raise OSError if that fails."""
    os.makedirs(_find_folder(), mode=0o700, exist_ok=True)
    path = os.path.join(_find_folder(), name)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.replace(path + ".new", path)


def delete_note(name: str) -> None:
    """Delete a file, if there is one."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(_find_folder(), name))


def find_guard() -> int | None:
    """Return the process id of the guard, or None if none runs."""
    return find_lock_owner(_find_folder(), _LOCK)


@contextlib.contextmanager
def hold_guard_lock(timeout_s: float) -> Iterator[bool]:
    """Yield whether this process is the guard of the pod now; the lock is held during the block."""
    os.makedirs(_find_folder(), mode=0o700, exist_ok=True)
    with open(os.path.join(_find_folder(), _LOCK), "a+", encoding="utf-8") as lock:
        give_up = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > give_up:
                    yield False
                    return
            time.sleep(_POLL_S)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield True


def _find_folder() -> str:
    return os.path.join(root_folder(), "guard")

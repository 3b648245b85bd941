"""One launch of a name at a time, among all kernels on this computer."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from primepods_magic.api.local.folders import make_folder

from .journal import launch_path

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["can_lock", "launching", "lock_once", "locked"]

_POLL_S = 0.05
_open_files: set[IO[bytes]] = set()


def _close_in_child() -> None:
    """Close inherited files in a forked child: a lock lasts until every copy of its file is closed."""
    for file in list(_open_files):
        file.close()
    _open_files.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


@contextlib.contextmanager
def launching(
    connection: BaseConnection, name: str, *, on_wait: Callable[[], object] | None = None
) -> Iterator[bool]:
    """Hold a pod's name during its launch, for the user and for the key; another launch waits.

    The file lock is released when a kernel is killed. If locking is impossible (read-only home, no
    ``flock``), yield false. ``on_wait`` is called repeatedly while another launch holds the name, and may
    raise.
    """
    with contextlib.ExitStack() as held:
        # In one order everywhere, so that two launches never wait for each other.
        paths = [
            launch_path(account, name, ".lock") for account in sorted({connection.account, connection.access})
        ]
        are_held = [held.enter_context(locked(path, on_wait=on_wait)) for path in paths]
        yield all(are_held)


@contextlib.contextmanager
def locked(path: Path, *, on_wait: Callable[[], object] | None = None) -> Iterator[bool]:
    """Lock a file among all processes on this computer; limits as for `launching`."""
    with _lock_file(path) as file:
        is_held = file is not None and _wait_for(file, on_wait)
        try:
            yield is_held
        finally:
            if file is not None and is_held:
                _release_lock(file)


@contextlib.contextmanager
def lock_once(path: Path) -> Iterator[bool]:
    """Lock a file among all processes on this computer; yield False if another process holds it."""

    def give_up() -> None:
        raise BlockingIOError

    with contextlib.ExitStack() as held:
        try:
            is_held = held.enter_context(locked(path, on_wait=give_up))
        except BlockingIOError:
            is_held = False
        yield is_held


def can_lock(file: IO[bytes]) -> bool:
    """Return whether an open file can be locked; it stays locked until it is closed."""
    return _wait_for(file, None)


@contextlib.contextmanager
def _lock_file(path: Path) -> Iterator[IO[bytes] | None]:
    with contextlib.ExitStack() as stack:
        try:
            make_folder(path.parent)
            file = stack.enter_context(open(path, "ab", opener=_open_plainly))
        except OSError:
            yield None
            return
        _open_files.add(file)
        stack.callback(_open_files.discard, file)
        yield file


def _open_plainly(path: str, flags: int) -> int:
    """Open without following a link and without blocking on a pipe."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o600)


def _wait_for(file: IO[bytes], on_wait: Callable[[], object] | None) -> bool:
    try:
        import fcntl
    except ImportError:
        return False
    pause = threading.Event()
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait:
                on_wait()
            # Not one long wait: Ctrl-C must get through.
            pause.wait(_POLL_S)
        except OSError:
            return False
        else:
            return True


def _release_lock(file: IO[bytes]) -> None:
    import fcntl

    # In a forked child the file is closed already, and the parent still holds the lock.
    if not file.closed:
        fcntl.flock(file, fcntl.LOCK_UN)

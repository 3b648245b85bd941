"""Threads and sockets that outlive what opened them."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import eventually

_DESCRIPTORS = Path("/proc/self/fd")


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.is_alive()}


def _sockets() -> set[str]:
    found = set()
    for descriptor in _DESCRIPTORS.iterdir():
        try:
            target = os.readlink(descriptor)
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


@contextmanager
def none_left(*, within: float = 3.0) -> Iterator[None]:
    """Fails when a thread or a socket opened in the block is still there after it, daemons included."""
    threads, sockets = _threads(), _sockets()
    yield
    gc.collect()

    def left() -> list[str]:
        return [*(thread.name for thread in _threads() - threads), *(_sockets() - sockets)]

    try:
        eventually(lambda: not left(), "threads and sockets are gone", within=within)
    except AssertionError:
        raise AssertionError(f"left behind: {', '.join(left())}") from None

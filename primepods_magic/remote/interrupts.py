"""Handling of Ctrl-C while output of a pod is shown."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["counted_interrupts"]


@contextmanager
def counted_interrupts() -> Iterator[list[float]]:
    """Yield the times of each Ctrl-C in the block: an exception would lose output that was just read."""
    times: list[float] = []
    if threading.current_thread() is not threading.main_thread():
        yield times
        return
    before = signal.signal(signal.SIGINT, lambda *_: times.append(time.monotonic()))
    try:
        yield times
    finally:
        signal.signal(signal.SIGINT, before)

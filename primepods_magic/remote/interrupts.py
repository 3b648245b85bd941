"""Handling of Ctrl-C while output of a pod is shown."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Interrupts", "counted_interrupts"]

_SECOND_WITHIN_S = 2.0


class Interrupts:
    """Presses of Ctrl-C, each of which is taken once, also if several come at the same moment."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._taken = 0

    def add(self) -> None:
        """Note a press; signal handlers and other threads may call it."""
        self._times.append(time.monotonic())

    def take(self) -> bool | None:
        """Take the next press, if any: True if it came within two seconds of the one before."""
        number = self._taken
        if number == len(self._times):
            return None
        self._taken += 1
        return bool(number) and self._times[number] - self._times[number - 1] < _SECOND_WITHIN_S

    @property
    def age_s(self) -> float | None:
        """Seconds since the last press, or None if there was none."""
        return time.monotonic() - self._times[-1] if self._times else None


@contextmanager
def counted_interrupts() -> Iterator[Interrupts]:
    """Yield each Ctrl-C in the block: an exception would lose output that was just read."""
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = signal.signal(signal.SIGINT, lambda *_: interrupts.add())
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)

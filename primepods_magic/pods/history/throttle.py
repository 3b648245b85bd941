"""How many requests there may be at one time, and when the next one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ConcurrencyLimiter", "LimiterClosed"]

# How often somebody who waits for a place looks whether the connection is still there.
_CHECK_INTERVAL_S = 0.25


class LimiterClosed(Exception):
    """Nobody waits for this any more."""


class ConcurrencyLimiter:
    """Lets so many requests through at one time, and fewer after the service has said that it is too much.

    Parameters
    ----------
    max_requests : int
        So many.
    is_over : callable
        Whether nobody need wait any longer, for nothing can be sent.
    """

    def __init__(self, max_requests: int, is_over: Callable[[], bool]) -> None:
        self._max_requests = max_requests
        self._is_over = is_over
        self._passing = 0
        self._closed_until = 0.0
        self._is_closed = False
        self._changed = threading.Condition()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait until there is room, and take it."""
        with self._changed:
            self._acquire_slot(0.0)
        try:
            yield
        finally:
            with self._changed:
                self._release_slot()

    def pause(self, pause_s: float, is_too_much: bool) -> None:
        """Give one's place to others for some seconds, and wait for another one.

        Parameters
        ----------
        pause_s : float
            So many.
        is_too_much : bool
            Nobody is let through meanwhile, and then half as many at one time.
        """
        with self._changed:
            now = time.monotonic()
            if is_too_much:
                if now >= self._closed_until:
                    self._max_requests = max(1, self._max_requests // 2)
                self._closed_until = max(self._closed_until, now + pause_s)
            self._release_slot()
            try:
                self._acquire_slot(now + pause_s)
            except BaseException:
                # Whoever has slot leaves once more.
                self._passing += 1
                raise

    def close(self) -> None:
        """Let nobody through any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _acquire_slot(self, earliest: float) -> None:
        while not self._is_over():
            if self._is_closed:
                raise LimiterClosed
            rest_s = max(earliest, self._closed_until) - time.monotonic()
            if rest_s <= 0 and self._passing < self._max_requests:
                break
            self._changed.wait(min(rest_s, _CHECK_INTERVAL_S) if rest_s > 0 else _CHECK_INTERVAL_S)
        self._passing += 1

    def _release_slot(self) -> None:
        self._passing -= 1
        self._changed.notify_all()

"""How many requests there may be at one time, and when the next one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ConcurrencyLimiter", "LimiterClosed"]

# How often somebody who waits for a place looks whether the connection is still there.
_LOOK_S = 0.25


class LimiterClosed(Exception):
    """Nobody waits for this any more."""


class ConcurrencyLimiter:
    """Lets so many requests through at one time, and fewer after the service has said that it is too much.

    Parameters
    ----------
    most : int
        So many.
    is_over : callable
        Whether nobody need wait any longer, for nothing can be sent.
    """

    def __init__(self, most: int, is_over: Callable[[], bool]) -> None:
        self._most = most
        self._is_over = is_over
        self._passing = 0
        self._closed_until = 0.0
        self._is_closed = False
        self._changed = threading.Condition()

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Wait until there is room, and take it."""
        with self._changed:
            self._enter(0.0)
        try:
            yield
        finally:
            with self._changed:
                self._leave()

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
                    self._most = max(1, self._most // 2)
                self._closed_until = max(self._closed_until, now + pause_s)
            self._leave()
            try:
                self._enter(now + pause_s)
            except BaseException:
                # Whoever has passed leaves once more.
                self._passing += 1
                raise

    def close(self) -> None:
        """Let nobody through any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _enter(self, earliest: float) -> None:
        while not self._is_over():
            if self._is_closed:
                raise LimiterClosed
            rest_s = max(earliest, self._closed_until) - time.monotonic()
            if rest_s <= 0 and self._passing < self._most:
                break
            self._changed.wait(min(rest_s, _LOOK_S) if rest_s > 0 else _LOOK_S)
        self._passing += 1

    def _leave(self) -> None:
        self._passing -= 1
        self._changed.notify_all()

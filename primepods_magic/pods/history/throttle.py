"""A limit on concurrent requests that reacts to 429."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["ConcurrencyLimiter", "LimiterClosed"]

# A waiting thread checks this often whether the connection is still open.
_CHECK_INTERVAL_S = 0.25


class LimiterClosed(Exception):
    """The limiter was closed; no more requests may start."""


class ConcurrencyLimiter:
    """A limit of `max_requests` concurrent requests, halved whenever the service says 429.

    Waiting ends once `is_over()` is true, because nothing can be sent then.
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
        """Hold a slot, waiting until one is free."""
        with self._changed:
            self._acquire_slot(0.0)
        try:
            yield
        finally:
            with self._changed:
                self._release_slot()

    def pause(self, pause_s: float, is_too_much: bool) -> None:
        """Release the slot, wait `pause_s` seconds, then acquire another one.

        If `is_too_much`, hold everyone else back as well and halve the limit.
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
                # `slot` releases once more in its `finally`; keep the count balanced.
                self._passing += 1
                raise

    def close(self) -> None:
        """Let no more requests start."""
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

"""A watch of pods: snapshots and changes, pushed to a listener or pulled by iteration."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.support.clock import Clock

from .snapshot import Change, Snapshot

__all__ = ["Watch"]

logger = logging.getLogger(__name__)


class Watch:
    """A watch of pods: one snapshot per poll, until all pods are settled or it is closed.

    Created by `Poller.watch`; a ``with`` block closes it. Iterating yields each change once.

    >>> with connection.poller.watch(pods) as watch:                         # doctest: +SKIP
    ...     for change in watch:
    ...         print(change)
    train is PENDING
    train is ACTIVE
    train is ready
    """

    def __init__(
        self,
        first: Snapshot,
        *,
        clock: Clock,
        forget: Callable[[Watch], object],
        listener: Callable[[Snapshot], object] | None,
        joins: Callable[[PodDetails], bool] | None,
        is_over: Callable[[Snapshot], bool],
    ) -> None:
        self._clock = clock
        self._forget = forget
        self._listener = listener
        self.joins = joins
        self.is_over = is_over
        self.latest = first
        """The latest snapshot."""
        self.error: BaseException | None = None
        """The error that ended it before its pods were settled, if any."""
        self._undelivered: tuple[Snapshot, int] | None = None
        self._has_ended = False
        self._news = threading.Event()
        self._lock = threading.Lock()

    def next(self, timeout_s: float | None = None) -> tuple[Snapshot, int] | None:
        """Wait at most `timeout_s` seconds for news; return the snapshot and the number of its poll.

        After several polls it is the latest snapshot with the changes of all. Returns None if there is no
        news in time or the watch has ended; raises the error that ended it, if any.
        """
        if not self._clock.wait(self._news, timeout_s):
            return None
        with self._lock:
            news, self._undelivered = self._undelivered, None
            if not self._has_ended:
                self._news.clear()
        if news is not None:
            return news
        if self.error is not None:
            raise self.error
        return None

    @property
    def has_ended(self) -> bool:
        """True if there will be no more news."""
        return self._has_ended

    def __iter__(self) -> Iterator[Change]:
        # Leaving the loop ends the watch.
        with self:
            while (news := self.next()) is not None:
                yield from news[0].changes

    def close(self) -> None:
        """Stop watching; the pods keep running."""
        self._forget(self)
        self.end(None)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def deliver(self, snapshot: Snapshot, poll_number: int) -> None:
        """Deliver a snapshot, on the poller's thread; an error of the listener ends this watch only."""
        with self._lock:
            if self._has_ended:
                return
            self.latest = snapshot
            if self._listener is None:
                undelivered = self._undelivered[0].changes if self._undelivered else ()
                self._undelivered = replace(snapshot, changes=undelivered + snapshot.changes), poll_number
                self._news.set()
        if self._listener is not None:
            try:
                self._listener(snapshot)
            except BaseException as error:
                logger.debug("a listener failed; its watch has ended", exc_info=True)
                self.end(error)

    def end(self, error: BaseException | None) -> None:
        """End the watch, with the error that ended it early, if any."""
        with self._lock:
            if not self._has_ended:
                self.error, self._has_ended = error, True
            self._news.set()

    def end_early(self, why: str, error: BaseException, poll_number: int) -> None:
        """Deliver the last snapshot with the reason why there are no more, then end."""
        last = replace(self.latest, trouble=f"stopped watching: {why}", is_last=True, changes=())
        self.deliver(last, poll_number)
        self.end(error)

    def fail(self, error: BaseException, poll_number: int) -> None:
        """End with an error that matters more than the snapshots."""
        if self._listener is not None:
            self.end_early(str(error), error, poll_number)
        else:
            self.end(error)

    def end_in_child(self) -> None:
        """End in a forked child, with new locks: a missing thread may hold the old ones."""
        self._lock, self._news = threading.Lock(), threading.Event()
        self.end(None)

"""Somebody's watch of some pods: snapshots and changes, told to a listener or asked for."""

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
    """Somebody's watch of some pods: a snapshot after every look, until all are settled or it is closed.

    Made by `Poller.watch`, which tells and ends it; a ``with`` block closes it. Iterating gives every change
    once, as it is seen.

    Examples
    --------
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
        """What was seen last."""
        self.error: BaseException | None = None
        """Why it ended before its pods were settled, where it did."""
        self._untold: tuple[Snapshot, int] | None = None
        self._has_ended = False
        self._news = threading.Event()
        self._lock = threading.Lock()

    def next(self, timeout_s: float | None = None) -> tuple[Snapshot, int] | None:
        """Wait for news, and answer with them and with the number of the look that they come from.

        Where several looks have gone by, it is the latest snapshot with the changes of all of them.

        Parameters
        ----------
        timeout_s : float, optional
            The longest wait, in seconds.

        Returns
        -------
        tuple of Snapshot and int, or None
            ``None`` where there was no news in time, or where there will be none any more.

        Raises
        ------
        PodsError
            The watch has ended, and this is why.
        """
        if not self._clock.wait(self._news, timeout_s):
            return None
        with self._lock:
            news, self._untold = self._untold, None
            if not self._has_ended:
                self._news.clear()
        if news is not None:
            return news
        if self.error is not None:
            raise self.error
        return None

    @property
    def has_ended(self) -> bool:
        """There will be no more news."""
        return self._has_ended

    def __iter__(self) -> Iterator[Change]:
        # Whoever leaves the loop does not want to know any more.
        with self:
            while (news := self.next()) is not None:
                yield from news[0].changes

    def close(self) -> None:
        """Stop watching; the pods go on."""
        self._forget(self)
        self.end(None)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tell(self, snapshot: Snapshot, look_number: int) -> None:
        """Pass a snapshot on, from the poller's thread. What the listener raises ends this watch, not the
        others."""
        with self._lock:
            if self._has_ended:
                return
            self.latest = snapshot
            if self._listener is None:
                told = self._untold[0].changes if self._untold else ()
                self._untold = replace(snapshot, changes=told + snapshot.changes), look_number
                self._news.set()
        if self._listener is not None:
            try:
                self._listener(snapshot)
            except BaseException as error:
                logger.debug("a listener failed, and is not told any more", exc_info=True)
                self.end(error)

    def end(self, error: BaseException | None) -> None:
        """There is no more news, and why that is, where it is not what was waited for."""
        with self._lock:
            if not self._has_ended:
                self.error, self._has_ended = error, True
            self._news.set()

    def give_up(self, why: str, error: BaseException, look_number: int) -> None:
        """Tell what was seen last and why there is no more, and end."""
        last = replace(self.latest, trouble=f"not watching any more: {why}", is_last=True, changes=())
        self.tell(last, look_number)
        self.end(error)

    def fail(self, error: BaseException, look_number: int) -> None:
        """End with an error that matters more than what was seen."""
        if self._listener is not None:
            self.give_up(str(error), error, look_number)
        else:
            self.end(error)

    def end_in_child(self) -> None:
        """In a child process nobody looks for it; its lock may be held by a thread that is not there."""
        self._lock, self._news = threading.Lock(), threading.Event()
        self.end(None)

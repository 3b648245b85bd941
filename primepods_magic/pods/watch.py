"""Watching many pods: one poller for all of them, on a thread of its own, and whoever wants to know."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from primepods_magic.api.errors import (
    AuthenticationError,
    ConnectionClosed,
    NotConfigured,
    PermissionDenied,
    PodsError,
)
from primepods_magic.api.models import PodDetails

from .clock import Clock
from .look import Lookout, Sighting
from .outlook import Forecast
from .pace import Pace, interval_s
from .snapshot import Change, ChangeKind, Snapshot, changes_between

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["Poller", "Watch"]

logger = logging.getLogger(__name__)

# A request that is under way may take longer; its thread is a daemon and says nothing any more.
_LONGEST_JOIN_S = 5.0
_LONGEST_JOIN_AT_EXIT_S = 1.0
# Looking again does not help, whatever is wrong with the network.
_FINAL = (AuthenticationError, ConnectionClosed, NotConfigured, PermissionDenied)


class Watch:
    """Somebody's watch of some pods: a snapshot after every look, until all are settled or it is closed.

    Made by `Poller.watch`; a ``with`` block closes it. Iterating gives every change once, as it is seen.

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
        poller: Poller,
        first: Snapshot,
        *,
        listener: Callable[[Snapshot], object] | None,
        joins: Callable[[PodDetails], bool] | None,
        is_over: Callable[[Snapshot], bool],
    ) -> None:
        self._poller = poller
        self._listener = listener
        self.joins = joins
        self.is_over = is_over
        self.latest = first
        """What was seen last."""
        self.error: Exception | None = None
        """Why it ended before its pods were settled, where it did."""
        self._untold: Snapshot | None = None
        self._look_number = 0
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
        if not self._poller.clock.wait(self._news, timeout_s):
            return None
        with self._lock:
            snapshot, self._untold = self._untold, None
            if not self._has_ended:
                self._news.clear()
        if snapshot is not None:
            return snapshot, self._look_number
        if self.error is not None:
            raise self.error
        return None

    @property
    def has_ended(self) -> bool:
        """There will be no more news."""
        return self._has_ended

    def __iter__(self) -> Iterator[Change]:
        while (news := self.next()) is not None:
            yield from news[0].changes

    def close(self) -> None:
        """Stop watching; the pods go on."""
        self._poller._forget(self)
        self._end(None)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, snapshot: Snapshot, look_number: int) -> None:
        """Pass a snapshot on, from the poller's thread. What the listener raises ends this watch, not the
        others."""
        with self._lock:
            if self._has_ended:
                return
            self.latest, self._look_number = snapshot, look_number
            if self._listener is None:
                told = self._untold.changes if self._untold else ()
                self._untold = replace(snapshot, changes=told + snapshot.changes)
                self._news.set()
        if self._listener is not None:
            try:
                self._listener(snapshot)
            except Exception as error:
                logger.debug("a listener failed, and is not told any more", exc_info=True)
                self._end(error)

    def _end(self, error: Exception | None) -> None:
        with self._lock:
            if not self._has_ended:
                self.error, self._has_ended = error, True
            self._news.set()


class Poller:
    """Looks at all watched pods of a connection together, on one daemon thread that ends when nobody watches.

    Where the service cannot be reached, whoever watches is told so and since when, and it goes on looking.

    Parameters
    ----------
    connection : Connection
        Where the pods are. Its clock decides what time it is and waits.
    pace : Pace, optional
        How often to look.
    """

    def __init__(self, connection: Connection, *, pace: Pace | None = None) -> None:
        self._connection = connection
        self._pace = pace or Pace()
        self._lookout = Lookout(connection)
        self._forecast = Forecast()
        self._watches: list[Watch] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._due_s = 0.0
        self._look_number = 0
        self._stopped = False
        self._thread: threading.Thread | None = None
        _pollers.add(self)

    @property
    def clock(self) -> Clock:
        """What tells the time and waits."""
        return self._connection.clock

    def watch(
        self,
        pods: Iterable[PodDetails],
        listener: Callable[[Snapshot], object] | None = None,
        *,
        joins: Callable[[PodDetails], bool] | None = None,
        is_over: Callable[[Snapshot], bool] = lambda snapshot: snapshot.is_settled,
        at_once: bool = False,
    ) -> Watch:
        """Watch pods until they are settled.

        Parameters
        ----------
        pods : iterable of PodDetails
            As last seen.
        listener : callable, optional
            Is given every snapshot, on a thread of ours, and must not block. Without one, the watch is asked.
        joins : callable, optional
            Says of a pod that is new whether it is watched from now on as well.
        is_over : callable
            After which snapshot to stop; the first in which every pod is ready, failed or gone unless given.
        at_once : bool
            Look now; else the pods were seen a moment ago.

        Raises
        ------
        ConnectionClosed
            The connection is closed.
        """
        first = Snapshot(tuple(pods), self._connection.now())
        watch = Watch(self, first, listener=listener, joins=joins, is_over=is_over)
        with self._lock:
            if self._stopped:
                raise ConnectionClosed(
                    "this belongs to a connection that was closed since. '%pods show NAME' finds a pod again"
                )
            self._watches.append(watch)
            self._pace.hurry()
            now_s, wait_s = self.clock.monotonic(), 0.0 if at_once else interval_s(self._connection)
            if self._thread is None:
                self._due_s = now_s + wait_s
                self._thread = threading.Thread(target=self._run, name="primepods-watch", daemon=True)
                self._thread.start()
            else:
                self._due_s = min(self._due_s, now_s + wait_s)
                self._wake.set()
        return watch

    def look_soon(self) -> int:
        """Look now, and say which look that is: the first one that begins after this call."""
        with self._lock:
            self._due_s = self.clock.monotonic()
            self._wake.set()
            return self._look_number + 1

    def stop(self) -> None:
        """Stop watching, wait until the thread has ended, and tell whoever was still watching."""
        with self._lock:
            self._stopped = True
            thread = self._thread
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=_LONGEST_JOIN_S)
        self._end_all("the connection was closed", ConnectionClosed("the connection was closed"))

    def stop_at_exit(self) -> None:
        """No thread is to run while the interpreter goes away; nobody is left to be told."""
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=_LONGEST_JOIN_AT_EXIT_S)

    def _forget(self, watch: Watch) -> None:
        with self._lock:
            self._watches = [other for other in self._watches if other is not watch]
            if not self._watches:
                self._wake.set()

    def _run(self) -> None:
        try:
            while self._wait_until_due():
                self._look()
        except Exception as error:  # noqa: BLE001 - on a thread nobody else would hear of it
            with self._lock:
                self._thread = None
                stopped = self._stopped
            if not stopped:
                said = str(error) if isinstance(error, PodsError) else f"{type(error).__name__}: {error}"
                self._end_all(said, error)

    def _wait_until_due(self) -> bool:
        """Wait for the next look; false where there is to be none, and the thread counts as ended."""
        while True:
            with self._lock:
                if self._stopped or not self._watches:
                    self._thread = None
                    return False
                wait_s = self._due_s - self.clock.monotonic()
                self._wake.clear()
            # Woken, it looks again at what has changed about waiting; a clock that stands still would keep
            # it waiting for ever if it did so otherwise.
            if wait_s <= 0 or not self.clock.wait(self._wake, wait_s):
                return True

    def _look(self) -> None:
        with self._lock:
            watches = list(self._watches)
            self._look_number += 1
            number = self._look_number
        watched = {pod.id: pod for watch in watches for pod in watch.latest.pods if pod.id}
        wants_others = any(watch.joins for watch in watches)
        trouble: str | None = None
        try:
            sighting = self._lookout.look(list(watched.values()), for_others=wants_others)
        except _FINAL:
            raise
        except PodsError as error:
            trouble, sighting = str(error), Sighting(())
            self._pace.failed(error.retry_after_s)
        told = [(watch, self._next(watch, sighting, trouble)) for watch in watches]
        if trouble is None:
            outlooks = self._forecast.learn(
                {pod.id: pod for _, snapshot in told for pod in snapshot.pods}.values(),
                self._connection.now(),
            )
            told = [(watch, replace(snapshot, outlooks=outlooks)) for watch, snapshot in told]
            self._pace.looked(
                changed=any(snapshot.changes for _, snapshot in told),
                settled=all(snapshot.is_settled for _, snapshot in told),
            )
        for watch, snapshot in told:
            watch._tell(snapshot, number)
            if trouble is None and watch.is_over(snapshot):
                watch._end(None)
        with self._lock:
            self._watches = [watch for watch in self._watches if not watch.has_ended]
            self._due_s = self.clock.monotonic() + self._pace.delay_s(interval_s(self._connection))

    def _next(self, watch: Watch, sighting: Sighting, trouble: str | None) -> Snapshot:
        """What follows for a watch from what was seen."""
        before, now = watch.latest, self._connection.now()
        if trouble is not None:
            began = [Change(ChangeKind.UNREACHABLE, now, reason=trouble)] if before.trouble is None else []
            return replace(before, trouble=trouble, changes=tuple(began))
        seen = {pod.id: pod for pod in sighting.pods}
        mine = [seen.get(pod.id, pod) for pod in before.pods]
        known = {pod.id: pod for pod in before.pods}
        joins = watch.joins
        if joins is not None:
            mine += [pod for pod in sighting.others if pod.id not in known and pod.is_live and joins(pod)]
        changes = changes_between(known, mine, now)
        if before.trouble is not None:
            changes = (Change(ChangeKind.BACK, now), *changes)
        return Snapshot(tuple(mine), now, changes=changes)

    def _end_all(self, why: str, error: Exception) -> None:
        """Tell everybody what was seen last and why there is no more, and forget them."""
        with self._lock:
            watches, self._watches = self._watches, []
        for watch in watches:
            last = replace(watch.latest, trouble=f"not watching any more: {why}", is_last=True, changes=())
            watch._tell(last, self._look_number)
            watch._end(error)

    def begin_anew(self) -> None:
        """In a child process there is no thread of ours, and a lock may be held by one that is not there."""
        self._lock, self._wake, self._watches, self._thread = threading.Lock(), threading.Event(), [], None


_pollers: weakref.WeakSet[Poller] = weakref.WeakSet()


def _at_exit() -> None:
    for poller in list(_pollers):
        poller.stop_at_exit()


def _in_child() -> None:
    for poller in list(_pollers):
        poller.begin_anew()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)

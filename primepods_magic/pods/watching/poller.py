"""Watching many pods: one poller for all of them, on a thread of its own."""

from __future__ import annotations

import atexit
import math
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import (
    AuthenticationError,
    ConnectionClosed,
    NotConfigured,
    PermissionDenied,
    PodsError,
    error_words,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.support.clock import Clock

from .backoff import PollBackoff
from .estimates import Estimator
from .snapshot import Change, ChangeKind, Snapshot, changes_between
from .status_reader import PollResult, StatusReader
from .watch import Watch

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["Poller"]

# A request that is under way may take longer; its thread is a daemon and says nothing any more.
_MAX_JOIN_S = 5.0
_MAX_JOIN_AT_EXIT_S = 1.0
# Looking again does not help, whatever is wrong with the network.
_FINAL_ERRORS = (AuthenticationError, ConnectionClosed, NotConfigured, PermissionDenied)


class Poller:
    """Looks at all watched pods of a connection together, on one daemon thread that ends when nobody watches.

    Where the service cannot be reached, whoever watches is told so and since when, and it goes on looking.

    Parameters
    ----------
    connection : BaseConnection
        Where the pods are. Its clock decides what time it is and waits.
    backoff : Pace, optional
        How often to look.
    """

    def __init__(self, connection: BaseConnection, *, backoff: PollBackoff | None = None) -> None:
        self._connection = connection
        self._backoff = backoff or PollBackoff()
        self._status_reader = StatusReader(connection)
        self._estimator = Estimator()
        self._watches: list[Watch] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._due_s = 0.0
        self._poll_number = 0
        self._stopped = False
        self._thread: threading.Thread | None = None
        connection.agreements.on_ended = self.look_soon
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
        # One that is named twice is told of once.
        named = {pod.id or object(): pod for pod in pods}
        first = Snapshot(tuple(named.values()), self._connection.now())
        watch = Watch(
            first,
            clock=self.clock,
            forget=self._remove_watch,
            listener=listener,
            joins=joins,
            is_over=is_over,
        )
        with self._lock:
            if self._stopped:
                raise ConnectionClosed(
                    "this belongs to a connection that was closed since. '%pods show NAME' finds a pod again"
                )
            self._backoff.reset()
            due_s = self.clock.monotonic() + (0.0 if at_once else self._connection.interval_s())
            self._watches.append(watch)
            try:
                if self._thread is None:
                    self._due_s = due_s
                    thread = threading.Thread(
                        target=self._poll_until_stopped, name="primepods-watch", daemon=True
                    )
                    thread.start()
                    self._thread = thread
                else:
                    self._due_s = min(self._due_s, due_s)
                    self._wake.set()
            except BaseException:
                # Ctrl-C, or no thread to be had: nobody has this watch, so nobody could close it.
                self._watches.remove(watch)
                raise
        return watch

    def look_soon(self) -> int:
        """Look now, and say which look that is: the first one that begins after this call."""
        with self._lock:
            self._due_s = self.clock.monotonic()
            self._wake.set()
            return self._poll_number + 1

    def stop(self) -> None:
        """Stop watching, wait until the thread has ended, and tell whoever was still watching."""
        with self._lock:
            self._stopped = True
            thread = self._thread
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=_MAX_JOIN_S)
        self._end_all("the connection was closed", ConnectionClosed("the connection was closed"))

    def stop_at_exit(self) -> None:
        """No thread is to run while the interpreter goes away; nobody is left to be told."""
        thread = self._thread
        self._stopped = True
        self._wake.set()
        if thread is not None:
            thread.join(timeout=_MAX_JOIN_AT_EXIT_S)

    def _remove_watch(self, watch: Watch) -> None:
        with self._lock:
            self._watches = [other for other in self._watches if other is not watch]
            if not self._watches:
                self._wake.set()

    def _poll_until_stopped(self) -> None:
        try:
            while self._wait_until_due():
                self._poll_once()
        except BaseException as error:  # noqa: BLE001 - on a thread nobody else would hear of it
            if not self._stopped:
                self._end_all(error_words(error), error)

    def _wait_until_due(self) -> bool:
        """Wait for the next look; false where there is to be none, and the thread counts as ended."""
        while True:
            with self._lock:
                if self._thread is not threading.current_thread():
                    return False
                if self._stopped or not self._watches:
                    self._thread = None
                    return False
                wait_s = self._due_s - self.clock.monotonic()
                self._wake.clear()
            # Woken, it looks again at what has changed about waiting; a clock that stands still would keep
            # it waiting for ever if it did so otherwise.
            if wait_s <= 0 or not self.clock.wait(self._wake, wait_s):
                return True

    def _poll_once(self) -> None:
        with self._lock:
            watches = list(self._watches)
            self._poll_number += 1
            number = self._poll_number
            # Whoever wants a look from now on, wants another one than this.
            self._due_s = math.inf
        watched: dict[str, PodDetails] = {}
        for pod in (pod for watch in watches for pod in watch.latest.pods):
            if pod.id and pod.status != PodStatus.TERMINATED:
                # The oldest watch has seen it last; a new one may have been given what was true long ago.
                watched.setdefault(pod.id, pod)
        wants_others = any(watch.joins for watch in watches)
        trouble: str | None = None
        try:
            result = self._status_reader.poll(list(watched.values()), for_others=wants_others)
        except _FINAL_ERRORS:
            raise
        except PodsError as error:
            trouble, result = str(error), PollResult(())
            self._backoff.record_failure(error.retry_after_s)
        told = []
        for watch in watches:
            with self._isolate_errors(watch):
                told.append((watch, self._make_snapshot(watch, result, trouble)))
        if trouble is None:
            outlooks = self._estimator.update(
                {pod.id: pod for _, snapshot in told for pod in snapshot.pods}.values(),
                self._connection.now(),
            )
            told = [(watch, replace(snapshot, outlooks=outlooks)) for watch, snapshot in told]
            self._backoff.record_success(
                changed=any(snapshot.changes for _, snapshot in told),
                settled=all(snapshot.is_settled for _, snapshot in told),
            )
        broken = self._connection.agreements.enforce(result.pods, result.priced_ids, waits=False)
        reports, now = self._connection.agreements.take_reports(), self._connection.now()
        for watch, seen in told:
            dearer = tuple(
                Change(ChangeKind.PRICE, now, pod, reason=reports[pod.id])
                for pod in seen.pods
                if pod.id in reports
            )
            snapshot = replace(seen, changes=(*seen.changes, *dearer))
            failures = [broken[pod.id] for pod in snapshot.pods if pod.id in broken]
            if failures:
                # One that is being ended still is told of when that is done.
                if failure := next(filter(None, failures), None):
                    watch.fail(failure, number)
                continue
            watch.tell(snapshot, number)
            with self._isolate_errors(watch):
                if snapshot.trouble is None and watch.is_over(snapshot):
                    watch.end(None)
        with self._lock:
            self._watches = [watch for watch in self._watches if not watch.has_ended]
            next_s = self.clock.monotonic() + self._backoff.delay_s(self._connection.interval_s())
            self._due_s = min(self._due_s, next_s)

    @contextmanager
    def _isolate_errors(self, watch: Watch) -> Iterator[None]:
        """What the functions of one watch raise ends that watch and no other."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - it is told to whoever watches
            watch.give_up(error_words(error), error, self._poll_number)

    def _make_snapshot(self, watch: Watch, result: PollResult, trouble: str | None) -> Snapshot:
        """What follows for a watch from what was seen."""
        before, now = watch.latest, self._connection.now()
        if trouble is not None:
            began = [Change(ChangeKind.UNREACHABLE, now, reason=trouble)] if before.trouble is None else []
            return replace(before, trouble=trouble, changes=tuple(began))
        seen = {pod.id: pod for pod in result.pods}
        # Another watch may have been given a pod that is gone as it was before.
        mine = [pod if pod.status == PodStatus.TERMINATED else seen.get(pod.id, pod) for pod in before.pods]
        known = {pod.id: pod for pod in before.pods}
        joins = watch.joins
        if joins is not None:
            # One that somebody else watches already is new to this watch all the same.
            others = (pod for pod in (*result.pods, *result.others) if pod.id not in known)
            mine += [pod for pod in others if pod.is_live and joins(pod)]
        changes = changes_between(known, mine, now)
        changes += tuple(self._list_unpriced(known, mine, now))
        doubt = next((result.doubts[str(pod.id)] for pod in mine if pod.id in result.doubts), None)
        if doubt is not None and before.trouble is None:
            changes = (Change(ChangeKind.DOUBTED, now, reason=doubt), *changes)
        elif doubt is None and before.trouble is not None:
            changes = (Change(ChangeKind.BACK, now), *changes)
        return Snapshot(tuple(mine), now if doubt is None else before.as_of, trouble=doubt, changes=changes)

    def _list_unpriced(
        self, known: Mapping[str | None, PodDetails], pods: Iterable[PodDetails], now: datetime
    ) -> Iterator[Change]:
        """Yield the pods that tell another price than before that cannot be read."""
        for pod in pods:
            before = known.get(pod.id)
            is_new = before is None or before.unread_price != pod.unread_price
            reason = self._connection.agreements.describe_unread(pod) if is_new else None
            if reason is not None:
                yield Change(ChangeKind.PRICE, now, pod, before, reason)

    def _end_all(self, why: str, error: BaseException) -> None:
        """Tell everybody what was seen last and why there is no more, and forget them."""
        with self._lock:
            # Whoever begins to watch from now on has a thread of their own, and another fate.
            self._thread = None
            watches, self._watches = self._watches, []
        for watch in watches:
            watch.give_up(why, error, self._poll_number)

    def reset_in_child(self) -> None:
        """In a child process there is no thread of ours, and a lock may be held by one that is not there."""
        watches, self._watches = self._watches, []
        self._lock, self._wake, self._thread = threading.Lock(), threading.Event(), None
        for watch in watches:
            watch.end_in_child()


_pollers: weakref.WeakSet[Poller] = weakref.WeakSet()


def _stop_all_at_exit() -> None:
    for poller in list(_pollers):
        poller.stop_at_exit()


def _reset_in_child() -> None:
    for poller in list(_pollers):
        poller.reset_in_child()


atexit.register(_stop_all_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)

"""A poller that watches all pods of a connection on one thread."""

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
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.pods.guards.records import read_due_times
from primepods_magic.pods.support.background import join_thread
from primepods_magic.pods.support.clock import Clock
from primepods_magic.pods.support.rates import end_pod

from .backoff import PollBackoff
from .estimates import Estimator
from .snapshot import Change, ChangeKind, Snapshot, changes_between
from .status_reader import PollResult, StatusReader
from .watch import Watch

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["Poller"]

# A running request may take longer; its thread is a daemon and reports nothing any more.
_MAX_JOIN_S = 5.0
_MAX_JOIN_AT_EXIT_S = 1.0
# Retrying does not help with these errors.
_FINAL_ERRORS = (AuthenticationError, ConnectionClosed, NotConfigured, PermissionDenied)


class Poller:
    """Poll all watched pods of a connection together, on one daemon thread that ends with the last watch.

    If the service cannot be reached, watches are notified, and polling goes on. The connection's clock
    decides the time and waits.
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
        self._started: list[threading.Thread] = []
        self._ended: dict[str, HistoryRow | None] = {}
        connection.agreements.on_ended = self.look_soon
        connection.on_gone = self.note_gone
        _pollers.add(self)

    @property
    def clock(self) -> Clock:
        """The connection's clock."""
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
        """Watch pods, as last seen, until they are settled.

        `listener` gets every snapshot on the poller's thread and must not block; without one, iterate the
        watch. `joins` decides whether a new pod is watched as well, and `is_over` after which snapshot to
        stop. `at_once` polls now. Raises ConnectionClosed if the connection is closed.
        """
        # Report a pod that is named twice only once.
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
                    "This connection has been closed. Use '%pods show NAME' to look the pod up again"
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
                    self._started = [*filter(threading.Thread.is_alive, self._started), thread]
                    thread.start()
                    self._thread = thread
                else:
                    self._due_s = min(self._due_s, due_s)
                    self._wake.set()
            except BaseException:
                # Ctrl-C, or no thread can start: the caller never gets this watch, so it could not close it.
                self._watches.remove(watch)
                raise
        return watch

    def look_soon(self) -> int:
        """Poll now; return the number of the first poll that begins after this call."""
        with self._lock:
            self._due_s = self.clock.monotonic()
            self._wake.set()
            return self._poll_number + 1

    def note_gone(self, gone: Mapping[str, HistoryRow | None]) -> None:
        """Have watches report pods that were verified to be gone, without a request.

        Those that end for their prices are reported with that reason, by the next poll.
        """
        for_price = self._connection.agreements.list_ending(gone)
        with self._lock:
            watched = {pod.id for watch in self._watches for pod in watch.latest.pods} - for_price.keys()
            self._ended |= {pod_id: row for pod_id, row in gone.items() if pod_id in watched}
            if self._ended:
                self._wake.set()

    def stop(self) -> None:
        """Stop polling, wait for the thread to end, and notify the remaining watches."""
        with self._lock:
            self._stopped = True
        self._wake.set()
        self._join_threads(_MAX_JOIN_S)
        self._end_all("the connection was closed", ConnectionClosed("the connection was closed"))

    def stop_at_exit(self) -> None:
        """Stop the thread before the interpreter exits; notify no one."""
        self._stopped = True
        self._wake.set()
        self._join_threads(_MAX_JOIN_AT_EXIT_S)

    def _join_threads(self, timeout_s: float) -> None:
        """Wait for the thread, and for earlier ones in their last steps: at its exit, Python may crash."""
        for thread in self._started:
            join_thread(thread, timeout_s)

    def _remove_watch(self, watch: Watch) -> None:
        with self._lock:
            self._watches = [other for other in self._watches if other is not watch]
            if not self._watches:
                self._wake.set()

    def _poll_until_stopped(self) -> None:
        try:
            while self._wait_until_due():
                self._poll_once()
        except BaseException as error:  # noqa: BLE001 - no one else hears of an error on this thread
            if not self._stopped:
                self._end_all(error_words(error), error)

    def _wait_until_due(self) -> bool:
        """Wait for the next poll; return False if there is none, and count the thread as ended."""
        while True:
            with self._lock:
                if self._thread is not threading.current_thread():
                    return False
                if self._stopped or not self._watches:
                    self._thread = None
                    return False
                wait_s = self._due_s - self.clock.monotonic()
                self._wake.clear()
                ended, self._ended = self._ended, {}
            if ended:
                self._report_ended(ended)
                continue
            # Woken, check the deadline again. Not after a timeout: a clock that stands still would keep this
            # loop waiting forever.
            if wait_s <= 0 or not self.clock.wait(self._wake, wait_s):
                return True

    def _poll_once(self) -> None:
        with self._lock:
            watches = list(self._watches)
            self._poll_number += 1
            number = self._poll_number
            # Requests from now on ask for the next poll, not this one.
            self._due_s = math.inf
        watched: dict[str, PodDetails] = {}
        for pod in (pod for watch in watches for pod in watch.latest.pods):
            if pod.id and pod.status != PodStatus.TERMINATED:
                # The oldest watch saw it last; a new one may start from old details.
                watched.setdefault(pod.id, pod)
        wants_others = any(watch.joins for watch in watches)
        error_text: str | None = None
        try:
            result = self._status_reader.poll(list(watched.values()), for_others=wants_others)
        except _FINAL_ERRORS:
            raise
        except PodsError as error:
            error_text, result = str(error), PollResult(())
            self._backoff.record_failure(error.retry_after_s)
        snapshots = []
        for watch in watches:
            with self._isolate_errors(watch):
                snapshots.append((watch, self._make_snapshot(watch, result, error_text)))
        if error_text is None:
            snapshots = self._add_estimates(snapshots)
            self._backoff.record_success(
                changed=any(snapshot.changes for _, snapshot in snapshots),
                settled=all(snapshot.is_settled for _, snapshot in snapshots),
            )
        broken = self._connection.agreements.enforce(result.pods, result.priced_ids, waits=False)
        reports = self._connection.agreements.take_reports({pod.id for pod in result.pods})
        now = self._connection.now()
        for watch, seen in snapshots:
            price_changes = tuple(
                Change(ChangeKind.PRICE, now, pod, reason=reports[pod.id])
                for pod in seen.pods
                if pod.id in reports
            )
            snapshot = replace(seen, changes=(*seen.changes, *price_changes))
            failures = [broken[pod.id] for pod in snapshot.pods if pod.id in broken]
            if failures:
                # A pod that is still being terminated is reported when that is done.
                if failure := next(filter(None, failures), None):
                    watch.fail(failure, number)
                continue
            self._deliver_snapshot(watch, snapshot)
        with self._lock:
            self._watches = [watch for watch in self._watches if not watch.has_ended]
            next_s = self.clock.monotonic() + self._backoff.delay_s(self._connection.interval_s())
            self._due_s = min(self._due_s, next_s)

    def _report_ended(self, ended: Mapping[str, HistoryRow | None]) -> None:
        """Deliver snapshots in which these pods are gone; all others are as last seen."""
        with self._lock:
            watches = list(self._watches)
        for row in filter(None, ended.values()):
            self._estimator.note_row(row)
        snapshots = [(watch, self._end_pods(watch.latest, ended)) for watch in watches]
        news = {watch for watch, snapshot in snapshots if snapshot is not watch.latest}
        for watch, snapshot in self._add_estimates(snapshots):
            if watch in news:
                self._deliver_snapshot(watch, snapshot)
        with self._lock:
            self._watches = [watch for watch in self._watches if not watch.has_ended]

    def _end_pods(self, before: Snapshot, ended: Mapping[str, HistoryRow | None]) -> Snapshot:
        known = {pod.id: pod for pod in before.pods}
        pods = tuple(
            end_pod(pod, ended[pod.id])
            if pod.id is not None and pod.id in ended and pod.status != PodStatus.TERMINATED
            else pod
            for pod in before.pods
        )
        changes = changes_between(known, pods, self._connection.now())
        if not changes:
            return before
        seen = replace(before, pods=pods, changes=changes)
        return replace(seen, as_of=self._connection.now(), trouble=None) if seen.are_gone else seen

    def _add_estimates(self, snapshots: list[tuple[Watch, Snapshot]]) -> list[tuple[Watch, Snapshot]]:
        estimates = self._estimator.update(
            {pod.id: pod for _, snapshot in snapshots for pod in snapshot.pods}.values(),
            self._connection.now(),
        )
        due = read_due_times(self._connection)
        outlooks = {
            pod_id: replace(estimate, due_at=due[pod_id]) if pod_id in due else estimate
            for pod_id, estimate in estimates.items()
        }
        return [(watch, replace(snapshot, outlooks=outlooks)) for watch, snapshot in snapshots]

    def _deliver_snapshot(self, watch: Watch, snapshot: Snapshot) -> None:
        watch.deliver(snapshot, self._poll_number)
        with self._isolate_errors(watch):
            if snapshot.trouble is None and watch.is_over(snapshot):
                watch.end(None)

    @contextmanager
    def _isolate_errors(self, watch: Watch) -> Iterator[None]:
        """End only this watch if its functions raise."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - passed on to the watch
            watch.end_early(error_words(error), error, self._poll_number)

    def _make_snapshot(self, watch: Watch, result: PollResult, error_text: str | None) -> Snapshot:
        """Build a watch's next snapshot from the result of a poll."""
        before, now = watch.latest, self._connection.now()
        if error_text is not None:
            began = [Change(ChangeKind.UNREACHABLE, now, reason=error_text)] if before.trouble is None else []
            return replace(before, trouble=error_text, changes=tuple(began))
        seen = {pod.id: pod for pod in result.pods}
        # Another watch may have started from details of before the pod was gone.
        mine = [pod if pod.status == PodStatus.TERMINATED else seen.get(pod.id, pod) for pod in before.pods]
        known = {pod.id: pod for pod in before.pods}
        joins = watch.joins
        if joins is not None:
            # A pod that another watch has already is still new to this one.
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
        """Yield a change for each pod whose price is newly found to be unreadable, or missing."""
        for pod in pods:
            before = known.get(pod.id)
            describe = self._connection.agreements.describe_unread
            reason = describe(pod)
            if reason is not None and (before is None or describe(before) != reason):
                yield Change(ChangeKind.PRICE, now, pod, before, reason)

    def _end_all(self, why: str, error: BaseException) -> None:
        """Notify all watches why they end, and forget them."""
        with self._lock:
            # Watches added after this point start a new thread.
            self._thread = None
            watches, self._watches = self._watches, []
        for watch in watches:
            watch.end_early(why, error, self._poll_number)

    def reset_in_child(self) -> None:
        """Drop the thread and replace locks in a forked child."""
        watches, self._watches = self._watches, []
        self._lock, self._wake, self._thread = threading.Lock(), threading.Event(), None
        self._started = []
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

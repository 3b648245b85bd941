"""Waiting until pods are ready, active or gone, up to a time-out or Ctrl-C; neither affects the pods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import BudgetExceeded, PodFailed, PodsError, WaitInterrupted, WaitTimedOut
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import brief, join_first, sanitize, shorten
from primepods_magic.api.text.short_repr import shorten_repr
from primepods_magic.api.validation.bounds import check_choice, check_seconds
from primepods_magic.pods.support.background import run_in_background
from primepods_magic.pods.support.notices import warn
from primepods_magic.pods.support.rates import burn_usd_hr
from primepods_magic.pods.watching.snapshot import ChangeKind, Snapshot
from primepods_magic.pods.watching.watch import Watch

if TYPE_CHECKING:
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["DEFAULT_TIMEOUT_S", "Goal", "Waiting", "begin_waiting", "describe_stop", "wait_for"]

T = TypeVar("T")

Goal = Literal["ready", "active", "terminated"]

DEFAULT_TIMEOUT_S = 20 * 60.0
_MAX_NAMES = 10
_MAX_REPR_NAMES = 50


def wait_for(
    connection: Connection,
    pods: Iterable[PodDetails],
    *,
    goal: Goal = "ready",
    timeout_s: float = DEFAULT_TIMEOUT_S,
    on_snapshot: Callable[[Snapshot], object] | None = None,
) -> Snapshot:
    """Wait until every pod has reached the goal or cannot reach it; return the last snapshot.

    Ready means ACTIVE, connected and installed. `timeout_s` is for all pods, by the service's clock.
    `on_snapshot` gets every snapshot on this thread. Raises PodFailed if a pod failed or is gone (all others
    have reached the goal), BudgetExceeded if one is above its agreed price, WaitTimedOut, WaitInterrupted on
    Ctrl-C.

    >>> wait_for(connection, pods, timeout_s=600)                            # doctest: +SKIP
    """
    _check_arguments(connection, goal, timeout_s)
    with _start_watch(connection, pods) as watch:
        return _wait_for_goal(connection, watch, goal, timeout_s, on_snapshot)


class Waiting(Generic[T]):
    """A wait in the background: ``await`` it, or call `result`.

    Created by `begin_waiting`. Cancelling it, or the task that awaits it, ends the wait, never a pod.

    >>> waiting = begin_waiting(connection, pods)                            # doctest: +SKIP
    >>> waiting                                                              # doctest: +SKIP
    waiting until train is ready; 'await' it
    >>> snapshot = await waiting                                             # doctest: +SKIP
    """

    def __init__(
        self, watch: Watch, goal: Goal, work: Future[Snapshot], answer: Callable[[Snapshot], T]
    ) -> None:
        self._watch = watch
        self._goal = goal
        self._work = work
        self._answer = answer

    @property
    def is_done(self) -> bool:
        """True if it has ended, successfully or not."""
        return self._work.done()

    def result(self) -> T:
        """Wait here, and return what ``await`` returns. Errors as `wait_for`."""
        try:
            snapshot = self._work.result()
        except KeyboardInterrupt:
            self.cancel()
            raise WaitInterrupted(_describe_billing("Stopped waiting", self._watch.latest)) from None
        return self._answer(snapshot)

    def cancel(self) -> None:
        """Stop waiting; `result` and ``await`` raise `WaitInterrupted`."""
        self._watch.close()

    def __await__(self) -> Generator[Any, None, T]:
        try:
            snapshot = yield from asyncio.wrap_future(self._work).__await__()
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self._answer(snapshot)

    def __repr__(self) -> str:
        names = shorten(_join_names(self._watch.latest.pods), _MAX_REPR_NAMES)
        if not self.is_done:
            verb = "is" if len(self._watch.latest.pods) == 1 else "are"
            return f"waiting until {names} {verb} {self._goal}; 'await' it"
        error = self._work.exception()
        return f"{names}: {self._goal}" if error is None else shorten_repr(f"{type(error).__name__}: {error}")


def begin_waiting(
    connection: Connection,
    pods: Iterable[PodDetails],
    *,
    goal: Goal = "ready",
    timeout_s: float = DEFAULT_TIMEOUT_S,
    answer: Callable[[Snapshot], T],
) -> Waiting[T]:
    """Wait as `wait_for`, on a background thread; `answer` makes the result of the last snapshot."""
    _check_arguments(connection, goal, timeout_s)
    watch = _start_watch(connection, pods)

    def work() -> Snapshot:
        with watch:
            return _wait_for_goal(connection, watch, goal, timeout_s, None)

    return Waiting(watch, goal, run_in_background(connection, work), answer)


def _check_arguments(connection: Connection, goal: Goal, timeout_s: float) -> None:
    check_choice("goal", goal, get_args(Goal))
    check_seconds("timeout_s", timeout_s)
    if connection.poll_interval_s is not None:
        check_seconds("poll_interval_s", connection.poll_interval_s)


def _start_watch(connection: Connection, pods: Iterable[PodDetails]) -> Watch:
    return connection.poller.watch(pods, is_over=lambda _: False, at_once=True)


def _wait_for_goal(
    connection: Connection,
    watch: Watch,
    goal: Goal,
    timeout_s: float,
    on_snapshot: Callable[[Snapshot], object] | None,
) -> Snapshot:
    clock = connection.clock
    deadline = clock.monotonic() + timeout_s
    snapshot, min_poll = watch.latest, 0
    try:
        while True:
            news = watch.next(max(deadline - clock.monotonic(), 0.0))
            if news is None and watch.has_ended:
                raise _make_error(connection, WaitInterrupted, "Stopped waiting", snapshot)
            if news is not None:
                snapshot, poll = news
                _warn_of_prices(snapshot)
                if on_snapshot:
                    on_snapshot(snapshot)
                if all(_is_done(pod, goal) for pod in snapshot.pods):
                    break
            if news is None or clock.monotonic() >= deadline:
                what = f"Not {goal} within {timeout_s:g} s{_describe_unknown_words(snapshot)}"
                raise _make_error(connection, WaitTimedOut, what, snapshot)
            # A poll that began before the clock was advanced does not show what came after.
            if poll >= min_poll and clock.pass_by(connection.interval_s()):
                min_poll = connection.poller.look_soon()
    except KeyboardInterrupt:
        raise describe_stop(connection, snapshot) from None
    failed = [pod for pod in snapshot.pods if not _has_reached(pod, goal)]
    if failed:
        raise PodFailed("; ".join(_describe_failure(pod) for pod in failed))
    return snapshot


def _has_reached(pod: PodDetails, goal: Goal) -> bool:
    if goal == "terminated":
        return pod.status == PodStatus.TERMINATED
    return pod.is_ready if goal == "ready" else pod.status == PodStatus.ACTIVE


def _is_done(pod: PodDetails, goal: Goal) -> bool:
    if goal == "terminated":
        return pod.status == PodStatus.TERMINATED
    return pod.is_settled or _has_reached(pod, goal)


def _describe_failure(pod: PodDetails) -> str:
    if pod.status == PodStatus.TERMINATED:
        return f"{sanitize(pod.name)} is gone (TERMINATED)"
    reason = f": {brief(pod.installation_failure)}" if pod.installation_failure else ""
    what = sanitize(pod.failure or f"installation {pod.installation_status}")
    return (
        f"{sanitize(pod.name)}: {what}{reason}. It may still be billed. Terminate it with "
        f"'%pods rm {pod.cli_name}'"
    )


def _describe_unknown_words(snapshot: Snapshot) -> str:
    """Describe unknown states, which might mean ready."""
    words = [
        f"{sanitize(pod.name)} says '{sanitize(word)}'"
        for pod in snapshot.pods[:_MAX_NAMES]
        for word in pod.unknown_words
    ]
    return f" ({', '.join(words)}, which is not a known state)" if words else ""


def describe_stop(connection: Connection, snapshot: Snapshot) -> PodsError:
    """Return the error for Ctrl-C while pods were waited for."""
    return _make_error(connection, WaitInterrupted, "Stopped waiting", snapshot)


def _make_error(connection: Connection, error: type[PodsError], what: str, snapshot: Snapshot) -> PodsError:
    """Build the error with the state of the pods; some may be gone, or about to be terminated."""
    ending = connection.agreements.list_ending(pod.id for pod in snapshot.pods)
    gone = [pod for pod in snapshot.pods if connection.completion_cache.is_gone(pod.id)]
    others = replace(
        snapshot, pods=tuple(pod for pod in snapshot.pods if pod.id not in ending and pod not in gone)
    )
    if gone:
        verb = "is" if len(gone) == 1 else "are"
        what += f". {_join_names(gone)} {verb} gone, which was verified"
    message = "; ".join([what, *ending.values()])
    error = BudgetExceeded if ending and error is WaitTimedOut else error
    return error(_describe_billing(message, others) if others.pods else message)


def _warn_of_prices(snapshot: Snapshot) -> None:
    for change in snapshot.changes:
        if change.kind is ChangeKind.PRICE:
            warn(str(change))


def _describe_billing(what: str, snapshot: Snapshot) -> str:
    """Add which pods are still billed after the waiting has ended, and how to end that."""
    live = [pod for pod in snapshot.pods if pod.status != PodStatus.TERMINATED]
    stopped = [pod for pod in live if pod.status == PodStatus.STOPPED]
    running = [pod for pod in live if pod.status != PodStatus.STOPPED]
    # A starting pod will soon cost its running price; a stopped one does not.
    price_usd_hr = sum(pod.price_hr or 0.0 for pod in running) + burn_usd_hr(stopped)
    rate = f" ({format_usd_hr(price_usd_hr)})" if price_usd_hr else ""
    verb = "is" if len(live) == 1 else "are"
    ends = (
        f"Terminate it with '%pods rm {live[0].cli_name}'"
        if len(live) == 1
        else "Terminate a pod with '%pods rm NAME'"
    )
    last_error = f". The last request failed: {sanitize(snapshot.trouble)}" if snapshot.trouble else ""
    start = ""
    if stopped:
        is_or_are = "is" if len(stopped) == 1 else "are"
        start = f". {_join_names(stopped)} {is_or_are} STOPPED. Start stopped pods in the dashboard"
    return f"{what}. {_join_names(live)} {verb} still billed{rate}. {ends}{start}{last_error}"


def _join_names(pods: Sequence[PodDetails]) -> str:
    return join_first([sanitize(pod.name) for pod in pods], _MAX_NAMES)

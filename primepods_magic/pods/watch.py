"""Watching many pods: one request for all of them, a snapshot after each, in the foreground or behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from primepods_magic.api.errors import (
    NotFound,
    PodFailed,
    PodsError,
    RateLimited,
    ServiceUnavailable,
    UnexpectedAnswer,
    WaitInterrupted,
    WaitTimedOut,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text import clean
from primepods_magic.api.vocabulary import PodStatus

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["Goal", "Poller", "Snapshot", "look", "wait_for"]

Goal = Literal["ready", "active", "terminated"]

SANDBOX_INTERVAL_S = 0.5
LIVE_INTERVAL_S = 5.0
DEFAULT_TIMEOUT_S = 20 * 60.0
# A request that is under way may take longer; its thread is a daemon and says nothing any more.
LONGEST_JOIN_S = 5.0


@dataclass(frozen=True)
class Snapshot:
    """What is known of the watched pods at one moment.

    Parameters
    ----------
    pods : tuple of PodDetails
        In the order in which they were asked for.
    as_of : datetime
        When they were seen so, by the service's clock (UTC).
    trouble : str, optional
        Why the latest look failed, where it did; the pods are then as last seen.
    is_last : bool
        Nobody looks any more, although pods may not be settled.
    """

    pods: tuple[PodDetails, ...]
    as_of: datetime
    trouble: str | None = None
    is_last: bool = False

    @property
    def is_settled(self) -> bool:
        """Every pod is ready, failed or gone."""
        return all(pod.is_settled for pod in self.pods)


def interval_s(connection: Connection) -> float:
    """How long to wait between two looks."""
    if connection.poll_interval_s is not None:
        return connection.poll_interval_s
    return SANDBOX_INTERVAL_S if connection.is_sandbox else LIVE_INTERVAL_S


def look(connection: Connection, pods: Iterable[PodDetails]) -> tuple[PodDetails, ...]:
    """The pods as they are now, by one status request for all.

    A pod that the status does not know is asked for by its id; where it is gone, it is TERMINATED. Where
    the status says nothing of installations, as on the specification's page, the list is asked.
    """
    known = {pod.id: pod for pod in pods}
    ids = [pod_id for pod_id in known if pod_id]
    entries = {entry.key: entry for entry in connection.client.pod_status(ids)}
    if any(entry.installation_status is None for entry in entries.values()):
        known |= {pod.id: pod for pod in connection.client.list_all_pods() if pod.id in known}
    seen = []
    for pod_id, pod in known.items():
        entry = entries.get(pod_id)
        seen.append(pod.updated(entry) if entry else _single(connection, pod))
    return tuple(seen)


def _single(connection: Connection, pod: PodDetails) -> PodDetails:
    if not pod.id:
        return pod
    try:
        return connection.client.get_pod(pod.id)
    except NotFound:
        return pod.model_copy(update={"status": PodStatus.TERMINATED})


def wait_for(
    connection: Connection,
    pods: Iterable[PodDetails],
    *,
    goal: Goal = "ready",
    timeout_s: float = DEFAULT_TIMEOUT_S,
    on_look: Callable[[Snapshot], object] | None = None,
) -> Snapshot:
    """Wait until every pod has reached the goal, or cannot any more.

    Parameters
    ----------
    connection : Connection
        Where the pods are.
    pods : iterable of PodDetails
        What to wait for.
    goal : {"ready", "active", "terminated"}
        Ready is ACTIVE, with a connection, and its installation COMPLETE.
    timeout_s : float
        One budget for all phases of all pods, in seconds of the service's clock.
    on_look : callable, optional
        Is given every snapshot.

    Raises
    ------
    PodFailed
        A pod is in ERROR, its installation FAILED, or it is gone. All others have reached the goal.
    WaitTimedOut
        The time is over.
    WaitInterrupted
        Ctrl-C. The pods go on, and go on being billed, in all three.

    Examples
    --------
    >>> wait_for(connection, pods, timeout_s=600)                            # doctest: +SKIP
    """
    snapshot = Snapshot(tuple(pods), connection.now())
    deadline = connection.clock.monotonic() + timeout_s
    try:
        while True:
            snapshot = _next(connection, snapshot)
            if on_look:
                on_look(snapshot)
            if all(_is_over(pod, goal) for pod in snapshot.pods):
                break
            if connection.clock.monotonic() >= deadline:
                raise WaitTimedOut(_still(f"not {goal} within {timeout_s:g} s", snapshot))
            connection.clock.sleep(interval_s(connection))
    except KeyboardInterrupt:
        raise WaitInterrupted(_still("stopped waiting", snapshot)) from None
    failed = [pod for pod in snapshot.pods if not _has_reached(pod, goal)]
    if failed:
        raise PodFailed("; ".join(_failure(pod) for pod in failed))
    return snapshot


def _next(connection: Connection, before: Snapshot) -> Snapshot:
    """The next snapshot; where there is no good answer, the last one with the trouble told."""
    try:
        pods = look(connection, before.pods)
    except (ServiceUnavailable, RateLimited, UnexpectedAnswer) as error:
        return Snapshot(before.pods, before.as_of, trouble=str(error))
    return Snapshot(pods, connection.now())


def _has_reached(pod: PodDetails, goal: Goal) -> bool:
    if goal == "terminated":
        return pod.status == PodStatus.TERMINATED
    return pod.is_ready if goal == "ready" else pod.status == PodStatus.ACTIVE


def _is_over(pod: PodDetails, goal: Goal) -> bool:
    if goal == "terminated":
        return pod.status == PodStatus.TERMINATED
    return pod.is_settled or _has_reached(pod, goal)


def _failure(pod: PodDetails) -> str:
    if pod.status == PodStatus.TERMINATED:
        return f"{clean(pod.name)} is gone (TERMINATED)"
    reason = f": {clean(pod.installation_failure)}" if pod.installation_failure else ""
    what = "ERROR" if pod.status == PodStatus.ERROR else f"installation {pod.installation_status}"
    return f"{clean(pod.name)}: {what}{reason}. It may go on being billed; '%pods rm {pod.word}' ends it"


def _still(what: str, snapshot: Snapshot) -> str:
    going = [pod for pod in snapshot.pods if pod.status != PodStatus.TERMINATED]
    names = ", ".join(clean(pod.name) for pod in going)
    rate = (
        f" (${sum(pod.price_hr or 0 for pod in going):.2f}/h)" if any(pod.price_hr for pod in going) else ""
    )
    verb = "goes on and is" if len(going) == 1 else "go on and are"
    return f"{what}; {names} {verb} billed{rate}. '%pods rm NAME' ends a pod"


@dataclass(eq=False)
class _Watch:
    snapshot: Snapshot
    listener: Callable[[Snapshot], object]


class Poller:
    """Watches pods in the background: one thread for all, which ends when nothing is left to watch.

    Parameters
    ----------
    connection : Connection
        Where the pods are.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._watches: list[_Watch] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def watch(self, pods: Iterable[PodDetails], listener: Callable[[Snapshot], object]) -> None:
        """Give ``listener`` a snapshot of the pods after every look, from a thread of ours, until all of
        them are settled. It must not block."""
        with self._lock:
            if self._stopped:
                return
            self._watches.append(_Watch(Snapshot(tuple(pods), self._connection.now()), listener))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="primepods-watch", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop watching, wait until the thread has ended, and tell whoever was still watching."""
        with self._lock:
            self._stopped = True
            thread = self._thread
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=LONGEST_JOIN_S)
        self._tell("not watching any more: the connection was closed")

    def _run(self) -> None:
        try:
            while not self._wake.wait(interval_s(self._connection)):
                with self._lock:
                    watches = list(self._watches)
                self._look(watches)
                with self._lock:
                    self._watches = [watch for watch in self._watches if not watch.snapshot.is_settled]
                    if not self._watches:
                        self._thread = None
                        return
        except Exception as error:  # noqa: BLE001 - on a thread nobody else would hear of it
            with self._lock:
                self._thread = None
                stopped = self._stopped
            if not stopped:
                said = str(error) if isinstance(error, PodsError) else f"{type(error).__name__}: {error}"
                self._tell(f"not watching any more: {said}")

    def _look(self, watches: list[_Watch]) -> None:
        pods = {pod.id: pod for watch in watches for pod in watch.snapshot.pods}
        seen = _next(self._connection, Snapshot(tuple(pods.values()), self._connection.now()))
        pods |= {pod.id: pod for pod in seen.pods}
        for watch in watches:
            as_of = watch.snapshot.as_of if seen.trouble else seen.as_of
            mine = tuple(pods[pod.id] for pod in watch.snapshot.pods)
            watch.snapshot = Snapshot(mine, as_of, seen.trouble)
            watch.listener(watch.snapshot)

    def _tell(self, trouble: str) -> None:
        """Give every listener its last snapshot, with the trouble, and forget them."""
        with self._lock:
            watches, self._watches = self._watches, []
        for watch in watches:
            watch.listener(replace(watch.snapshot, trouble=trouble, is_last=True))

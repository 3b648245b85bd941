"""The price that was agreed to for a pod, held until the pod is ready at such a price."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from primepods_magic.api.errors import BudgetExceeded, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text import brief, clean

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["Agreements", "describe_price", "describe_unread", "is_above", "name_agreed", "read_pods"]

# Services round, and prices of disks are estimates to the cent.
_TOLERATED_USD_HR = 0.01
_ROUNDING = 1e-6
# A pod that has been ready for longer has work on it, and its price may have changed by itself.
_HELD_READY_S = 3600.0


def is_above(pod: PodDetails, agreed_usd_hr: float) -> bool:
    """Return whether a pod costs more than was agreed to, by more than a cent an hour.

    >>> is_above(PodDetails(price_hr=2.51), 2.50), is_above(PodDetails(price_hr=2.52), 2.50)
    (False, True)
    """
    price_usd_hr = pod.highest_usd_hr
    return price_usd_hr is not None and price_usd_hr > agreed_usd_hr + _TOLERATED_USD_HR + _ROUNDING


def name_agreed(agreed_usd_hr: float) -> str:
    """Name the price that was agreed to as a bound."""
    return f"the ${agreed_usd_hr:.2f}/h that was agreed to"


def describe_price(pod: PodDetails, bound: str, together: str = "") -> str:
    """Describe what a pod turned out to cost, above which bound."""
    return (
        f"'{clean(pod.name)}' ({clean(pod.id)}) turned out to cost ${pod.highest_usd_hr or 0.0:.2f}/h"
        f"{together}, above {bound}"
    )


def describe_unread(pod: PodDetails, agreed_usd_hr: float | None = None) -> str | None:
    """Describe the price of a live pod that cannot be read, so that no one can tell whether it is too high.

    >>> print(str(describe_unread(PodDetails(name="train", unread_price="EUR 25"), 2.5))[:86])
    The price of 'train' cannot be read: the service says 'EUR 25', and $2.50/h was agreed
    """
    if pod.unread_price is None or not pod.is_live:
        return None
    said = f"the service says '{brief(pod.unread_price)}'"
    if agreed_usd_hr is not None:
        said += f", and ${agreed_usd_hr:.2f}/h was agreed to"
    return (
        f"The price of '{clean(pod.name)}' cannot be read: {said}. The pod was not terminated and is billed. "
        f"'%pods rm {pod.word}' terminates it"
    )


@dataclass
class _Agreement:
    usd_hr: float
    end: Callable[[PodDetails, float], PodsError]
    read_newest_usd_hr: Callable[[], float]
    ready_at_s: float | None = None
    ending: _Ending | None = None


@dataclass(frozen=True)
class _Ending:
    pod: PodDetails
    error: Future[PodsError]


class Agreements:
    """What was agreed to for the pods that were launched here and are not ready yet. Thread-safe.

    Parameters
    ----------
    run : callable
        Runs what ends a pod, and may return before that is done: to verify that a pod is gone takes a while.

    Attributes
    ----------
    on_ended : callable
        Is called when what ends a pod is done.

    Examples
    --------
    >>> agreements = Agreements()
    >>> agreements.add("a", 2.50, lambda pod, usd_hr: PodsError(f"terminated, above ${usd_hr}/h"))
    >>> agreements.enforce([PodDetails(id="a", price_hr=25)], {"a"})
    {'a': PodsError('terminated, above $2.5/h')}
    """

    def __init__(self, run: Callable[[Callable[[], object]], object] = lambda work: work()) -> None:
        self.on_ended: Callable[[], object] = lambda: None
        self._run = run
        self._agreed: dict[str, _Agreement] = {}
        self._lock = threading.Lock()

    def add(
        self,
        pod_id: str,
        agreed_usd_hr: float,
        end: Callable[[PodDetails, float], PodsError],
        read_newest_usd_hr: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Hold a pod to a price.

        Parameters
        ----------
        pod_id : str
            Which pod.
        agreed_usd_hr : float
            What was agreed to, in USD per hour.
        end : callable
            Terminates the pod, which is above a price, and returns the error that says so.
        read_newest_usd_hr : callable
            Returns what was agreed to since, perhaps in another kernel; 0 is nothing. It is asked before the
            pod is terminated.
        """
        with self._lock:
            self._agreed[pod_id] = _Agreement(agreed_usd_hr, end, read_newest_usd_hr)

    def has_pod(self, pod_id: str) -> bool:
        """Return whether a pod is held to a price."""
        with self._lock:
            return pod_id in self._agreed

    def enforce(
        self, pods: Iterable[PodDetails], priced_ids: Collection[str], *, waits: bool = True
    ) -> dict[str, PodsError | None]:
        """End the pods that are above what was agreed to, and return the errors that say so by id.

        A pod that is ready at such a price is not held to it any more: its price may change later, and there
        is work on it.

        Parameters
        ----------
        pods : iterable of PodDetails
            As they are now.
        priced_ids : collection of str
            Those whose price was read just now. A price that only the create's response echoed is not enough.
        waits : bool
            Wait until they are ended; else one that is being ended has ``None`` for its error, until a later
            call.
        """
        due, found = [], dict[str, Future[PodsError]]()
        with self._lock:
            for pod in pods if self._agreed else ():
                if pod.id not in self._agreed:
                    continue
                agreement = self._agreed[pod.id]
                is_kept = pod.is_live and not _is_past_holding(agreement, pod)
                is_dearer = is_kept and _is_dearer(pod, agreement)
                if is_dearer and agreement.ending is None:
                    agreement.ending = _Ending(pod, Future())
                    due.append((agreement, agreement.ending))
                if agreement.ending is not None:
                    found[pod.id] = agreement.ending.error
                    continue
                # One that is above it is held until it is gone: ending it may fail.
                if not is_kept or (not is_dearer and pod.is_ready and pod.id in priced_ids):
                    del self._agreed[pod.id]
        for agreement, ending in due:
            self._run(partial(self._end_pod, agreement, ending))
        errors = {i: error.result() if waits or error.done() else None for i, error in found.items()}
        with self._lock:
            for pod_id, error in errors.items():
                if error is not None and pod_id in self._agreed:
                    self._agreed[pod_id].ending = None
        return errors

    def _end_pod(self, agreement: _Agreement, ending: _Ending) -> None:
        try:
            ending.error.set_result(agreement.end(ending.pod, agreement.usd_hr))
        except BaseException as error:  # noqa: BLE001 - raised where it is asked for
            ending.error.set_exception(error)
        self.on_ended()

    def describe_unread(self, pod: PodDetails) -> str | None:
        """Describe the price of a pod that cannot be read, and what was agreed to if it is held to that."""
        with self._lock:
            agreement = self._agreed.get(pod.id or "")
        return describe_unread(pod, None if agreement is None else agreement.usd_hr)

    def list_ending(self, pod_ids: Iterable[str | None]) -> dict[str, str]:
        """Describe, by id, those of some pods that are above what was agreed to and being ended just now."""
        with self._lock:
            held = {pod_id: self._agreed[pod_id] for pod_id in pod_ids if pod_id in self._agreed}
        return {
            pod_id: f"{describe_price(ending.pod, name_agreed(agreement.usd_hr))}, and is being ended. "
            "'%pods ls' shows whether it is gone"
            for pod_id, agreement in held.items()
            if (ending := agreement.ending) is not None
        }

    def check(self, pods: Iterable[PodDetails]) -> None:
        """End the pods whose price, read just now, is above what was agreed to.

        Raises
        ------
        PodsError
            There are such pods; the message says of each whether it was terminated.
        """
        pods = list(pods)
        priced_ids = {pod.id for pod in pods if pod.id and pod.highest_usd_hr is not None}
        errors = [error for error in self.enforce(pods, priced_ids).values() if error is not None]
        if len(errors) > 1:
            raise BudgetExceeded("; ".join(map(str, errors)))
        if errors:
            raise errors[0]


def read_pods(connection: Connection) -> list[PodDetails]:
    """Read all pods for a person. Errors as `Agreements.check`, which holds them to their prices."""
    pods = connection.client.list_all_pods()
    connection.agreements.check(pods)
    return pods


def _is_dearer(pod: PodDetails, agreement: _Agreement) -> bool:
    """Return whether a pod is above what was agreed to, by now."""
    if is_above(pod, agreement.usd_hr):
        agreement.usd_hr = max(agreement.usd_hr, agreement.read_newest_usd_hr())
    return is_above(pod, agreement.usd_hr)


def _is_past_holding(agreement: _Agreement, pod: PodDetails) -> bool:
    """Note when a pod is ready, and return whether it has been so for too long to be ended."""
    now_s = time.monotonic()
    if agreement.ready_at_s is None and pod.is_ready:
        agreement.ready_at_s = now_s
    return agreement.ready_at_s is not None and now_s - agreement.ready_at_s >= _HELD_READY_S

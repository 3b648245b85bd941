"""The price that was agreed to for a pod, enforced until the pod is ready at that price."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import BudgetExceeded, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import brief, sanitize
from primepods_magic.pods.support.notices import warn

__all__ = [
    "MAX_HELD_S",
    "Agreements",
    "describe_dearer",
    "describe_price",
    "describe_spared",
    "describe_unread",
    "is_above",
    "is_kept",
    "name_agreed",
]

# Services round, and prices of disks are estimates to the cent.
_TOLERATED_USD_HR = 0.01
_ROUNDING = 1e-6
# On a pod that may have been ready for longer there may be work, and its price may have changed by itself.
_HELD_READY_S = 300.0
# As on one that was launched longer ago, whatever the service calls it for a moment.
MAX_HELD_S = 3600.0


def is_above(pod: PodDetails, agreed_usd_hr: float) -> bool:
    """Return whether a pod costs more than was agreed to, by more than a cent an hour.

    >>> is_above(PodDetails(price_hr=2.51), 2.50), is_above(PodDetails(price_hr=2.52), 2.50)
    (False, True)
    """
    price_usd_hr = pod.highest_usd_hr
    return price_usd_hr is not None and price_usd_hr > agreed_usd_hr + _TOLERATED_USD_HR + _ROUNDING


def is_kept(pod: PodDetails, agreed_usd_hr: float) -> bool:
    """Return whether a pod is ready at what was agreed to."""
    return pod.is_ready and pod.highest_usd_hr is not None and not is_above(pod, agreed_usd_hr)


def name_agreed(agreed_usd_hr: float) -> str:
    """Name the price that was agreed to as a bound."""
    return f"the {format_usd_hr(agreed_usd_hr)} that you agreed to"


def describe_price(pod: PodDetails, bound: str, together: str = "") -> str:
    """Describe a pod's price that is above a bound."""
    return (
        f"'{sanitize(pod.name)}' ({sanitize(pod.id)}) turned out to cost "
        f"{format_usd_hr(pod.highest_usd_hr or 0.0)}{together}, above {bound}"
    )


def describe_dearer(pod: PodDetails, agreed_usd_hr: float) -> str:
    """Describe a pod that costs more than was agreed to, but may be in use and is not terminated."""
    return (
        f"{describe_price(pod, name_agreed(agreed_usd_hr))}. There may be work on it, so it was not "
        f"terminated and is billed. '%pods rm {pod.cli_name}' terminates it"
    )


def describe_spared(pod: PodDetails, agreed_usd_hr: float) -> str:
    """Describe a pod that costs more than was agreed to, for a dry run."""
    return (
        f"{describe_price(pod, name_agreed(agreed_usd_hr))}. A dry run terminates nothing, so it is still "
        f"billed. '%pods rm {pod.cli_name}' terminates it"
    )


def describe_unread(pod: PodDetails, agreed_usd_hr: float | None = None) -> str | None:
    """Describe the price of a live pod that cannot be parsed, or return ``None`` if it can.

    A ready pod without a price is described as well if a price was agreed to: it cannot be compared.

    >>> print(str(describe_unread(PodDetails(name="train", unread_price="EUR 25"), 2.5))[:60])
    Cannot read the price of 'train': the service says 'EUR 25',
    """
    is_missing = pod.is_ready and pod.highest_usd_hr is None and agreed_usd_hr is not None
    if not pod.is_live or not (is_missing or pod.unread_price is not None):
        return None
    reason = (
        f"the service says '{brief(pod.unread_price)}'" if pod.unread_price else "the service states none"
    )
    if agreed_usd_hr is not None:
        reason += f", and you agreed to {format_usd_hr(agreed_usd_hr)}"
    return (
        f"Cannot read the price of '{sanitize(pod.name)}': {reason}. The pod was not terminated and is "
        f"billed. '%pods rm {pod.cli_name}' terminates it"
    )


@dataclass
class _Agreement:
    usd_hr: float
    end_pod: Callable[[PodDetails, float], PodsError]
    read_newest_usd_hr: Callable[[], float]
    read_age_s: Callable[[], float]
    was_ready: bool = False
    coming_up_at_s: float = 0.0
    ending: _Ending | None = None

    def note_progress(self, pod: PodDetails) -> bool:
        """Record the progress of the pod; return whether it is too late to terminate it for its price."""
        age_s = self.read_age_s()
        self.was_ready |= pod.is_ready or pod.status == PodStatus.STOPPED
        if not self.was_ready:
            self.coming_up_at_s = age_s
        return age_s >= MAX_HELD_S or age_s - self.coming_up_at_s >= _HELD_READY_S


@dataclass(frozen=True)
class _Ending:
    pod: PodDetails
    error: Future[PodsError]


class Agreements:
    """The agreed prices of pods that were launched on this computer and are not ready yet. Thread-safe.

    An agreement ends when the pod is ready at its price, or may be in use: it may have been ready for five
    minutes, or was launched an hour ago. A price above the agreed one is only reported from then on.

    ``run`` runs the termination of a pod and may return before it is done. ``note_kept`` gets pods that are
    ready, with prices, marks their launch records, and returns the ids that need no further note.
    ``hold_recorded`` gets pods without an agreement and adds those that launch records have.

    >>> agreements = Agreements()
    >>> agreements.add("a", 2.50, lambda pod, usd_hr: PodsError(f"terminated, above ${usd_hr}/h"))
    >>> agreements.enforce([PodDetails(id="a", price_hr=25)], {"a"})
    {'a': PodsError('terminated, above $2.5/h')}
    """

    def __init__(
        self,
        run: Callable[[Callable[[], object]], object] = lambda work: work(),
        monotonic: Callable[[], float] = time.monotonic,
        note_kept: Callable[[Sequence[PodDetails]], Collection[str | None]] = lambda pods: (),
        hold_recorded: Callable[[Sequence[PodDetails]], object] = lambda pods: None,
    ) -> None:
        self.on_ended: Callable[[], object] = lambda: None
        self._run, self._monotonic = run, monotonic
        self._note_kept, self._hold_recorded = note_kept, hold_recorded
        self._noted: dict[str, float | None] = {}
        self._reports: dict[str, str] = {}
        self._agreed: dict[str, _Agreement] = {}
        self._released: set[str] = set()
        self._lock = threading.Lock()

    def add(
        self,
        pod_id: str,
        agreed_usd_hr: float,
        end_pod: Callable[[PodDetails, float], PodsError],
        read_newest_usd_hr: Callable[[], float] = lambda: 0.0,
        *,
        launched_s_ago: float = 0.0,
    ) -> None:
        """Hold a pod to a price in USD per hour.

        ``end_pod`` terminates it and returns the error to raise. ``read_newest_usd_hr`` is called first and
        returns what was agreed to since, perhaps in another kernel, or 0.
        """
        began_s, began_at_s = self._monotonic(), time.time()

        def read_age_s() -> float:
            # The one stands still while this computer sleeps, the other may be set.
            return launched_s_ago + max(self._monotonic() - began_s, time.time() - began_at_s)

        with self._lock:
            agreement = _Agreement(agreed_usd_hr, end_pod, read_newest_usd_hr, read_age_s)
            if (before := self._agreed.get(pod_id)) is not None:
                agreement.was_ready, agreement.ending = before.was_ready, before.ending
                agreement.coming_up_at_s = (
                    agreement.read_age_s() - before.read_age_s() + before.coming_up_at_s
                )
            self._agreed[pod_id] = agreement

    def release(self, pod_id: str | None) -> None:
        """Stop holding a pod, unless it is added again."""
        with self._lock:
            self._release_held(pod_id)

    def _release_held(self, pod_id: str | None) -> None:
        if pod_id is not None and self._agreed.pop(pod_id, None) is not None:
            self._released.add(pod_id)

    def has_pod(self, pod_id: str) -> bool:
        """Return whether a pod is held to a price."""
        with self._lock:
            return pod_id in self._agreed

    def enforce(
        self, pods: Iterable[PodDetails], priced_ids: Collection[str], *, waits: bool = True
    ) -> dict[str, PodsError | None]:
        """Terminate pods that cost more than was agreed to, and return the errors to raise by id.

        Only pods in ``priced_ids`` can be released: their prices were read just now, not echoed by the
        create. Without ``waits``, the error is ``None`` while a pod is being terminated.
        """
        pods, due, pending = list(pods), [], dict[str, Future[PodsError]]()
        self._hold_unheld(pods)
        self.release_kept(pods, priced_ids)
        with self._lock:
            for pod in pods if self._agreed else ():
                if pod.id not in self._agreed:
                    continue
                agreement = self._agreed[pod.id]
                is_too_late = agreement.note_progress(pod)
                is_dearer = pod.is_live and _is_dearer(pod, agreement)
                if is_dearer and not is_too_late and agreement.ending is None:
                    agreement.ending = _Ending(pod, Future())
                    due.append((agreement, agreement.ending))
                if agreement.ending is not None:
                    pending[pod.id] = agreement.ending.error
                    continue
                # One that is above it is held until it is gone: ending it may fail.
                if is_dearer:
                    self._reports[pod.id] = describe_dearer(pod, agreement.usd_hr)
                    self._release_held(pod.id)
                elif not pod.is_live:
                    del self._agreed[pod.id]
        try:
            for agreement, ending in due:
                self._run(partial(self._end_pod, agreement, ending))
            errors = {
                i: error.result() if (waits or error.done()) and not error.cancelled() else None
                for i, error in pending.items()
            }
        except KeyboardInterrupt:
            with self._lock:
                for agreement, ending in due:
                    # If it has not begun, the next call begins it.
                    if ending.error.cancel():
                        agreement.ending = None
            for work in pending.values():
                if not work.cancelled():
                    self.report_later(work)
            raise
        with self._lock:
            for pod_id, error in errors.items():
                if error is not None and pod_id in self._agreed:
                    self._agreed[pod_id].ending = None
        return errors

    def list_dearer(self, pods: Sequence[PodDetails]) -> list[tuple[PodDetails, float]]:
        """Return the pods that cost more than was agreed to, with those prices, and terminate none."""
        self._hold_unheld(pods)
        with self._lock:
            held = [(pod, self._agreed[pod.id]) for pod in pods if pod.is_live and pod.id in self._agreed]
            return [(pod, agreement.usd_hr) for pod, agreement in held if _is_dearer(pod, agreement)]

    def _hold_unheld(self, pods: Sequence[PodDetails]) -> None:
        """Hold pods to the agreed prices in launch records."""
        with self._lock:
            held = self._agreed.keys() | self._released
        if unheld := [pod for pod in pods if pod.is_live and pod.id and pod.id not in held]:
            self._hold_recorded(unheld)

    def release_kept(self, pods: Iterable[PodDetails], priced_ids: Collection[str]) -> None:
        """Release pods that are ready at their agreed prices, and note that in the launch records."""
        kept = []
        with self._lock:
            for pod in pods:
                is_kept = pod.id in priced_ids and pod.is_live and pod.is_ready
                if pod.id is None or not is_kept:
                    continue
                agreement = self._agreed.get(pod.id)
                if agreement is not None and (agreement.ending is not None or _is_dearer(pod, agreement)):
                    continue
                self._release_held(pod.id)
                if self._noted.get(pod.id) != pod.highest_usd_hr:
                    kept.append(pod)
        if not kept:
            return
        done = self._note_kept(kept)
        with self._lock:
            self._noted |= {pod.id: pod.highest_usd_hr for pod in kept if pod.id and pod.id in done}

    def take_reports(self, pod_ids: Collection[str | None] | None = None) -> dict[str, str]:
        """Return, once, the reports by id of pods that cost more and are not terminated.

        Without ``pod_ids``, return all reports, those of `report_later` included.
        """
        with self._lock:
            keys = [key for key in self._reports if pod_ids is None or key in pod_ids]
            return {key: self._reports.pop(key) for key in keys}

    def report_later(self, work: Future[Any], kind: type[PodsError] = PodsError) -> None:
        """Report an error that work ends with, or returns, after Ctrl-C ended the waiting for it."""

        def note_error(done: Future[Any]) -> None:
            error = done.exception() or done.result()
            if isinstance(error, kind):
                text = f"After an interrupt: {error}"
                with self._lock:
                    self._reports[text] = text

        work.add_done_callback(note_error)

    def _end_pod(self, agreement: _Agreement, ending: _Ending) -> None:
        if not ending.error.set_running_or_notify_cancel():
            return
        try:
            ending.error.set_result(agreement.end_pod(ending.pod, agreement.usd_hr))
        except BaseException as error:  # noqa: BLE001 - raised where it is asked for
            ending.error.set_exception(error)
        self.on_ended()

    def describe_unread(self, pod: PodDetails) -> str | None:
        """Describe a price that cannot be parsed, with the agreed one if there is one."""
        with self._lock:
            agreement = self._agreed.get(pod.id or "")
        return describe_unread(pod, None if agreement is None else agreement.usd_hr)

    def list_ending(self, pod_ids: Iterable[str | None]) -> dict[str, str]:
        """Describe, by id, the pods that are being terminated for their prices."""
        with self._lock:
            held = {pod_id: self._agreed[pod_id] for pod_id in pod_ids if pod_id in self._agreed}
        return {
            pod_id: f"{describe_price(ending.pod, name_agreed(agreement.usd_hr))}, and is being terminated. "
            "'%pods ls' shows whether it is gone"
            for pod_id, agreement in held.items()
            if (ending := agreement.ending) is not None
        }

    def check(self, pods: Iterable[PodDetails], tell: Callable[[str], object] = warn) -> None:
        """Terminate pods whose price, read just now, is above the agreed one, and raise an error.

        Pods that may be in use are only reported, by ``tell``, and so are errors of `report_later`.
        """
        pods = list(pods)
        priced_ids = {pod.id for pod in pods if pod.id and pod.highest_usd_hr is not None}
        errors = [error for error in self.enforce(pods, priced_ids).values() if error is not None]
        for report in self.take_reports().values():
            tell(report)
        if len(errors) > 1:
            raise BudgetExceeded("; ".join(map(str, errors)))
        if errors:
            raise errors[0]


def _is_dearer(pod: PodDetails, agreement: _Agreement) -> bool:
    """Return whether a pod costs more than was agreed to by now."""
    if is_above(pod, agreement.usd_hr):
        agreement.usd_hr = max(agreement.usd_hr, agreement.read_newest_usd_hr())
    return is_above(pod, agreement.usd_hr)

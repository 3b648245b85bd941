"""Hourly rates of pods and disks by state, and what has accrued."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from primepods_magic.api.disks import Disk
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.models import HistoryRow, PodDetails

__all__ = [
    "accrued_usd",
    "burn_usd_hr",
    "end_of",
    "end_pod",
    "find_unpriced",
    "get_rate_usd_hr",
    "has_ended",
    "highest_burn_usd_hr",
    "row_cost_usd",
]

_CLOCK_TOLERANCE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_Thing = TypeVar("_Thing", bound=PodDetails | Disk)


def end_of(thing: PodDetails | Disk) -> datetime | None:
    """Return a thing's stated end; an end before its beginning counts only once it is TERMINATED."""
    is_before = thing.created_at and thing.terminated_at and thing.terminated_at < thing.created_at
    return None if is_before and thing.status != PodStatus.TERMINATED else thing.terminated_at


def end_pod(pod: PodDetails, row: HistoryRow | None) -> PodDetails:
    """Return a pod as it is once it is gone, with the end in its row of the history, if there is one."""
    end = row.terminated_at if row else None
    changes = {"status": PodStatus.TERMINATED, **({"terminated_at": end} if end else {})}
    return pod.model_copy(update=changes)


def has_ended(thing: PodDetails | Disk, now: datetime) -> bool:
    """Return whether a pod or disk costs nothing any more: it is gone, or its end is past.

    >>> from datetime import timezone
    >>> now = datetime(2026, 11, 29, tzinfo=timezone.utc)
    >>> has_ended(Disk(status="UNATTACHED", terminated_at="2026-11-02T00:00:00Z"), now)
    True
    """
    end = end_of(thing)
    return thing.status == PodStatus.TERMINATED or (end is not None and end <= now)


def burn_usd_hr(things: Iterable[PodDetails | Disk], now: datetime | None = None) -> float:
    """Estimate what pods and disks cost per hour in their states, in USD, leaving out those ended by ``now``.

    ERROR, UNKNOWN, DELETING and unknown states may be billed, so they count. Without ``now`` only TERMINATED
    pods are left out, as a ceiling needs it. Things that `find_unpriced` returns count as far as they have a
    price.
    """
    return sum(get_rate_usd_hr(thing) or 0.0 for thing in things if now is None or not has_ended(thing, now))


def highest_burn_usd_hr(things: Iterable[PodDetails | Disk], now: datetime | None = None) -> float:
    """Estimate as `burn_usd_hr` what things cost per hour once they are up; stopped pods count as stopped."""
    return sum(
        max(_get_full_rate_usd_hr(thing), get_rate_usd_hr(thing) or 0.0)
        for thing in things
        if now is None or not has_ended(thing, now)
    )


def _get_full_rate_usd_hr(thing: PodDetails | Disk) -> float:
    is_up = thing.status not in (PodStatus.STOPPED, PodStatus.TERMINATED)
    return thing.highest_usd_hr or 0.0 if isinstance(thing, PodDetails) and is_up else 0.0


def find_unpriced(things: Iterable[_Thing], now: datetime) -> list[_Thing]:
    """Find the pods and disks whose rate is not known, or not for certain, and that may be billed.

    >>> now = datetime.fromisoformat("2026-11-29T00:00:00+00:00")
    >>> [pod.name for pod in find_unpriced([PodDetails(name="a", price_hr=2), PodDetails(name="b")], now)]
    ['b']
    """
    return [thing for thing in things if not has_ended(thing, now) and _is_unpriced(thing)]


def _is_unpriced(thing: PodDetails | Disk) -> bool:
    has_unread = isinstance(thing, PodDetails) and thing.unread_price is not None
    return has_unread or get_rate_usd_hr(thing) is None


def accrued_usd(thing: PodDetails | Disk, now: datetime, *, since: datetime | None = None) -> float | None:
    """Estimate what a pod or disk has cost from its creation (or ``since``) until ``now`` or its end, in USD.

    Assume the current rate throughout. For STOPPED pods, assume the running price until ``updated_at`` and
    the stopped price since. For TERMINATED ones, assume the running price until their stated end.
    A disk costs the same, attached or not. Without a beginning or a price, the cost is not known.
    """
    begin = max((moment for moment in (thing.created_at, since) if moment), default=None)
    is_gone = thing.status == PodStatus.TERMINATED
    if is_gone and end_of(thing) is None:
        return None
    rate = thing.price_hr if is_gone else get_rate_usd_hr(thing)
    is_stopped = isinstance(thing, PodDetails) and thing.status == PodStatus.STOPPED
    if rate == 0 and not is_stopped:
        return 0.0
    # A beginning in the future means that the time of the service is not known here.
    if begin is None or rate is None or begin - now > _CLOCK_TOLERANCE:
        return None
    until = min(now, end_of(thing) or now)
    hours = max(0.0, (until - begin) / _HOUR)
    if isinstance(thing, Disk) or not is_stopped:
        return rate * hours
    stopped_hours = max(0.0, (until - max(thing.updated_at or until, begin)) / _HOUR)
    running_hours = hours - stopped_hours
    if thing.price_hr is None and running_hours:
        return None
    return (thing.price_hr or 0.0) * running_hours + rate * stopped_hours


def row_cost_usd(row: HistoryRow) -> float | None:
    """Estimate what an ended pod cost by the price and the times in its row of the history, in USD."""
    if row.price_hr is None or row.created_at is None or row.terminated_at is None:
        return None
    return row.price_hr * max((row.terminated_at - row.created_at) / _HOUR, 0.0)


def get_rate_usd_hr(thing: PodDetails | Disk) -> float | None:
    """Return what a pod or disk costs per hour in its state, in USD; ``None`` if that is not known."""
    of_state: float | None = None
    if thing.status == PodStatus.TERMINATED:
        return 0.0
    if isinstance(thing, PodDetails) and isinstance(thing.status, PodStatus):
        of_state = {
            PodStatus.PROVISIONING: thing.provisioning_price_hr,
            PodStatus.STOPPED: thing.stopped_price_hr,
        }.get(thing.status)
    return thing.price_hr if of_state is None else of_state

"""Hourly rates of pods and disks by state, and what has accrued."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from primepods_magic.api.account import Disk
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.models import PodDetails

__all__ = ["accrued_usd", "burn_usd_hr", "end_of", "has_ended"]

_HOUR = timedelta(hours=1)


def end_of(thing: PodDetails | Disk) -> datetime | None:
    """Return a thing's stated end; an end before its beginning counts only once it is TERMINATED."""
    is_before = thing.created_at and thing.terminated_at and thing.terminated_at < thing.created_at
    return None if is_before and thing.status != PodStatus.TERMINATED else thing.terminated_at


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
    pods are left out, as a ceiling needs it.
    """
    return sum(_get_rate_usd_hr(thing) for thing in things if now is None or not has_ended(thing, now))


def accrued_usd(thing: PodDetails | Disk, now: datetime, *, since: datetime | None = None) -> float:
    """Estimate what a pod or disk has cost from its creation (or ``since``) until ``now`` or its end, in USD.

    Assume the current rate throughout. For STOPPED pods, assume the running price until ``updated_at`` and
    the stopped price since. A disk costs the same, attached or not.
    """
    begin = max((moment for moment in (thing.created_at, since) if moment), default=None)
    if begin is None:
        return 0.0
    until = min(now, end_of(thing) or now)
    hours = max(0.0, (until - begin) / _HOUR)
    rate_usd_hr = _get_rate_usd_hr(thing)
    if isinstance(thing, Disk) or thing.status != PodStatus.STOPPED:
        return rate_usd_hr * hours
    stopped_hours = max(0.0, (until - max(thing.updated_at or until, begin)) / _HOUR)
    return (thing.price_hr or 0.0) * (hours - stopped_hours) + rate_usd_hr * stopped_hours


def _get_rate_usd_hr(thing: PodDetails | Disk) -> float:
    rate_usd_hr: float | None = None
    if isinstance(thing, PodDetails) and isinstance(thing.status, PodStatus):
        rate_usd_hr = {
            PodStatus.PROVISIONING: thing.provisioning_price_hr,
            PodStatus.STOPPED: thing.stopped_price_hr,
            PodStatus.TERMINATED: 0.0,
        }.get(thing.status)
    return (thing.price_hr or 0.0) if rate_usd_hr is None else rate_usd_hr

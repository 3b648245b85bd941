"""What pods and disks cost an hour in the states they are in, and until when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from primepods_magic.api.account import Disk
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.models import PodDetails

__all__ = ["accrued_usd", "burn_usd_hr", "disk_burn_usd_hr", "end_of", "has_ended"]

_HOUR = timedelta(hours=1)


def end_of(thing: PodDetails | Disk) -> datetime | None:
    """Return when a pod or a disk ends, as it says itself; an end before its beginning is none, unless it is
    gone."""
    is_before = thing.created_at and thing.terminated_at and thing.terminated_at < thing.created_at
    return None if is_before and thing.status != PodStatus.TERMINATED else thing.terminated_at


def has_ended(thing: PodDetails | Disk, now: datetime) -> bool:
    """Return whether a pod or a disk costs nothing any more: it is gone, or its end is past.

    >>> from datetime import timezone
    >>> now = datetime(2026, 11, 29, tzinfo=timezone.utc)
    >>> has_ended(Disk(status="UNATTACHED", terminated_at="2026-11-02T00:00:00Z"), now)
    True
    """
    end = end_of(thing)
    return thing.status == PodStatus.TERMINATED or (end is not None and end <= now)


def burn_usd_hr(pods: Iterable[PodDetails], now: datetime | None = None) -> float:
    """What pods cost an hour in the states they are in, as far as is told: an estimate in USD.

    ERROR, UNKNOWN and DELETING may be billed and are counted, and so is a word that is not known.

    Parameters
    ----------
    pods : iterable of PodDetails
        The pods.
    now : datetime, optional
        Leave out those whose end is past then. Without it only those that are gone are left out, as a ceiling
        needs it.
    """
    return sum(_rate_usd_hr(pod) for pod in pods if now is None or not has_ended(pod, now))


def disk_burn_usd_hr(disks: Iterable[Disk], now: datetime) -> float:
    """What disks cost an hour, attached or not: an estimate in USD. Those that have ended cost nothing."""
    return sum(disk.price_hr or 0.0 for disk in disks if not has_ended(disk, now))


def accrued_usd(thing: PodDetails | Disk, now: datetime, *, since: datetime | None = None) -> float:
    """Return what a pod or disk must have cost so far, as far as is told: an estimate in USD.

    It costs what it costs now since it was created, until its end. A pod that is STOPPED costs that since it
    last changed, and the running price before. A disk costs the same, attached or not.

    Parameters
    ----------
    thing : PodDetails or Disk
        The pod or disk.
    now : datetime
        Up to when.
    since : datetime, optional
        Leave out what it has cost before.
    """
    begin = max((moment for moment in (thing.created_at, since) if moment), default=None)
    if begin is None:
        return 0.0
    until = min(now, end_of(thing) or now)
    hours = max(0.0, (until - begin) / _HOUR)
    running_usd_hr = thing.price_hr or 0.0
    if isinstance(thing, Disk):
        return running_usd_hr * hours
    rate = _rate_usd_hr(thing)
    if thing.status != PodStatus.STOPPED:
        return rate * hours
    stopped_hours = max(0.0, (until - max(thing.updated_at or until, begin)) / _HOUR)
    return running_usd_hr * (hours - stopped_hours) + rate * stopped_hours


def _rate_usd_hr(pod: PodDetails) -> float:
    by_status = {
        PodStatus.PROVISIONING: pod.provisioning_price_hr,
        PodStatus.STOPPED: pod.stopped_price_hr,
        PodStatus.TERMINATED: 0.0,
    }
    rate = by_status.get(pod.status) if isinstance(pod.status, PodStatus) else None
    return (pod.price_hr or 0.0) if rate is None else rate

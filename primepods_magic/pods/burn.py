"""What pods cost an hour in the states they are in."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from primepods_magic.api.models import PodDetails
from primepods_magic.api.vocabulary import PodStatus

__all__ = ["accrued_usd", "burn_usd_hr"]

_HOUR = timedelta(hours=1)


def burn_usd_hr(pods: Iterable[PodDetails]) -> float:
    """What pods cost an hour in the states they are in, as far as is told: an estimate in USD.

    ERROR, UNKNOWN and DELETING may be billed and are counted.
    """
    return sum(_rate_usd_hr(pod) for pod in pods)


def accrued_usd(pod: PodDetails, now: datetime) -> float:
    """What a pod must have cost so far, as far as is told: an estimate in USD.

    It costs what it costs now since it was created; where it is STOPPED, that since it last changed, and the
    running price before.

    Parameters
    ----------
    pod : PodDetails
        The pod.
    now : datetime
        Up to when.
    """
    if pod.created_at is None:
        return 0.0
    hours = max(0.0, (now - pod.created_at) / _HOUR)
    rate = _rate_usd_hr(pod)
    if pod.status != PodStatus.STOPPED:
        return rate * hours
    running_usd_hr = pod.price_hr or 0.0
    stopped_hours = max(0.0, (now - max(pod.updated_at or now, pod.created_at)) / _HOUR)
    return running_usd_hr * (hours - stopped_hours) + rate * stopped_hours


def _rate_usd_hr(pod: PodDetails) -> float:
    by_status = {
        PodStatus.PROVISIONING: pod.provisioning_price_hr,
        PodStatus.STOPPED: pod.stopped_price_hr,
        PodStatus.TERMINATED: 0.0,
    }
    rate = by_status.get(pod.status) if isinstance(pod.status, PodStatus) else None
    return (pod.price_hr or 0.0) if rate is None else rate

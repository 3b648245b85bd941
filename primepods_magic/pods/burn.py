"""What pods cost an hour in the states they are in."""

from __future__ import annotations

from collections.abc import Iterable

from primepods_magic.api.models import PodDetails
from primepods_magic.api.vocabulary import PodStatus

__all__ = ["burn_usd_hr"]


def burn_usd_hr(pods: Iterable[PodDetails]) -> float:
    """What pods cost an hour in the states they are in, as far as is told: an estimate in USD.

    ERROR, UNKNOWN and DELETING may be billed and are counted.
    """
    return sum(_rate_usd_hr(pod) for pod in pods)


def _rate_usd_hr(pod: PodDetails) -> float:
    by_status = {
        PodStatus.PROVISIONING: pod.provisioning_price_hr,
        PodStatus.STOPPED: pod.stopped_price_hr,
        PodStatus.TERMINATED: 0.0,
    }
    rate = by_status.get(pod.status) if isinstance(pod.status, PodStatus) else None
    return (pod.price_hr or 0.0) if rate is None else rate

"""Figures of a pod, within what can be: it is an untrusted machine, and may say anything."""

from __future__ import annotations

import time

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.rates import get_rate_usd_hr

__all__ = ["MAX_SECONDS", "MAX_USD", "Stopwatch", "bound_seconds", "estimate_usd", "find_rate_usd_hr"]

MAX_SECONDS = 1e9
MAX_USD = 1e12
_HOUR_S = 3600
_TOLERANCE_S = 60.0
_START_S = 1.0


class Stopwatch:
    """The time since something was sent to a pod, in which a cell there can have run."""

    def __init__(self) -> None:
        self._began_s = time.monotonic(), time.time()

    def measure_s(self) -> float:
        """Return the time until now and a little more; it includes that during which this computer slept."""
        return _START_S + max(time.monotonic() - self._began_s[0], time.time() - self._began_s[1])


def bound_seconds(connection: Connection, pod: PodDetails, seconds: float | None) -> float | None:
    """Return a duration on a pod; it is not longer than the pod has existed."""
    if seconds is None or pod.created_at is None:
        return seconds
    age_s = (connection.now() - pod.created_at).total_seconds()
    return min(seconds, age_s + _TOLERANCE_S) if age_s >= 0 else seconds


def find_rate_usd_hr(pod: PodDetails) -> float | None:
    """Return what a pod costs per hour, in USD; None if that is not known, or no price."""
    rate = get_rate_usd_hr(pod)
    return rate if rate is not None and 0 <= rate <= MAX_USD else None


def estimate_usd(pod: PodDetails, seconds: float | None) -> float | None:
    """Return what a pod costs in a time, in USD; None if that is not known, or no price."""
    rate = find_rate_usd_hr(pod)
    usd = None if rate is None or seconds is None else rate * seconds / _HOUR_S
    return usd if usd is not None and 0 <= usd <= MAX_USD else None

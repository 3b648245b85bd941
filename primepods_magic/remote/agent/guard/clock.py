"""The time on the pod that deadlines are compared with: two of three clocks must say that it has come."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from statistics import median
from typing import Any

from ..activity.signals import read_clock

__all__ = ["PodClock", "describe_time", "format_time", "make_anchor", "parse_time"]


class PodClock:
    """The median of the service's time, the pod's clock, and the time since arming, in seconds since 1970.

    A sandbox's time is its own, and counts alone.

    Parameters
    ----------
    anchor : dict
        What `make_anchor` returned when the guard was armed.
    is_sandbox : bool
    """

    def __init__(self, anchor: dict[str, Any], is_sandbox: bool) -> None:
        self._anchor = anchor
        self._is_sandbox = is_sandbox
        self._seen: tuple[float, float] | None = None

    def note_service_time(self, service_s: float) -> None:
        """Note the service's time, as it has just said it."""
        self._seen = (service_s, read_clock())

    def read_now_s(self) -> float | None:
        """Return the time, or None for a sandbox that has not said its own yet."""
        running_s = read_clock()
        service_s = None if self._seen is None else self._seen[0] + running_s - self._seen[1]
        if self._is_sandbox:
            return service_s
        ours = (
            time.time() + float(self._anchor["ahead_s"]),
            float(self._anchor["service_s"]) + running_s - float(self._anchor["running_s"]),
        )
        # Of two, both must have come to it.
        return min(ours) if service_s is None else median((service_s, *ours))


def make_anchor(service_s: float) -> dict[str, float]:
    """Return all clocks as they are now."""
    return {"service_s": service_s, "ahead_s": service_s - time.time(), "running_s": read_clock()}


def parse_time(text: object) -> float | None:
    """Return seconds since 1970 of a time with a zone, or None if the text is none."""
    try:
        moment = datetime.fromisoformat(str(text).strip().replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return None


def format_time(seconds: float) -> str:
    """Return a time in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def describe_time(seconds: float) -> str:
    """Return a time in UTC as people read it."""
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M} UTC"

"""The last reading of a signal of activity, and its quiet time: unknown and stale are not quiet."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

__all__ = ["BUSY", "IDLE", "UNKNOWN", "Reading", "Signal", "make_unknown", "read_clock"]

BUSY, IDLE, UNKNOWN = "busy", "idle", "unknown"
_NOT_YET = "it is not measured yet"


class Reading(NamedTuple):
    """A state, a short fact, and the reason if the state is not idle."""

    state: str
    value: str
    reason: str = ""


def make_unknown(reason: str) -> Reading:
    """Return the reading of what cannot be determined."""
    return Reading(UNKNOWN, "", reason)


def read_clock() -> float:
    """Return seconds of a clock that cannot be set, and that goes on while the pod is suspended."""
    # Where there is none, a suspended pod's clock stands still, which is no observed time either.
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return time.monotonic()


class Signal:
    """One signal: its last reading, and since when all its readings say idle."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._reading = make_unknown(_NOT_YET)
        self._sampled_s: float | None = None
        self._quiet_since_s: float | None = None

    def note(self, now_s: float, reading: Reading, max_gap_s: float) -> None:
        """Note a sample; time without samples is not quiet."""
        has_gap = self._sampled_s is not None and now_s - self._sampled_s > max_gap_s
        if reading.state != IDLE or has_gap:
            self._quiet_since_s = None
        if reading.state == IDLE and self._quiet_since_s is None:
            self._quiet_since_s = now_s
        self._reading, self._sampled_s = reading, now_s

    def note_busy(self, reason: str) -> None:
        """Note that it is busy in between: the next sample may find it idle again."""
        self._quiet_since_s = None
        self._reading = Reading(BUSY, self._reading.value, reason)

    def describe(self, now_s: float, max_gap_s: float) -> dict[str, Any]:
        """Return the facts for a client."""
        age_s = None if self._sampled_s is None else now_s - self._sampled_s
        reading, quiet_s = self._reading, 0.0
        if age_s is not None and age_s > max_gap_s:
            reading = Reading(UNKNOWN, reading.value, f"it has not been measured for {age_s:.0f} s")
        elif self._quiet_since_s is not None and self._sampled_s is not None:
            quiet_s = self._sampled_s - self._quiet_since_s
        return {
            "name": self.name,
            "state": reading.state,
            "value": reading.value,
            "age_s": age_s,
            "quiet_s": quiet_s,
            "reason": reading.reason,
        }

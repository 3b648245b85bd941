"""Clocks: the service's time, and waiting by it."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Protocol

from primepods_magic.api.http.session import HttpSession

__all__ = ["Clock", "ServiceClock", "SteppedClock"]


class Clock(Protocol):
    """A clock that shows the service's time and waits by it."""

    def now(self) -> datetime:
        """Return the service's time (UTC)."""

    def monotonic(self) -> float:
        """Return seconds that only grow, for time-outs: a service's ``Date`` may stand still."""

    def least_age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return the minimum age in seconds of an event that both clocks recorded; either may have jumped.

        ``moment`` is by the service's clock, ``noted_at_s`` in seconds since 1970 by this computer's.
        """

    def age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return the age in seconds by the clock that is least likely to have jumped."""

    def sleep(self, seconds: float) -> None:
        """Let some of the service's time pass; Ctrl-C ends it."""

    def pass_by(self, seconds: float) -> bool:
        """Advance a simulated clock; return False for a real one."""

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait for an event, at most that long; return whether it is set."""


class ServiceClock:
    """Real time, set by the ``Date`` header of the service's responses."""

    def __init__(self, transport: HttpSession) -> None:
        self._transport = transport

    def now(self) -> datetime:
        """Return the service's time (UTC); this computer's before the first response."""
        seen = self._transport.service_time
        if seen is None:
            return datetime.now(timezone.utc)
        moment, at = seen
        try:
            return moment + timedelta(seconds=time.monotonic() - at)
        except OverflowError:
            # Only at the end of the year 9999.
            return moment

    def monotonic(self) -> float:
        """Return this computer's seconds."""
        return time.monotonic()

    def least_age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return the shorter age by the two clocks."""
        ages = [(self.now() - moment).total_seconds()]
        ages += [] if noted_at_s is None else [time.time() - noted_at_s]
        return max(0.0, min(ages))

    def age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return the age by this computer's clock if noted: a service may send any ``Date``."""
        age_s = (self.now() - moment).total_seconds() if noted_at_s is None else time.time() - noted_at_s
        return max(0.0, age_s)

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        threading.Event().wait(seconds)

    def pass_by(self, seconds: float) -> bool:
        """Return False: real time passes by itself."""
        return False

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait in this computer's time."""
        return event.wait(seconds)


class SteppedClock:
    """The clock of a sandbox that stands still until a client waits; waiting advances it."""

    def __init__(self, transport: HttpSession) -> None:
        self._transport = transport

    def now(self) -> datetime:
        """Return the sandbox's time (UTC)."""
        seen = self._transport.service_time
        return seen[0] if seen else datetime.now(timezone.utc)

    def monotonic(self) -> float:
        """Return the sandbox's seconds, which waiting advances."""
        return self.now().timestamp()

    def least_age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return the age by the sandbox's clock, the only one that counts there."""
        return max(0.0, (self.now() - moment).total_seconds())

    def age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return the age by the sandbox's clock."""
        return self.least_age_s(moment, noted_at_s)

    def sleep(self, seconds: float) -> None:
        """Advance the sandbox's clock."""
        self._transport.request("POST", "/sandbox/clock", body={"advance_s": seconds})

    def pass_by(self, seconds: float) -> bool:
        """Advance the sandbox's clock."""
        self.sleep(seconds)
        return True

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait in this computer's time: background work advances no clock."""
        return event.wait(seconds)

"""What time it is at the service, and how to wait there."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from typing import Protocol

from primepods_magic.api.http.session import HttpSession

__all__ = ["Clock", "ServiceClock", "SteppedClock"]


class Clock(Protocol):
    """Tells the service's time and waits by it."""

    def now(self) -> datetime:
        """The service's time (UTC)."""

    def monotonic(self) -> float:
        """Seconds that only grow, for budgets: a service's ``Date`` may stand still."""

    def least_age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return how long ago something was, in seconds, at least: at ``moment`` by the service's clock, and
        at ``noted_at_s`` seconds since 1970 by this computer's. Either may have jumped."""

    def age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return how long ago something was, in seconds, by the clock that is least likely to have jumped."""

    def sleep(self, seconds: float) -> None:
        """Let that much of the service's time pass; Ctrl-C ends it."""

    def pass_by(self, seconds: float) -> bool:
        """Where time passes only because somebody waits, let that much pass; whether that is so."""

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait until an event is set, or that long; whether it is set."""


class ServiceClock:
    """Real time, set by the ``Date`` that the service's answers carry.

    Parameters
    ----------
    transport : Transport
        What the answers come through.
    """

    def __init__(self, transport: HttpSession) -> None:
        self._transport = transport

    def now(self) -> datetime:
        """The service's time (UTC); this computer's before the first answer."""
        seen = self._transport.service_time
        if seen is None:
            return datetime.now(timezone.utc)
        moment, at = seen
        try:
            return moment + timedelta(seconds=time.monotonic() - at)
        except OverflowError:
            # In the last moments of the year 9999.
            return moment

    def monotonic(self) -> float:
        """This computer's seconds."""
        return time.monotonic()

    def least_age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return the shorter age by the two clocks."""
        ages = [(self.now() - moment).total_seconds()]
        ages += [] if noted_at_s is None else [time.time() - noted_at_s]
        return max(0.0, min(ages))

    def age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return the age by this computer's clock if it is noted: a service sends any ``Date``."""
        age_s = (self.now() - moment).total_seconds() if noted_at_s is None else time.time() - noted_at_s
        return max(0.0, age_s)

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        threading.Event().wait(seconds)

    def pass_by(self, seconds: float) -> bool:
        """It passes by itself."""
        return False

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait in this computer's time."""
        return event.wait(seconds)


class SteppedClock:
    """The clock of a sandbox that stands still until a client waits: waiting moves it.

    Parameters
    ----------
    transport : Transport
        Where the sandbox answers.
    """

    def __init__(self, transport: HttpSession) -> None:
        self._transport = transport

    def now(self) -> datetime:
        """The sandbox's time (UTC)."""
        seen = self._transport.service_time
        return seen[0] if seen else datetime.now(timezone.utc)

    def monotonic(self) -> float:
        """The sandbox's seconds, which waiting moves."""
        return self.now().timestamp()

    def least_age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return the age by the sandbox's clock, the only one that counts there."""
        return max(0.0, (self.now() - moment).total_seconds())

    def age_s(self, moment: datetime, noted_at_s: float | None) -> float:
        """Return the age by the sandbox's clock."""
        return self.least_age_s(moment, noted_at_s)

    def sleep(self, seconds: float) -> None:
        """Move the sandbox's clock on by that much."""
        self._transport.request("POST", "/sandbox/clock", body={"advance_s": seconds})

    def pass_by(self, seconds: float) -> bool:
        """Move the sandbox's clock on by that much."""
        self.sleep(seconds)
        return True

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait in this computer's time: what happens in the background moves no clock."""
        return event.wait(seconds)

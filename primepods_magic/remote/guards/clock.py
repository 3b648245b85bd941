"""The time that deadlines are compared with: no single clock is believed."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from statistics import median

from primepods_magic.pods.connection.base import BaseConnection
from primepods_magic.pods.connection.sandbox_detection import about_sandbox
from primepods_magic.pods.guards.powers import measure_skew_s

__all__ = ["GuardClock"]


class GuardClock:
    """The median of the service's time, this computer's, and the time since the start of the guard.

    One of them may be wrong or jump: a service may send any date, and a person may set this computer's clock.
    A sandbox's time is its own: it may run at any speed, which is also that of idleness.
    """

    def __init__(self, connection: BaseConnection) -> None:
        self._connection = connection
        self._skew_s: float | None = None
        """How far the service's clock was ahead of this computer's at first."""
        self._anchor_s = time.time() - _read_running_s()
        about = about_sandbox(connection.client) if connection.is_sandbox else None
        clock = about.get("clock") if about else None
        speed = clock.get("speed") if isinstance(clock, dict) else None
        self.speed = float(speed) if isinstance(speed, (int, float)) and speed > 0 else 1.0

    def now(self) -> datetime:
        """Return the time (UTC), by the service's clock as last seen."""
        service = self._connection.now()
        if self._connection.is_sandbox:
            return service
        if self._skew_s is None:
            # At the start, the service is believed: this computer's clock may be set wrong.
            self._skew_s = measure_skew_s(self._connection)
        ours = (time.time(), self._anchor_s + _read_running_s())
        witnesses = (service.timestamp(), *(moment + (self._skew_s or 0.0) for moment in ours))
        return datetime.fromtimestamp(median(witnesses), timezone.utc)


def _read_running_s() -> float:
    """Return seconds that also pass while this computer sleeps, if the system counts them."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)

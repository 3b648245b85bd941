"""The sandbox's clock, which runs at any speed or stands still until it is moved."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import lru_cache

from primepods_magic.sandbox.schemas.enums import ClockMode

__all__ = ["END_OF_TIME", "EPOCH", "STEPPED_START", "Clock", "http_date", "iso", "to_ms", "wall_ms"]

STEPPED_START = datetime(2026, 9, 14, 8, 0, 0, tzinfo=timezone.utc)
"""The default start of a stepped clock."""

_MS_PER_HOUR = 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
END_OF_TIME = datetime(9999, 1, 1, tzinfo=timezone.utc)
"""The maximum time: years have four digits, and clients need room to add a wait or a time zone."""


@dataclass(frozen=True)
class Clock:
    """The sandbox's time: `anchor_ms` when the computer's clock was at `anchor_wall_ms` (since 1970)."""

    mode: ClockMode
    speed: float
    anchor_ms: int
    anchor_wall_ms: int

    def now_ms(self) -> int:
        if self.mode == "stepped":
            return self.anchor_ms
        # Setting the computer's clock back must not undo past events.
        elapsed_ms = max(0, wall_ms() - self.anchor_wall_ms)
        return min(self.anchor_ms + round(elapsed_ms * self.speed), to_ms(END_OF_TIME))

    def advanced(self, advance_s: float) -> Clock:
        """Return this clock moved forward; raise ValueError beyond the last supported date."""
        advance_ms = round(advance_s * 1000)
        if self.now_ms() + advance_ms > to_ms(END_OF_TIME):
            raise ValueError(f"the clock cannot go beyond {END_OF_TIME:%Y-%m-%d}")
        return replace(self, anchor_ms=self.anchor_ms + advance_ms)

    def continued(self, mode: ClockMode | None, speed: float | None) -> Clock:
        """Return a clock that goes on from now in another mode or at another speed."""
        return Clock(
            mode=mode or self.mode,
            speed=self.speed if speed is None else speed,
            anchor_ms=self.now_ms(),
            anchor_wall_ms=wall_ms(),
        )


def wall_ms() -> int:
    """Return the computer's time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def to_ms(moment: datetime) -> int:
    """Return milliseconds since 1970; a naive `moment` is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return (aware - EPOCH) // timedelta(milliseconds=1)


def iso(instant_ms: int) -> str:
    """Format an instant as RFC 3339 in UTC.

    >>> iso(0)
    '1970-01-01T00:00:00.000Z'
    """
    hour, rest_ms = divmod(instant_ms, _MS_PER_HOUR)
    second, ms = divmod(rest_ms, 1000)
    return f"{_format_hour(hour)}:{second // 60:02d}:{second % 60:02d}.{ms:03d}Z"


# Cache five months of hours: formatting dates dominated the time of a history page.
@lru_cache(maxsize=4096)
def _format_hour(number: int) -> str:
    """Format hours since 1970 as the beginning of a timestamp: `2026-09-14T08`."""
    return (EPOCH + timedelta(hours=number)).strftime("%Y-%m-%dT%H")


def http_date(instant_ms: int) -> str:
    """Format an instant for the HTTP `Date` header."""
    return format_datetime(EPOCH + timedelta(milliseconds=instant_ms), usegmt=True)

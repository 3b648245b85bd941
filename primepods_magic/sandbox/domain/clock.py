"""The sandbox's clock: it runs (perhaps faster than the wall's) or stands still until it is told to move."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import lru_cache

from primepods_magic.sandbox.schemas.enums import ClockMode

STEPPED_START = datetime(2026, 9, 14, 8, 0, 0, tzinfo=timezone.utc)
"""Where a clock that stands still begins, unless told otherwise."""

_MS_PER_HOUR = 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
END_OF_TIME = datetime(9999, 1, 1, tzinfo=timezone.utc)
"""Where every clock stops. Dates have four digits of year, and clients need room to add a wait or a zone."""


@dataclass(frozen=True)
class Clock:
    """One reading of the sandbox's time and how to go on from it.

    Instants are whole milliseconds since 1970 (UTC), which SQLite keeps exactly and compares cheaply.

    Parameters
    ----------
    mode:
        ``"running"`` or ``"stepped"``.
    speed:
        Sandbox seconds per wall second; only a running clock looks at it.
    anchor_ms:
        What the sandbox's clock said at ``anchor_wall_ms``.
    anchor_wall_ms:
        What the computer's clock said then.
    """

    mode: ClockMode
    speed: float
    anchor_ms: int
    anchor_wall_ms: int

    def now_ms(self) -> int:
        """The sandbox's present instant."""
        if self.mode == "stepped":
            return self.anchor_ms
        # A wall clock that is set back must not undo what has already happened here.
        elapsed_ms = max(0, wall_ms() - self.anchor_wall_ms)
        return min(self.anchor_ms + round(elapsed_ms * self.speed), to_ms(END_OF_TIME))

    def advanced(self, advance_s: float) -> Clock:
        """The same clock, moved forward by ``advance_s`` seconds.

        Raises
        ------
        ValueError
            When the clock would pass the end of time.
        """
        advance_ms = round(advance_s * 1000)
        if self.now_ms() + advance_ms > to_ms(END_OF_TIME):
            raise ValueError(f"the clock would pass {END_OF_TIME:%Y-%m-%d}, where the sandbox's time ends")
        return replace(self, anchor_ms=self.anchor_ms + advance_ms)

    def continued(self, mode: ClockMode | None, speed: float | None) -> Clock:
        """The same instant, going on in another mode or at another speed (None leaves it as it is)."""
        return Clock(
            mode=mode or self.mode,
            speed=self.speed if speed is None else speed,
            anchor_ms=self.now_ms(),
            anchor_wall_ms=wall_ms(),
        )


def wall_ms() -> int:
    """The computer's own clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970; a naive ``moment`` is read as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return (aware - EPOCH) // timedelta(milliseconds=1)


def iso(instant_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds.

    Example
    -------
    >>> iso(0)
    '1970-01-01T00:00:00.000Z'
    """
    hour, rest_ms = divmod(instant_ms, _MS_PER_HOUR)
    second, ms = divmod(rest_ms, 1000)
    return f"{_hour(hour)}:{second // 60:02d}:{second % 60:02d}.{ms:03d}Z"


# Five months of hours: of all that makes a page of history, its dates took the longest.
@lru_cache(maxsize=4096)
def _hour(number: int) -> str:
    """An hour since 1970 as its instants begin: ``2026-09-14T08``."""
    return (EPOCH + timedelta(hours=number)).strftime("%Y-%m-%dT%H")


def http_date(instant_ms: int) -> str:
    """The value of an HTTP ``Date`` header."""
    return format_datetime(EPOCH + timedelta(milliseconds=instant_ms), usegmt=True)

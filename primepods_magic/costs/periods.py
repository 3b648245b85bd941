"""Calendar periods in a time zone as instants: hours, days, weeks, months, quarters."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["FREQUENCIES", "edges", "instant_us", "parse_frequency", "period_of"]

Ints = NDArray[np.int64]

FREQUENCIES = {"H": "hour", "D": "day", "W": "week", "M": "month", "Q": "quarter"}

_UNITS: dict[str, Any] = {"H": "h", "D": "D", "W": "D", "M": "M", "Q": "M"}
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1)
# Two hundred years of hours; more mean a mistaken date.
_MAX_PERIODS = 2_000_000


def parse_frequency(freq: str) -> str:
    """Return the letter of a frequency, or raise ValueError with those that exist."""
    known = freq.upper() if isinstance(freq, str) else ""
    if known not in FREQUENCIES:
        there = ", ".join(f"{letter} ({word})" for letter, word in FREQUENCIES.items())
        raise ValueError(f"freq={freq!r} is not one of {there}")
    return known


def instant_us(when: date | datetime | str, tz: tzinfo, what: str) -> int:
    """Return a date, a time or a text, in `tz` if naive, as microseconds since 1970; else ValueError."""
    try:
        stamp = pd.Timestamp(when)
        if not isinstance(stamp, pd.Timestamp) or isinstance(when, (int, float)):
            raise ValueError("not a date or time")
        if stamp.tzinfo is None:
            return int(_to_instants(np.array([stamp.to_datetime64()], dtype="M8[us]"), tz)[0])
        return (stamp.to_pydatetime(warn=False).astimezone(timezone.utc).replace(tzinfo=None) - _EPOCH) // (
            _MICROSECOND
        )
    except (ValueError, TypeError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{what}={when!r} is not a time: {reason}") from None


def edges(freq: str, tz: tzinfo, begin_us: int, end_us: int) -> Ints:
    """Return where periods begin, in microseconds since 1970 (UTC), and at last where they end.

    The first is the period of `begin_us`, the last that of `end_us`; ValueError if there are too many. A
    day that begins in a gap of the clocks begins when the gap ends; an hour that comes twice is two hours.
    """
    unit = np.timedelta64(1, _UNITS[freq])
    first, last = (
        _floor_wall_time(freq, _to_wall_time(begin_us, tz)),
        _floor_wall_time(freq, _to_wall_time(end_us, tz)),
    )
    step = {"W": 7, "Q": 3}.get(freq, 1)
    count = int((last - first) // (unit * step)) + 5
    if count > _MAX_PERIODS:
        word = FREQUENCIES[freq]
        raise ValueError(
            f"there are {count:,} {word}s from {first} to {last}. Use a longer freq, or since and until"
        )
    # Start two periods early: a period can begin earlier than calendar arithmetic says if clocks go back.
    walls = (first + unit * step * np.arange(-2, count - 2)).astype("M8[us]")
    instants = _to_instants(walls, tz)
    if freq == "H":
        instants = np.concatenate([instants, _to_instants(walls, tz, again=True)])
    instants = np.unique(instants)
    start = max(int(np.searchsorted(instants, begin_us, "right")) - 1, 0)
    stop = int(np.searchsorted(instants, end_us, "left"))
    return instants[start : max(stop, start + 1) + 1]


def period_of(moment: datetime, freq: str, tz: tzinfo) -> tuple[datetime, datetime]:
    """Return where the period of a moment begins, and where the one before it does."""
    at = instant_us(moment, tz, "moment")
    begin = int(edges(freq, tz, at, at + 1)[0])
    before = int(edges(freq, tz, begin - 1, begin)[0])
    epoch = _EPOCH.replace(tzinfo=timezone.utc)
    return epoch + begin * _MICROSECOND, epoch + before * _MICROSECOND


def _to_wall_time(us: int, tz: tzinfo) -> Any:
    """Return the local time at an instant."""
    return pd.Timestamp(us, unit="us", tz="UTC").tz_convert(tz).tz_localize(None).to_datetime64()


def _floor_wall_time(freq: str, wall: Any) -> Any:
    floor = wall.astype(f"M8[{_UNITS[freq]}]")
    number = int(floor.astype(np.int64))
    if freq == "W":
        # 1970 began on a Thursday.
        number -= (number + 3) % 7
    elif freq == "Q":
        number -= number % 3
    return np.datetime64(number, _UNITS[freq])


def _to_instants(walls: NDArray[Any], tz: tzinfo, *, again: bool = False) -> Ints:
    """Return the instants of local times; of two, the first, or the second with `again`."""
    if tz is timezone.utc:
        return walls.astype(np.int64)
    local = pd.DatetimeIndex(walls)
    # pandas can shift forward out of a gap as well, but not out of gaps of every length.
    stamps = local.tz_localize(tz, ambiguous=np.full(len(local), not again), nonexistent="NaT")
    instants: Ints = stamps.tz_convert("UTC").tz_localize(None).to_numpy().astype("M8[us]").astype(np.int64)
    for index in np.flatnonzero(stamps.isna()):
        instants[index] = _find_gap_end(int(walls[index].astype(np.int64)), tz)
    return instants


def _find_gap_end(wall_us: int, tz: tzinfo) -> int:
    """Find the instant at which clocks jump over a local time, by bisection."""
    day = 26 * 3_600_000_000
    before, after = wall_us - day, wall_us + day
    while after - before > 1:
        middle = (before + after) // 2
        shown = (_EPOCH.replace(tzinfo=timezone.utc) + middle * _MICROSECOND).astimezone(tz)
        if (shown.replace(tzinfo=None) - _EPOCH) // _MICROSECOND >= wall_us:
            after = middle
        else:
            before = middle
    return after

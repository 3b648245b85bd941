"""Periods of the calendar in a time zone, as instants: where hours, days, weeks, months, quarters begin."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["FREQUENCIES", "edges", "frequency", "instant_us", "period_of"]

Ints = NDArray[np.int64]

FREQUENCIES = {"H": "hour", "D": "day", "W": "week", "M": "month", "Q": "quarter"}

_UNITS: dict[str, Any] = {"H": "h", "D": "D", "W": "D", "M": "M", "Q": "M"}
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1)
# Two hundred years of hours; more of them come from a mistaken date.
_MOST = 2_000_000


def frequency(freq: str) -> str:
    """The letter of a frequency, or a ValueError that tells which there are."""
    known = freq.upper() if isinstance(freq, str) else ""
    if known not in FREQUENCIES:
        there = ", ".join(f"{letter} ({word})" for letter, word in FREQUENCIES.items())
        raise ValueError(f"there is no freq {freq!r}; there are {there}")
    return known


def instant_us(when: date | datetime | str, tz: tzinfo, what: str) -> int:
    """A date, a time or a text as an instant, in microseconds since 1970; what has no zone is in `tz`.

    Raises
    ------
    ValueError
        Where it is not a time.
    """
    try:
        stamp = pd.Timestamp(when)
        if not isinstance(stamp, pd.Timestamp) or isinstance(when, (int, float)):
            raise ValueError("nothing that tells a time")
        if stamp.tzinfo is None:
            return int(_instants(np.array([stamp.to_datetime64()], dtype="M8[us]"), tz)[0])
        return (stamp.to_pydatetime(warn=False).astimezone(timezone.utc).replace(tzinfo=None) - _EPOCH) // (
            _MICROSECOND
        )
    except (ValueError, TypeError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{what}={when!r} is not a time: {reason}") from None


def edges(freq: str, tz: tzinfo, begin_us: int, end_us: int) -> Ints:
    """Where periods begin.

    Parameters
    ----------
    freq : str
        One of `FREQUENCIES`.
    tz : tzinfo
        In which the calendar is read.
    begin_us, end_us : int
        What the periods are to cover, in microseconds since 1970, UTC.

    Returns
    -------
    array of int64
        Microseconds since 1970, UTC, rising: the beginnings of the periods from the one in which `begin_us`
        is, and at last the end of the one in which `end_us` is or ends.

    Raises
    ------
    ValueError
        Where there would be too many.

    Notes
    -----
    A day that begins at an hour that does not exist begins when that gap ends; an hour that comes twice is
    two hours.
    """
    unit = np.timedelta64(1, _UNITS[freq])
    first, last = _floor(freq, _local(begin_us, tz)), _floor(freq, _local(end_us, tz))
    step = {"W": 7, "Q": 3}.get(freq, 1)
    count = int((last - first) // (unit * step)) + 5
    if count > _MOST:
        word = FREQUENCIES[freq]
        raise ValueError(
            f"from {first} to {last} there are {count:,} {word}s: choose a longer freq, or since and until"
        )
    # Clocks that are put back make a period begin earlier than the calendar's arithmetic says.
    walls = (first + unit * step * np.arange(-2, count - 2)).astype("M8[us]")
    found = _instants(walls, tz)
    if freq == "H":
        found = np.concatenate([found, _instants(walls, tz, again=True)])
    found = np.unique(found)
    start = max(int(np.searchsorted(found, begin_us, "right")) - 1, 0)
    stop = int(np.searchsorted(found, end_us, "left"))
    return found[start : max(stop, start + 1) + 1]


def period_of(moment: datetime, freq: str, tz: tzinfo) -> tuple[datetime, datetime]:
    """Where the period of a moment begins, and where the one before it does."""
    at = instant_us(moment, tz, "moment")
    begin = int(edges(freq, tz, at, at + 1)[0])
    before = int(edges(freq, tz, begin - 1, begin)[0])
    epoch = _EPOCH.replace(tzinfo=timezone.utc)
    return epoch + begin * _MICROSECOND, epoch + before * _MICROSECOND


def _local(us: int, tz: tzinfo) -> Any:
    """What a clock on the wall shows at an instant."""
    return pd.Timestamp(us, unit="us", tz="UTC").tz_convert(tz).tz_localize(None).to_datetime64()


def _floor(freq: str, wall: Any) -> Any:
    floor = wall.astype(f"M8[{_UNITS[freq]}]")
    number = int(floor.astype(np.int64))
    if freq == "W":
        # 1970 began on a Thursday.
        number -= (number + 3) % 7
    elif freq == "Q":
        number -= number % 3
    return np.datetime64(number, _UNITS[freq])


def _instants(walls: NDArray[Any], tz: tzinfo, *, again: bool = False) -> Ints:
    """When clocks show these times; of two, the first, or the second where it is to be `again`."""
    if tz is timezone.utc:
        return walls.astype(np.int64)
    local = pd.DatetimeIndex(walls)
    # pandas, too, can shift forward out of a gap, but only where the gap is as long as most are.
    stamps = local.tz_localize(tz, ambiguous=np.full(len(local), not again), nonexistent="NaT")
    found: Ints = stamps.tz_convert("UTC").tz_localize(None).to_numpy().astype("M8[us]").astype(np.int64)
    for place in np.flatnonzero(stamps.isna()):
        found[place] = _end_of_gap(int(walls[place].astype(np.int64)), tz)
    return found


def _end_of_gap(wall_us: int, tz: tzinfo) -> int:
    """The instant at which clocks jump over a time."""
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

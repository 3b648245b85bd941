"""Time along an axis: in the frame's time zone, which is named."""

from __future__ import annotations

from datetime import timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_usd

from .labels import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Periods", "as_days", "label_time", "periods_of", "total", "wall_clock", "zone_of"]

_UNITS = {"H": "hour", "D": "day", "W": "week", "M": "month", "Q": "quarter"}
_FREQUENCIES = {"hour": "h", "day": "D", "period": "D", "week": "7D", "month": "MS", "quarter": "QS"}
_EPOCH = pd.Timestamp("1970-01-01")


class Periods(NamedTuple):
    """Equal stretches of time, one after the other without a gap.

    Parameters
    ----------
    unit : str
        hour, day, week, month or quarter; period where a single one does not tell which.
    edges : pandas.DatetimeIndex
        Where they begin, and where the last one ends, by the clock on the wall.
    """

    unit: str
    edges: pd.DatetimeIndex


def zone_of(times: pd.Series) -> str:
    """The name of a column's time zone."""
    zone = getattr(times.dt, "tz", None)
    return "UTC" if zone is None or zone == timezone.utc else str(zone)


def wall_clock(times: pd.Series) -> pd.Series:
    """Times as the clock on the wall shows them: an axis of them has no hours twice, and none missing."""
    local: pd.Series = times.dt.tz_localize(None)
    return local


def as_days(times: Any) -> np.ndarray:
    """Wall clock times as matplotlib counts them in any version and under any setting: days since 1970."""
    days = (pd.DatetimeIndex(times) - _EPOCH) / pd.Timedelta(days=1)
    return np.asarray(days, dtype=float)


def periods_of(starts: pd.Series, freq: str | None = None) -> Periods:
    """All periods from the first to the last of a breakdown; without `freq`, told from where they begin."""
    found = _whole_days(pd.DatetimeIndex(np.sort(wall_clock(starts).dropna().unique())).as_unit("us"))
    unit = _UNITS.get((freq or "").upper()) or _unit(found)
    if found.empty:
        return Periods(unit, found)
    step = pd.tseries.frequencies.to_offset(_FREQUENCIES[unit])
    assert step is not None
    inner = pd.date_range(found[0], found[-1], freq=step)
    return Periods(unit, pd.DatetimeIndex([*inner, inner[-1] + step]))


def total(breakdown: pd.DataFrame) -> str:
    """What a breakdown comes to, and how much of that cannot be put on an axis of time."""
    costs = breakdown["cost_usd"].to_numpy(dtype=float, na_value=0.0)
    undated = costs[breakdown["period"].isna().to_numpy(dtype=bool)]
    return format_usd(costs.sum()) + (
        f" ({format_usd(undated.sum())} of it without a date)" if undated.any() else ""
    )


def label_time(axes: Axes, zone: str) -> None:
    """Dates along the horizontal axis, as few as can be read."""
    from matplotlib import dates

    mpl_dates: Any = dates
    locator = mpl_dates.AutoDateLocator(tz=timezone.utc, minticks=3, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mpl_dates.ConciseDateFormatter(locator, tz=timezone.utc))
    axes.set_xlabel(plain(zone))


def _whole_days(found: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """A day begins at midnight, even where clocks then jump ahead."""
    is_daily = len(found) > 1 and np.diff(found).min() >= np.timedelta64(20, "h")
    return found.normalize() if is_daily and (found.hour <= 1).all() else found


def _unit(found: pd.DatetimeIndex) -> str:
    if len(found) < 2:
        return "period"
    if (found != found.normalize()).any():
        return "hour"
    if (found.day == 1).all():
        months = np.diff(found.year * 12 + found.month)
        is_quarterly = (found.month % 3 == 1).all() and (months % 3 == 0).all()
        return "quarter" if is_quarterly else "month"
    weeks = np.diff(found) % np.timedelta64(7, "D") == np.timedelta64(0, "D")
    return "week" if (found.day_of_week == 0).all() and weeks.all() else "day"

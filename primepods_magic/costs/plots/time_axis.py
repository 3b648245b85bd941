"""Time axes in the frame's time zone, which they name."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_usd
from primepods_magic.costs.periods import FREQUENCIES

from .labels import escape_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Periods",
    "describe_total",
    "find_periods",
    "label_time",
    "to_day",
    "to_days",
    "to_wall_time",
    "zone_name",
]

_FREQUENCIES = {"hour": "h", "day": "D", "period": "D", "week": "7D", "month": "MS", "quarter": "QS"}
_EPOCH = pd.Timestamp("1970-01-01")


class Periods(NamedTuple):
    """Consecutive periods of equal length.

    `unit` is hour, day, week, month or quarter, or period if a single one does not determine it; `edges`
    are their beginnings, and the end of the last one, in local time.
    """

    unit: str
    edges: pd.DatetimeIndex


def zone_name(times: pd.Series) -> str:
    """Return the name of a column's time zone."""
    zone = getattr(times.dt, "tz", None)
    return "UTC" if zone is None or zone == timezone.utc else str(zone)


def to_wall_time(times: pd.Series) -> pd.Series:
    """Return local times: an axis of them repeats no hour and skips none."""
    local: pd.Series = times.dt.tz_localize(None)
    return local


def to_days(times: Any) -> np.ndarray:
    """Return local times as days since 1970, as any version of matplotlib counts them."""
    days = (pd.DatetimeIndex(times) - _EPOCH) / pd.Timedelta(days=1)
    return np.asarray(days, dtype=float)


def to_day(moment: datetime, times: pd.Series) -> float:
    """Return a moment (UTC if naive) as days since 1970 in the time zone of a column."""
    time = pd.Timestamp(moment)
    time = time.tz_localize("UTC") if time.tzinfo is None else time
    return float(to_days([time.tz_convert(times.dt.tz).tz_localize(None)])[0])


def find_periods(starts: pd.Series, freq: str | None = None) -> Periods:
    """Return all periods from the first to the last of a breakdown; without `freq`, guess their unit."""
    begins = _round_to_days(pd.DatetimeIndex(np.sort(to_wall_time(starts).dropna().unique())).as_unit("us"))
    unit = FREQUENCIES.get((freq or "").upper()) or _guess_unit(begins)
    if begins.empty:
        return Periods(unit, begins)
    step = pd.tseries.frequencies.to_offset(_FREQUENCIES[unit])
    assert step is not None
    inner = pd.date_range(begins[0], begins[-1], freq=step)
    return Periods(unit, pd.DatetimeIndex([*inner, inner[-1] + step]))


def describe_total(breakdown: pd.DataFrame) -> str:
    """Format the total of a breakdown, and the part of it without a date."""
    costs = breakdown["cost_usd"].to_numpy(dtype=float, na_value=0.0)
    undated = costs[breakdown["period"].isna().to_numpy(dtype=bool)]
    return format_usd(costs.sum()) + (
        f" ({format_usd(undated.sum())} of it without a date)" if undated.any() else ""
    )


def label_time(axes: Axes, zone: str) -> None:
    """Label the horizontal axis with a few dates."""
    from matplotlib import dates

    mpl_dates: Any = dates
    locator = mpl_dates.AutoDateLocator(tz=timezone.utc, minticks=3, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mpl_dates.ConciseDateFormatter(locator, tz=timezone.utc))
    axes.set_xlabel(escape_text(zone))


def _round_to_days(begins: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Move the beginnings of days to midnight, even if clocks skip it."""
    is_daily = len(begins) > 1 and np.diff(begins).min() >= np.timedelta64(20, "h")
    return begins.normalize() if is_daily and (begins.hour <= 1).all() else begins


def _guess_unit(begins: pd.DatetimeIndex) -> str:
    if len(begins) < 2:
        return "period"
    if (begins != begins.normalize()).any():
        return "hour"
    if (begins.day == 1).all():
        months = np.diff(begins.year * 12 + begins.month)
        is_quarterly = (begins.month % 3 == 1).all() and (months % 3 == 0).all()
        return "quarter" if is_quarterly else "month"
    weeks = np.diff(begins) % np.timedelta64(7, "D") == np.timedelta64(0, "D")
    return "week" if (begins.day_of_week == 0).all() and weeks.all() else "day"

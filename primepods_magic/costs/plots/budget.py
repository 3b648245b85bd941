"""Plot of the running total against a budget, and of where it leads by the end of the month."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.api.validation.bounds import check_price
from primepods_magic.costs.coerce import require

from .colors import LIMIT, PALETTE
from .figure import apply_style, new_figure, show_message
from .labels import escape_text, format_number
from .time_axis import describe_total, find_periods, label_time, to_day, to_days, to_wall_time, zone_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_budget"]

_EPOCH = pd.Timestamp("1970-01-01")


def plot_budget(
    breakdown: pd.DataFrame,
    budget_usd: float | None = None,
    freq: str | None = None,
    *,
    now: datetime | None = None,
    burn_usd_hr: float | None = None,
) -> Figure:
    """Plot the running total, where it crosses the budget, and where it leads by the end of the month.

    Costs are spread evenly within a period.

    Parameters
    ----------
    breakdown : pandas.DataFrame
        A result of `breakdown` with a ``freq``.
    budget_usd : float, optional
        Budget in USD for the whole time.
    freq : str, optional
        That ``freq``: ``H``, ``D``, ``W``, ``M`` or ``Q``; needed if there is a single period.
    now : datetime, optional
        The time up to which costs are known (UTC if naive); by default, the end of the last period.
    burn_usd_hr : float, optional
        USD per hour from `now` on, for a projection to the end of its month.

    Returns
    -------
    matplotlib.figure.Figure
        A figure that displays itself in a notebook.

    Raises
    ------
    NotConfigured
        matplotlib is not installed.
    ValueError
        A column is missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"period": pd.to_datetime(["2026-09-01", "2026-09-02"], utc=True),
    ...     "cost_usd": [60.0, 60.0]})
    >>> plot_budget(frame, 100)
    Figure: cost so far, budget crossed on 2026-09-02
    >>> plot_budget(frame, 500, now=datetime(2026, 9, 3), burn_usd_hr=2.5)
    Figure: cost so far, budget crossed on 2026-09-09 at this rate
    """
    check_price("budget_usd", budget_usd)
    check_price("burn_usd_hr", burn_usd_hr or None)
    with apply_style():
        require(breakdown, "breakdown", ("period", "cost_usd"))
        dated = breakdown[breakdown["period"].notna()]
        path = _sum_spent(dated, freq, now)
        ahead = None if dated.empty else _project_spent(path, breakdown["period"].dt.tz, now, burn_usd_hr)
        crossing = None if budget_usd is None else _find_crossing(path, ahead, budget_usd)
        outcome = _describe_outcome(crossing, ahead, budget_usd)
        title = f"Cost so far: {describe_total(breakdown)}"
        if budget_usd is not None:
            title += f", budget {format_usd(budget_usd)}{outcome.removeprefix(', budget')}"
        by_end, parts = "", []
        if ahead is not None:
            by_end = f"by {_format_date(ahead.days[1] - 1)} at {format_usd_hr(burn_usd_hr)}"
            parts.append((by_end, format_usd(ahead.usd[1])))
        figure, axes = new_figure(f"cost so far{outcome}", title, parts=parts)
        if dated.empty:
            show_message(axes, "nothing was spent")
            return figure
        _draw_path(axes, path, ahead, by_end.replace(" at ", "\nat "))
        if budget_usd is not None:
            _draw_budget(axes, path, budget_usd, crossing)
        shown = [path] if ahead is None else [path, ahead]
        highest = max(budget_usd or 0.0, *(float(each.usd.max()) for each in shown))
        axes.set_xlim(path.days[0], shown[-1].days[-1])
        axes.set_ylim(min(0.0, 1.05 * path.usd.min()), 1.12 * highest or 1.0)
        axes.set_ylabel("USD")
        axes.yaxis.set_major_formatter(lambda value, _: format_number(value))
        axes.grid(axis="y")
        label_time(axes, zone_name(breakdown["period"]))
    return figure


class _Path(NamedTuple):
    """Running totals in USD at times, which are days on the axis."""

    days: np.ndarray
    usd: np.ndarray


def _sum_spent(breakdown: pd.DataFrame, freq: str | None, now: datetime | None) -> _Path:
    """Return the running total at the edges of the periods, up to now."""
    periods = find_periods(breakdown["period"], freq).edges
    if periods.empty:
        return _Path(np.zeros(1), np.zeros(1))
    at = periods.searchsorted(pd.DatetimeIndex(to_wall_time(breakdown["period"])), side="right") - 1
    costs = breakdown["cost_usd"].to_numpy(dtype=float, na_value=0.0)
    sums = np.bincount(at, weights=costs, minlength=len(periods) - 1)
    days, usd = to_days(periods), np.concatenate([[0.0], np.cumsum(sums)])
    if now is not None:
        today = to_day(now, breakdown["period"])
        if today > days[-1]:
            days, usd = np.append(days, today), np.append(usd, usd[-1])
        elif today > days[-2]:
            days[-1] = today
    return _Path(days, usd)


def _project_spent(
    path: _Path, zone: tzinfo | None, now: datetime | None, burn_usd_hr: float | None
) -> _Path | None:
    """Continue the running total at a rate up to the end of the month."""
    if now is None or burn_usd_hr is None:
        return None
    moment = pd.Timestamp(now)
    moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment
    month_end = moment.tz_convert(zone).tz_localize(None).normalize() + pd.offsets.MonthBegin()
    hours = (month_end.tz_localize(zone, nonexistent="shift_forward") - moment) / pd.Timedelta(hours=1)
    end = float(to_days([month_end])[0])
    return _Path(np.array([path.days[-1], end]), path.usd[-1] + np.array([0.0, hours * burn_usd_hr]))


def _find_crossing(path: _Path, ahead: _Path | None, budget_usd: float) -> float | None:
    """Find when the budget is first exceeded, as days on the axis."""
    days, usd = (np.concatenate(each) for each in zip(path, ahead, strict=True)) if ahead else path
    above = np.flatnonzero(usd > budget_usd)
    if not above.size:
        return None
    after = int(above[0])
    if after == 0:
        return float(days[0])
    before = after - 1
    part = (budget_usd - usd[before]) / (usd[after] - usd[before])
    return float(days[before] + part * (days[after] - days[before]))


def _draw_path(axes: Axes, path: _Path, ahead: _Path | None, by_end: str) -> None:
    axes.fill_between(*path, color=PALETTE[0], alpha=0.18, linewidth=0)
    axes.plot(*path, color=PALETTE[0])
    if ahead is not None:
        axes.plot(*ahead, color=PALETTE[0], linestyle=(0, (1.5, 1.5)))
        axes.annotate(
            f"{format_usd(ahead.usd[1])}\n{by_end}".replace("$", r"\$"),
            xy=(1.0, ahead.usd[1]),
            xycoords=("axes fraction", "data"),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )


def _draw_budget(axes: Axes, path: _Path, budget_usd: float, crossing: float | None) -> None:
    axes.axhline(budget_usd, color=LIMIT, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.annotate(
        f"budget {escape_text(format_usd(budget_usd))}",
        xy=(0.0, budget_usd),
        xycoords=("axes fraction", "data"),
        xytext=(4, 3),
        textcoords="offset points",
        va="bottom",
    )
    if crossing is None:
        return
    after = path.days > crossing
    if after.any():
        axes.plot([crossing, *path.days[after]], [budget_usd, *path.usd[after]], color=LIMIT)
    axes.plot(crossing, budget_usd, "o", color=LIMIT, markersize=7, markeredgewidth=0, zorder=3)


def _describe_outcome(crossing: float | None, ahead: _Path | None, budget_usd: float | None) -> str:
    if budget_usd is None:
        return ""
    if crossing is None:
        return ", within the budget"
    is_ahead = ahead is not None and crossing > ahead.days[0]
    return f", budget crossed on {_format_date(crossing)}{' at this rate' if is_ahead else ''}"


def _format_date(day: float) -> str:
    return str((_EPOCH + pd.Timedelta(days=day)).date())

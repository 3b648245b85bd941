"""Plot of the running total against a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_usd
from primepods_magic.api.validation.bounds import check_price
from primepods_magic.costs.coerce import require

from .colors import LIMIT, PALETTE
from .figure import apply_style, new_figure, show_message
from .labels import escape_text, format_number
from .time_axis import describe_total, find_periods, label_time, to_days, to_wall_time, zone_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_budget"]

_EPOCH = pd.Timestamp("1970-01-01")


def plot_budget(breakdown: pd.DataFrame, budget_usd: float | None = None, freq: str | None = None) -> Figure:
    """Plot the running total, and where it crosses the budget.

    Costs are spread evenly within a period.

    Parameters
    ----------
    breakdown : pandas.DataFrame
        A result of `breakdown` with a ``freq``.
    budget_usd : float, optional
        Budget in USD for the whole time.
    freq : str, optional
        That ``freq``: ``H``, ``D``, ``W``, ``M`` or ``Q``; needed if there is a single period.

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
    """
    check_price("budget_usd", budget_usd)
    with apply_style():
        require(breakdown, "breakdown", ("period", "cost_usd"))
        dated = breakdown[breakdown["period"].notna()]
        edges, spent = _sum_spent(dated, freq)
        crossing = None if budget_usd is None else _find_crossing(edges, spent, budget_usd)
        figure, axes = new_figure(
            f"cost so far{_describe_outcome(crossing, budget_usd)}",
            f"Cost so far: {describe_total(breakdown)}{_describe_budget(crossing, budget_usd)}",
        )
        if dated.empty:
            show_message(axes, "nothing was spent")
            return figure
        axes.fill_between(edges, spent, color=PALETTE[0], alpha=0.18, linewidth=0)
        axes.plot(edges, spent, color=PALETTE[0])
        if budget_usd is not None:
            _draw_budget(axes, edges, spent, budget_usd, crossing)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(min(0.0, 1.05 * spent.min()), 1.08 * max(spent.max(), budget_usd or 0.0) or 1.0)
        axes.set_ylabel("USD")
        axes.yaxis.set_major_formatter(lambda value, _: format_number(value))
        axes.grid(axis="y")
        label_time(axes, zone_name(breakdown["period"]))
    return figure


def _sum_spent(breakdown: pd.DataFrame, freq: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the running total in USD at the edges of the periods, which are days on the axis."""
    periods = find_periods(breakdown["period"], freq).edges
    if periods.empty:
        return np.zeros(1), np.zeros(1)
    at = periods.searchsorted(pd.DatetimeIndex(to_wall_time(breakdown["period"])), side="right") - 1
    costs = breakdown["cost_usd"].to_numpy(dtype=float, na_value=0.0)
    sums = np.bincount(at, weights=costs, minlength=len(periods) - 1)
    return to_days(periods), np.concatenate([[0.0], np.cumsum(sums)])


def _find_crossing(edges: np.ndarray, spent: np.ndarray, budget_usd: float) -> float | None:
    """Find when the budget is first exceeded, as days on the axis."""
    above = np.flatnonzero(spent > budget_usd)
    if not above.size:
        return None
    after = int(above[0])
    if after == 0:
        return float(edges[0])
    before = after - 1
    part = (budget_usd - spent[before]) / (spent[after] - spent[before])
    return float(edges[before] + part * (edges[after] - edges[before]))


def _draw_budget(
    axes: Axes, edges: np.ndarray, spent: np.ndarray, budget_usd: float, crossing: float | None
) -> None:
    axes.axhline(budget_usd, color=LIMIT, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.annotate(
        f"budget\n{escape_text(format_usd(budget_usd))}",
        xy=(1.0, budget_usd),
        xycoords=("axes fraction", "data"),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
    )
    if crossing is not None:
        after = edges > crossing
        axes.plot([crossing, *edges[after]], [budget_usd, *spent[after]], color=LIMIT)
        axes.plot(crossing, budget_usd, "o", color=LIMIT, markersize=7, markeredgewidth=0, zorder=3)


def _describe_outcome(crossing: float | None, budget_usd: float | None) -> str:
    if budget_usd is None:
        return ""
    return ", within the budget" if crossing is None else f", budget crossed on {_format_date(crossing)}"


def _describe_budget(crossing: float | None, budget_usd: float | None) -> str:
    if budget_usd is None:
        return ""
    return f", budget {format_usd(budget_usd)}" + (
        "" if crossing is None else f" crossed on {_format_date(crossing)}"
    )


def _format_date(day: float) -> str:
    return str((_EPOCH + pd.Timedelta(days=day)).date())

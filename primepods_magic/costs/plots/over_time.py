"""What was spent when."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from primepods_magic.costs.coerce import require

from .colors import TEXT, look, patch
from .figure import drawing, empty, new_figure, stack_legend
from .grouping import PlotGroups, by_columns, by_words, fold
from .labels import amount
from .time_axis import Periods, as_days, label_time, periods_of, total, wall_clock, zone_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_over_time"]

_MOST_BARS = 120
_MOST_STEPS = 300
_FEWEST_ROOM = 5


class _Stack(NamedTuple):
    """USD of each group (rows) in each period (columns), and whether that is partly an estimate."""

    usd: np.ndarray
    estimated: np.ndarray


def plot_over_time(breakdown: pd.DataFrame, freq: str | None = None) -> Figure:
    """Draw what was spent in each period, one upon the other for each group.

    Of more than eight groups the seven largest are drawn, and the others together. What is partly an
    estimate is hatched; of more than 120 periods an area is drawn and nothing is hatched. Of very many
    periods means are drawn, and the axis says so.

    Parameters
    ----------
    breakdown : pandas.DataFrame
        As `breakdown` answers when it is given a ``freq``.
    freq : str, optional
        Which that was: ``H``, ``D``, ``W``, ``M`` or ``Q``; it is needed where there is a single period.

    Returns
    -------
    matplotlib.figure.Figure
        It has no background, and shows itself in a notebook.

    Raises
    ------
    NotConfigured
        matplotlib is not installed.
    ValueError
        A column is missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"period": pd.to_datetime(["2026-09-01", "2026-09-02"], utc=True),
    ...     "gpu": ["H100_80GB", "A100_80GB"], "cost_usd": [56.16, 12.5]})
    >>> plot_over_time(frame)
    Figure: cost per day by gpu, 2 series
    """
    with drawing():
        require(breakdown, "breakdown", ("period", "cost_usd"))
        dated = breakdown[breakdown["period"].notna()]
        columns = by_columns(breakdown)
        periods = periods_of(dated["period"], freq)
        groups = fold(dated, columns, dated["cost_usd"])
        kind = f"cost per {periods.unit}{by_words(columns)}"
        series = f", {groups.count:,} series" if columns else ""
        figure, axes = new_figure(kind + series, f"{kind[0].upper()}{kind[1:]}: {total(breakdown)}")
        if dated.empty:
            empty(axes, "nothing was spent")
            return figure
        stack = _stack(dated, periods, groups)
        is_hatched = len(periods.edges) - 1 <= _MOST_BARS
        _finish(axes, periods, zone_of(breakdown["period"]))
        (_bars if is_hatched else _areas)(axes, periods, groups, stack)
        handles = [patch(colour) for colour in groups.colours]
        labels = list(groups.labels)
        if is_hatched and stack.estimated.any():
            handles.append(patch(TEXT, is_estimate=True))
            labels.append("estimated")
        if len(labels) > 1:
            stack_legend(axes, handles, labels)
        if axes.get_ylim()[0] < 0:
            axes.axhline(0, color=TEXT, linewidth=0.8)
    return figure


def _stack(frame: pd.DataFrame, periods: Periods, groups: PlotGroups) -> _Stack:
    at = periods.edges.searchsorted(pd.DatetimeIndex(wall_clock(frame["period"])), side="right") - 1
    shape = (len(groups.labels), len(periods.edges) - 1)
    usd_of, estimated = np.zeros(shape), np.zeros(shape, dtype=bool)
    np.add.at(usd_of, (groups.place, at), frame["cost_usd"].to_numpy(dtype=float, na_value=0.0))
    if "estimated" in frame:
        flags = frame["estimated"].astype("boolean").fillna(False).to_numpy(dtype=bool)
        np.logical_or.at(estimated, (groups.place, at), flags)
    return _Stack(usd_of, estimated)


def _bottoms(amounts: np.ndarray) -> np.ndarray:
    """Where each part begins: credits hang below zero, and do not eat into what was spent."""
    above, below = np.maximum(amounts, 0), np.minimum(amounts, 0)
    bottoms: np.ndarray = np.cumsum(above, axis=0) - above
    return np.where(amounts >= 0, bottoms, np.cumsum(below, axis=0) - below)


def _bars(axes: Axes, periods: Periods, groups: PlotGroups, stack: _Stack) -> None:
    edges = as_days(periods.edges)
    widths = np.diff(edges)
    starts = edges[:-1] + 0.09 * widths
    for row, bottoms in enumerate(_bottoms(stack.usd)):
        for is_estimate in (False, True):
            drawn = (stack.estimated[row] == is_estimate) & (stack.usd[row] != 0)
            axes.bar(
                starts[drawn],
                stack.usd[row][drawn],
                0.82 * widths[drawn],
                bottom=bottoms[drawn],
                align="edge",
                **look(groups.colours[row], is_estimate),
            )


def _areas(axes: Axes, periods: Periods, groups: PlotGroups, stack: _Stack) -> None:
    together = _together(periods)
    starts = np.arange(0, stack.usd.shape[1], together)
    edges = as_days(periods.edges[[*starts, -1]])
    lengths = np.diff([*starts, stack.usd.shape[1]])
    usd = np.add.reduceat(stack.usd, starts, axis=1) / lengths
    if together > 1:
        axes.set_ylabel(f"USD per {periods.unit}, mean of {together} {periods.unit}s")
    for colour, amounts, bottoms in zip(groups.colours, usd, _bottoms(usd), strict=True):
        axes.stairs(bottoms + amounts, edges, baseline=bottoms, fill=True, color=colour, linewidth=0)


def _together(periods: Periods) -> int:
    """How many periods are drawn as one, for each to be wider than a line."""
    count = len(periods.edges) - 1
    steps = {"hour": (1, 6, 24, 168, 672), "day": (1, 7, 28), "week": (1, 4, 52)}.get(periods.unit, (1, 12))
    return next((step for step in steps if count / step <= _MOST_STEPS), steps[-1])


def _finish(axes: Axes, periods: Periods, zone: str) -> None:
    edges = as_days(periods.edges)
    # A bar or two as wide as the picture would look like an area.
    room = max(0, _FEWEST_ROOM - (len(edges) - 1)) / 2 * (edges[1] - edges[0])
    axes.set_xlim(edges[0] - room, edges[-1] + room)
    axes.set_ylabel(f"USD per {periods.unit}")
    axes.yaxis.set_major_formatter(lambda value, _: amount(value))
    axes.grid(axis="y")
    label_time(axes, zone)

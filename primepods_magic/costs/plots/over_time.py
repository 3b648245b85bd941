"""Plot of costs by period."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from primepods_magic.costs.coerce import require

from .colors import TEXT, fill_style, legend_patch
from .figure import apply_style, new_figure, show_message, stack_legend
from .grouping import (
    PlotGroups,
    cost_of,
    describe_columns,
    estimated_cost_of,
    fold_groups,
    group_columns,
    split_estimates,
    sum_groups,
)
from .labels import format_number
from .time_axis import Periods, describe_total, find_periods, label_time, to_days, to_wall_time, zone_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_over_time"]

_MAX_BARS = 120
_MAX_STEPS = 300
_MIN_PERIODS = 5


class _Stack(NamedTuple):
    """USD of each group (rows) in each period (columns), and how much of it is an estimate."""

    usd: np.ndarray
    estimated_usd: np.ndarray


def plot_over_time(breakdown: pd.DataFrame, freq: str | None = None) -> Figure:
    """Plot the costs of each period, stacked by group.

    Of more than eight groups, the seven largest are drawn and the others folded into one. The estimated part
    of a bar is hatched. More than 120 periods are drawn as areas, without hatching; very many as means, as
    the axis then says.

    Parameters
    ----------
    breakdown : pandas.DataFrame
        A result of `breakdown` with a ``freq``.
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
    ...     "gpu": ["H100_80GB", "A100_80GB"], "cost_usd": [56.16, 12.5]})
    >>> plot_over_time(frame)
    Figure: cost per day by GPU, 2 series
    """
    with apply_style():
        require(breakdown, "breakdown", ("period", "cost_usd"))
        dated = breakdown[breakdown["period"].notna()]
        columns = group_columns(breakdown)
        periods = find_periods(dated["period"], freq)
        groups = fold_groups(dated, columns, dated["cost_usd"])
        kind = f"cost per {periods.unit}{describe_columns(columns)}"
        series = f", {groups.count:,} series" if columns else ""
        title = f"{kind[0].upper()}{kind[1:]}: {describe_total(breakdown)}"
        figure, axes = new_figure(kind + series, title, parts=sum_groups(dated, groups) if columns else ())
        if dated.empty:
            show_message(axes, "nothing was spent")
            return figure
        stack = _build_stack(dated, periods, groups)
        is_hatched = len(periods.edges) - 1 <= _MAX_BARS
        _format_axes(axes, periods, zone_name(breakdown["period"]))
        (_draw_bars if is_hatched else _draw_areas)(axes, periods, groups, stack)
        handles = [legend_patch(color) for color in groups.colors]
        labels = groups.labels if columns else ["billed"]
        if is_hatched and stack.estimated_usd.any():
            handles.append(legend_patch(TEXT, is_estimate=True))
            labels = [*labels, "estimated"]
        if len(labels) > 1:
            stack_legend(axes, handles, labels)
        if axes.get_ylim()[0] < 0:
            axes.axhline(0, color=TEXT, linewidth=0.8)
    return figure


def _build_stack(frame: pd.DataFrame, periods: Periods, groups: PlotGroups) -> _Stack:
    at = periods.edges.searchsorted(pd.DatetimeIndex(to_wall_time(frame["period"])), side="right") - 1
    sums = [np.zeros((len(groups.labels), len(periods.edges) - 1)) for _ in range(2)]
    for usd, amounts in zip(sums, (cost_of(frame), estimated_cost_of(frame)), strict=True):
        np.add.at(usd, (groups.index, at), amounts)
    return _Stack(*sums)


def _compute_bottoms(amounts: np.ndarray) -> np.ndarray:
    """Return where each part begins: credits hang below zero, and do not reduce costs."""
    above, below = np.maximum(amounts, 0), np.minimum(amounts, 0)
    bottoms: np.ndarray = np.cumsum(above, axis=0) - above
    return np.where(amounts >= 0, bottoms, np.cumsum(below, axis=0) - below)


def _draw_bars(axes: Axes, periods: Periods, groups: PlotGroups, stack: _Stack) -> None:
    edges = to_days(periods.edges)
    widths = np.diff(edges)
    starts = edges[:-1] + 0.09 * widths
    parts = split_estimates(stack.usd, stack.estimated_usd)
    for row, bottoms in enumerate(_compute_bottoms(stack.usd)):
        for is_estimate, usd in enumerate(parts):
            drawn = usd[row] != 0
            axes.bar(
                starts[drawn],
                usd[row][drawn],
                0.82 * widths[drawn],
                bottom=(bottoms + parts[0][row] if is_estimate else bottoms)[drawn],
                align="edge",
                **fill_style(groups.colors[row], bool(is_estimate)),
            )


def _draw_areas(axes: Axes, periods: Periods, groups: PlotGroups, stack: _Stack) -> None:
    together = _choose_step(periods)
    starts = np.arange(0, stack.usd.shape[1], together)
    edges = to_days(periods.edges[[*starts, -1]])
    lengths = np.diff([*starts, stack.usd.shape[1]])
    usd = np.add.reduceat(stack.usd, starts, axis=1) / lengths
    if together > 1:
        axes.set_ylabel(f"USD per {periods.unit}, mean of {together} {periods.unit}s")
    for color, amounts, bottoms in zip(groups.colors, usd, _compute_bottoms(usd), strict=True):
        axes.stairs(bottoms + amounts, edges, baseline=bottoms, fill=True, color=color, linewidth=0)


def _choose_step(periods: Periods) -> int:
    """Return how many periods to draw as one, so that each is wider than a line."""
    count = len(periods.edges) - 1
    steps = {"hour": (1, 6, 24, 168, 672), "day": (1, 7, 28), "week": (1, 4, 52)}.get(periods.unit, (1, 12))
    return next((step for step in steps if count / step <= _MAX_STEPS), steps[-1])


def _format_axes(axes: Axes, periods: Periods, zone: str) -> None:
    edges = to_days(periods.edges)
    # One or two bars across the whole plot would look like an area.
    room = max(0, _MIN_PERIODS - (len(edges) - 1)) / 2 * (edges[1] - edges[0])
    axes.set_xlim(edges[0] - room, edges[-1] + room)
    axes.set_ylabel(f"USD per {periods.unit}")
    axes.yaxis.set_major_formatter(lambda value, _: format_number(value))
    axes.grid(axis="y")
    label_time(axes, zone)

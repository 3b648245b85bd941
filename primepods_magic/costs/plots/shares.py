"""Plot of the share of each group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_money, format_usd
from primepods_magic.costs.coerce import require

from .colors import OTHER, PALETTE, fill_style
from .figure import apply_style, new_figure, show_message
from .grouping import describe_columns, fold_groups, group_columns
from .horizontal_bars import height_for, money_axis, name_lanes, remark_lanes
from .labels import count_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_shares"]

_MAX_BARS = 12


def plot_shares(breakdown: pd.DataFrame) -> Figure:
    """Plot what each group cost, the most expensive first, with its share of the total.

    Beyond thirteen groups, the small ones are folded into one bar. Periods are added up.

    Parameters
    ----------
    breakdown : pandas.DataFrame
        A result of `breakdown`.

    Returns
    -------
    matplotlib.figure.Figure
        A figure without a background that displays itself in a notebook.

    Raises
    ------
    NotConfigured
        matplotlib is not installed.
    ValueError
        A column is missing.

    Examples
    --------
    >>> plot_shares(pd.DataFrame({"gpu": ["H100_80GB", "A100_80GB"], "cost_usd": [75.0, 25.0]}))
    Figure: cost by gpu, 2 bars
    """
    with apply_style():
        require(breakdown, "breakdown", ("cost_usd",))
        columns = group_columns(breakdown)
        costs = breakdown["cost_usd"].to_numpy(dtype=float, na_value=0.0)
        groups = fold_groups(breakdown, columns, breakdown["cost_usd"], max_groups=_MAX_BARS)
        sums = np.bincount(groups.index, weights=costs, minlength=len(groups.labels))
        total = float(costs.sum())
        kind = f"cost{describe_columns(columns)}"
        figure, axes = new_figure(
            f"{kind}, {count_words(groups.count, 'bar')}",
            f"C{kind[1:]}: {format_usd(total)}",
            height_in=height_for(len(sums)),
        )
        if breakdown.empty:
            show_message(axes, "nothing was spent")
            return figure
        named = len(sums) - (groups.count > len(sums))
        order = [*np.argsort(-sums[:named], kind="stable"), *range(named, len(sums))]
        sums = sums[order]
        for lane, cost in enumerate(sums):
            axes.barh(lane, cost, 0.68, **fill_style(PALETTE[0] if lane < named else OTHER))
        name_lanes(axes, [groups.labels[index] for index in order])
        axes.margins(x=0.02)
        remark_lanes(axes, list(map(format_money, sums)), [_format_share(cost, total) for cost in sums])
        money_axis(axes, "USD")
    return figure


def _format_share(cost: float, total: float) -> str:
    # A share is meaningless if there are credits.
    if not 0 < cost <= total:
        return ""
    return f"{cost / total:.0%}" if cost / total >= 0.005 else "<1%"

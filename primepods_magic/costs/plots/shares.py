"""Plot of the share of each group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_money, format_usd
from primepods_magic.costs.coerce import require

from .colors import TEXT, fill_style, legend_patch
from .figure import apply_style, new_figure, row_legend, show_message
from .grouping import (
    cost_of,
    describe_columns,
    estimated_cost_of,
    fold_groups,
    group_columns,
    split_estimates,
    sum_groups,
)
from .horizontal_bars import height_for, money_axis, name_lanes, remark_lanes
from .labels import count_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_shares"]

_MAX_BARS = 12


def plot_shares(breakdown: pd.DataFrame) -> Figure:
    """Plot what each group cost, the most expensive first, with its share of the total.

    Beyond thirteen groups, the small ones are folded into one bar. Periods are added up. The estimated part
    of a bar is hatched.

    Parameters
    ----------
    breakdown : pandas.DataFrame
        A result of `breakdown`.

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
    >>> plot_shares(pd.DataFrame({"gpu": ["H100_80GB", "A100_80GB"], "cost_usd": [75.0, 25.0]}))
    Figure: cost by GPU, 2 bars
    """
    with apply_style():
        require(breakdown, "breakdown", ("cost_usd",))
        columns = group_columns(breakdown)
        groups = fold_groups(breakdown, columns, breakdown["cost_usd"], max_groups=_MAX_BARS)
        sums, estimates = (
            np.bincount(groups.index, weights=usd, minlength=len(groups.labels))
            for usd in (cost_of(breakdown), estimated_cost_of(breakdown))
        )
        total = float(sums.sum())
        kind = f"cost{describe_columns(columns)}"
        figure, axes = new_figure(
            f"{kind}, {count_words(groups.count, 'bar')}",
            f"C{kind[1:]}: {format_usd(total)}",
            parts=sum_groups(breakdown, groups),
            height_in=height_for(len(sums)) + (0.25 if estimates.any() else 0.0),
        )
        if breakdown.empty:
            show_message(axes, "nothing was spent")
            return figure
        named = len(sums) - (groups.count > len(sums))
        order = [*np.argsort(-sums[:named], kind="stable"), *range(named, len(sums))]
        sums, estimates = sums[order], estimates[order]
        final, estimates = split_estimates(sums, estimates)
        for lane, group in enumerate(order):
            color = groups.colors[group]
            axes.barh(lane, final[lane], 0.68, **fill_style(color))
            if estimates[lane]:
                style = fill_style(color, is_estimate=True)
                axes.barh(lane, estimates[lane], 0.68, left=final[lane], **style)
        name_lanes(axes, [groups.labels[index] for index in order])
        axes.margins(x=0.02)
        remark_lanes(axes, list(map(format_money, sums)), [_format_share(cost, total) for cost in sums])
        money_axis(axes, "USD")
        if estimates.any():
            row_legend(figure, [legend_patch(TEXT, is_estimate=True)], ["estimated"])
    return figure


def _format_share(cost: float, total: float) -> str:
    # A share is meaningless if there are credits.
    if not 0 < cost <= total:
        return ""
    return f"{cost / total:.0%}" if cost / total >= 0.005 else "<1%"

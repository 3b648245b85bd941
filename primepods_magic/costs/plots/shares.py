"""What the money went to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_money, format_usd
from primepods_magic.costs.coerce import require

from .colors import OTHER, PALETTE, look
from .figure import drawing, empty, new_figure
from .grouping import by_columns, by_words, fold
from .horizontal_bars import height_for, money_axis, name_lanes, remark_lanes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_shares"]

_MOST_BARS = 12


def plot_shares(breakdown: pd.DataFrame) -> Figure:
    """Draw what each group cost, the dearest first, with its share of all.

    Beyond thirteen groups the small ones are one bar. Periods, where there are any, are taken together.

    Parameters
    ----------
    breakdown : pandas.DataFrame
        As `breakdown` answers.

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
    >>> plot_shares(pd.DataFrame({"gpu": ["H100_80GB", "A100_80GB"], "cost_usd": [75.0, 25.0]}))
    Figure: cost by gpu, 2 bars
    """
    with drawing():
        require(breakdown, "breakdown", ("cost_usd",))
        columns = by_columns(breakdown)
        costs = breakdown["cost_usd"].to_numpy(dtype=float, na_value=0.0)
        groups = fold(breakdown, columns, breakdown["cost_usd"], most=_MOST_BARS)
        sums = np.bincount(groups.place, weights=costs, minlength=len(groups.labels))
        total = float(costs.sum())
        kind = f"cost{by_words(columns)}"
        bars = f"{groups.count:,} bar{'' if groups.count == 1 else 's'}"
        figure, axes = new_figure(
            f"{kind}, {bars}",
            f"C{kind[1:]}: {format_usd(total)}",
            height_in=height_for(len(sums)),
        )
        if breakdown.empty:
            empty(axes, "nothing was spent")
            return figure
        named = len(sums) - (groups.count > len(sums))
        order = [*np.argsort(-sums[:named], kind="stable"), *range(named, len(sums))]
        sums = sums[order]
        for lane, cost in enumerate(sums):
            axes.barh(lane, cost, 0.68, **look(PALETTE[0] if lane < named else OTHER))
        name_lanes(axes, [groups.labels[place] for place in order])
        axes.margins(x=0.02)
        remark_lanes(axes, list(map(format_money, sums)), [_share(cost, total) for cost in sums])
        money_axis(axes, "USD")
    return figure


def _share(cost: float, total: float) -> str:
    # Beside credits a share of the total says nothing.
    if not 0 < cost <= total:
        return ""
    return f"{cost / total:.0%}" if cost / total >= 0.005 else "<1%"

"""Plot of what this month costs by its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_money, format_usd
from primepods_magic.costs.coerce import require

from .colors import LIMIT, PALETTE, fill_style, legend_patch
from .figure import apply_style, new_figure, row_legend, show_message
from .horizontal_bars import height_for, money_axis, name_lanes, remark_lanes
from .labels import count_words, shorten_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_month"]

_ALL_WALLETS = "all together"


def plot_month(frame: pd.DataFrame) -> Figure:
    """Plot the cost of this month for each wallet, so far and by its end, and its balance.

    Parameters
    ----------
    frame : pandas.DataFrame
        A result of `month`.

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
    >>> plot_month(pd.DataFrame({"wallet": ["mine"], "month_usd": [120.0], "month_end_usd": [300.0],
    ...     "balance_usd": [100.0]}))
    Figure: this month, 1 wallet
    """
    with apply_style():
        require(frame, "frame", "wallet month_usd month_end_usd balance_usd".split())
        has_sum = len(frame) > 1 and frame["wallet"].iloc[-1] == _ALL_WALLETS
        wallets = frame.iloc[:-1] if has_sum else frame
        so_far, by_end, balance = (
            wallets[name].to_numpy(dtype=float, na_value=np.nan)
            for name in ("month_usd", "month_end_usd", "balance_usd")
        )
        count = count_words(len(wallets), "wallet")
        figure, axes = new_figure(
            f"this month, {count}",
            f"This month: {format_usd(np.nansum(so_far))}, "
            f"at this rate {format_usd(np.nansum(by_end))} by its end",
            height_in=0.5 + height_for(len(wallets)),
        )
        if wallets.empty:
            show_message(axes, "no wallets")
            return figure
        _draw_bars(axes, so_far, by_end)
        reach = so_far + balance
        (ends,) = axes.plot(reach, range(len(wallets)), "|", color=LIMIT, markersize=16, markeredgewidth=2.5)
        # A large balance would make the costs invisible.
        spent = np.nanmax([so_far, by_end], initial=0.0)
        max_usd = 1.05 * min(np.nanmax(reach, initial=spent), 2 * spent) if spent > 0 else 1
        axes.set_xlim(0, max_usd)
        name_lanes(
            axes, [shorten_label(name) for name in wallets["wallet"].astype("string").fillna("no name")]
        )
        amounts = [format_money(value) if np.isfinite(value) else "" for value in by_end]
        remark_lanes(axes, amounts, heading="USD by its end")
        money_axis(axes, "USD since the first of the month (UTC)")
        marks = [legend_patch(PALETTE[0]), legend_patch(PALETTE[0], is_estimate=True)]
        meanings = ["so far", "by its end, at this rate"]
        if (reach <= max_usd).any():
            marks.append(ends)
            meanings.append("balance used up")
        row_legend(figure, marks, meanings)
    return figure


def _draw_bars(axes: Axes, so_far: np.ndarray, by_end: np.ndarray) -> None:
    for lane, (spent, expected) in enumerate(zip(so_far, by_end, strict=True)):
        axes.barh(lane, np.nan_to_num(spent), 0.62, **fill_style(PALETTE[0]))
        more = np.nan_to_num(expected - spent)
        axes.barh(lane, more, 0.62, left=np.nan_to_num(spent), **fill_style(PALETTE[0], is_estimate=True))

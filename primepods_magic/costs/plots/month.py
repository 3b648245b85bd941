"""What this month costs by its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_money, format_usd
from primepods_magic.costs.coerce import require

from .colors import LIMIT, PALETTE, look, patch
from .figure import drawing, empty, new_figure, row_legend
from .horizontal_bars import height_for, money_axis, name_lanes, remark_lanes
from .labels import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_month"]

_ALL = "all together"


def plot_month(frame: pd.DataFrame) -> Figure:
    """Draw what each wallet has paid this month and will have paid by its end, and what it has.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `month` answers.

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
    >>> plot_month(pd.DataFrame({"wallet": ["mine"], "month_usd": [120.0], "month_end_usd": [300.0],
    ...     "balance_usd": [100.0]}))
    Figure: this month, 1 wallet
    """
    with drawing():
        require(frame, "frame", "wallet month_usd month_end_usd balance_usd".split())
        has_sum = len(frame) > 1 and frame["wallet"].iloc[-1] == _ALL
        wallets = frame.iloc[:-1] if has_sum else frame
        so_far, by_end, balance = (
            wallets[name].to_numpy(dtype=float, na_value=np.nan)
            for name in ("month_usd", "month_end_usd", "balance_usd")
        )
        said = f"{len(wallets)} wallet{'' if len(wallets) == 1 else 's'}"
        figure, axes = new_figure(
            f"this month, {said}",
            f"This month: {format_usd(np.nansum(so_far))}, "
            f"at this rate {format_usd(np.nansum(by_end))} by its end",
            height_in=0.5 + height_for(len(wallets)),
        )
        if wallets.empty:
            empty(axes, "no wallets")
            return figure
        _bars(axes, so_far, by_end)
        reach = so_far + balance
        (ends,) = axes.plot(reach, range(len(wallets)), "|", color=LIMIT, markersize=16, markeredgewidth=2.5)
        # A balance far away would make what is spent invisible.
        spent = np.nanmax([so_far, by_end], initial=0.0)
        axes.set_xlim(0, 1.05 * min(np.nanmax(reach, initial=spent), 2 * spent) if spent > 0 else 1)
        name_lanes(axes, [short(name) for name in wallets["wallet"].astype("string").fillna("no name")])
        amounts = [format_money(value) if np.isfinite(value) else "" for value in by_end]
        remark_lanes(axes, amounts, heading="USD by its end")
        money_axis(axes, "USD since the first of the month (UTC)")
        row_legend(
            figure,
            [patch(PALETTE[0]), patch(PALETTE[0], is_estimate=True), ends],
            ["so far", "by its end, at this rate", "balance used up"],
        )
    return figure


def _bars(axes: Axes, so_far: np.ndarray, by_end: np.ndarray) -> None:
    for lane, (spent, expected) in enumerate(zip(so_far, by_end, strict=True)):
        axes.barh(lane, np.nan_to_num(spent), 0.62, **look(PALETTE[0]))
        more = np.nan_to_num(expected - spent)
        axes.barh(lane, more, 0.62, left=np.nan_to_num(spent), **look(PALETTE[0], is_estimate=True))

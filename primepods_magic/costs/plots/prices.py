"""Plot of prices of GPU-hours, paid and current."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_money
from primepods_magic.costs.coerce import require

from .colors import OTHER, PALETTE
from .figure import apply_style, new_figure, row_legend, show_message
from .horizontal_bars import height_for, money_axis, name_lanes, remark_lanes
from .labels import count_words, shorten_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_prices"]

_MAX_LANES = 16


class _Marks(NamedTuple):
    column: str
    label: str
    marker: str
    color: str


_MARKS = (
    _Marks("spot_usd_gpu_hr", "spot today", "v", PALETTE[2]),
    _Marks("on_demand_usd_gpu_hr", "on demand today", "D", PALETTE[1]),
    _Marks("cheapest_usd_gpu_hr", "on demand today", "D", PALETTE[1]),
    _Marks("paid_usd_gpu_hr", "paid", "o", PALETTE[0]),
)


def plot_prices(frame: pd.DataFrame) -> Figure:
    """Plot the price of a GPU-hour for each GPU type: paid, and today's.

    Of more than 16 GPU types only the first are drawn, as the title then says.

    Parameters
    ----------
    frame : pandas.DataFrame
        A result of `gpu_hour_prices` or `spot_savings`.

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
    >>> plot_prices(pd.DataFrame({"gpu": ["H100_80GB"], "paid_usd_gpu_hr": [2.6],
    ...     "cheapest_usd_gpu_hr": [2.1]}))
    Figure: prices of GPU-hours, 1 GPU type
    """
    with apply_style():
        require(frame, "frame", ("gpu",))
        shown = frame.head(_MAX_LANES)
        count = count_words(len(frame), "GPU type")
        title = count if len(shown) == len(frame) else f"the first {len(shown)} of {count}"
        figure, axes = new_figure(
            f"prices of GPU-hours, {count}",
            f"Prices of GPU-hours: {title}",
            height_in=0.4 + height_for(len(shown)),
        )
        marks = [mark for mark in _MARKS if mark.column in frame]
        prices = {mark.column: shown[mark.column].to_numpy(dtype=float, na_value=np.nan) for mark in marks}
        if frame.empty or not marks:
            show_message(axes, "no prices are known")
            return figure
        lanes = np.arange(len(shown))
        every = np.array(list(prices.values()))
        is_known = ~np.isnan(every).all(axis=0)
        lowest, highest = (np.fmin.reduce(every), np.fmax.reduce(every))
        axes.hlines(lanes[is_known], lowest[is_known], highest[is_known], color=OTHER, linewidth=1, alpha=0.6)
        handles = [
            axes.plot(
                prices[mark.column], lanes, mark.marker, color=mark.color, markersize=7, markeredgewidth=0
            )[0]
            for mark in marks
        ]
        name_lanes(axes, [shorten_label(gpu) for gpu in shown["gpu"].astype("string").fillna("no gpu")])
        _write_remarks(axes, shown)
        top = np.nanmax(every, initial=0.0)
        axes.set_xlim(0, 1.04 * top if top > 0 else 1)
        money_axis(axes, "USD per GPU-hour")
        row_legend(figure, handles[::-1], [mark.label for mark in marks[::-1]])
    return figure


def _write_remarks(axes: Axes, frame: pd.DataFrame) -> None:
    if "saving_usd" in frame:
        savings = frame["saving_usd"].to_numpy(dtype=float, na_value=np.nan)
        texts = [format_money(saving) if np.isfinite(saving) else "" for saving in savings]
        remark_lanes(axes, texts, heading="USD saved by spot")
    elif "difference" in frame:
        parts = frame["difference"].to_numpy(dtype=float, na_value=np.nan)
        texts = [_format_percent(part) if np.isfinite(part) else "" for part in parts]
        remark_lanes(axes, texts, heading="paid above today")


def _format_percent(part: float) -> str:
    return f"{part:+.0%}" if abs(part) >= 0.005 else "0%"

"""Choice of the plot for a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.costs.ledgers import ledger

from .figure import need_matplotlib
from .labels import escape_text
from .month import plot_month
from .over_time import plot_over_time
from .prices import plot_prices
from .shares import plot_shares
from .timeline import plot_timeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot"]


def plot(frame: pd.DataFrame, freq: str | None = None) -> Figure:
    """Plot a frame of costs; its columns determine the plot.

    Parameters
    ----------
    frame : pandas.DataFrame
        A result of `breakdown`, `ledger`, `dearest`, `waste`, `gpu_hour_prices`, `spot_savings` or `month`,
        or a history.
    freq : str, optional
        The ``freq`` of a breakdown; needed if it has a single period.

    Returns
    -------
    matplotlib.figure.Figure
        A figure that displays itself in a notebook.

    Raises
    ------
    NotConfigured
        matplotlib is not installed.
    InvalidRequest
        No plot fits the columns.

    Examples
    --------
    >>> plot(pd.DataFrame({"gpu": ["H100_80GB"], "cost_usd": [75.0]}))
    Figure: cost by GPU, 1 bar
    """
    need_matplotlib()
    for columns, draw in _PICTURES:
        if set(columns) <= set(frame.columns):
            return draw(frame) if draw is not plot_over_time else plot_over_time(frame, freq)
    raise InvalidRequest(f"no plot fits a frame with the columns {escape_text(', '.join(map(str, frame)))}")


def _plot_waste(frame: pd.DataFrame) -> Figure:
    return plot_shares(frame[["reason", "cost_usd"]])


def _plot_history(frame: pd.DataFrame) -> Figure:
    return plot_timeline(ledger(frame))


_PICTURES: tuple[tuple[tuple[str, ...], Callable[[pd.DataFrame], Figure]], ...] = (
    (("wallet", "month_end_usd"), plot_month),
    (("gpu", "paid_usd_gpu_hr"), plot_prices),
    (("gpu", "spot_usd_gpu_hr"), plot_prices),
    (("period", "cost_usd"), plot_over_time),
    (("begin_at", "end_at", "gpu", "gpu_count"), plot_timeline),
    (("reason", "cost_usd"), _plot_waste),
    (("billed_usd", "created_at", "terminated_at"), _plot_history),
    (("cost_usd",), plot_shares),
)

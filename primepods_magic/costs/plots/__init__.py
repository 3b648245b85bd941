"""Plots of costs: matplotlib figures that are readable on paper and in dark notebooks.

matplotlib is imported when a plot is made; ``pyplot`` is not used.
"""

from __future__ import annotations

from .budget import plot_budget
from .dispatch import plot
from .month import plot_month
from .over_time import plot_over_time
from .prices import plot_prices
from .shares import plot_shares
from .timeline import plot_timeline

__all__ = [
    "plot",
    "plot_budget",
    "plot_month",
    "plot_over_time",
    "plot_prices",
    "plot_shares",
    "plot_timeline",
]

"""Ledgers of what was spent, breakdowns of them, and reports.

Pure functions from frames to frames, apart from `read_ledger`: `ledger` collects what costs, `breakdown`
splits it, and `to_focus` exports it.

>>> import pandas as pd
>>> from primepods_magic.costs import breakdown, pattern
>>> history = pd.DataFrame({"name": ["llama-train"], "billed_usd": [12.0],
...     "created_at": ["2026-09-01T22:00:00Z"], "terminated_at": ["2026-09-02T01:00:00Z"]})
>>> df = breakdown(history, pattern("name", "^[^-]+", "project"), freq="D")
>>> df[["project", "cost_usd"]].to_dict("records")
[{'project': 'llama', 'cost_usd': 8.0}, {'project': 'llama', 'cost_usd': 4.0}]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primepods_magic.costs.plots.budget import plot_budget
    from primepods_magic.costs.plots.dispatch import plot
    from primepods_magic.costs.plots.month import plot_month
    from primepods_magic.costs.plots.over_time import plot_over_time
    from primepods_magic.costs.plots.prices import plot_prices
    from primepods_magic.costs.plots.shares import plot_shares
    from primepods_magic.costs.plots.timeline import plot_timeline
    from primepods_magic.frames.files import load_frame, save_frame

    from .breakdowns import breakdown
    from .focus.charges import to_focus
    from .labels import mapping, pattern
    from .ledgers import ledger
    from .load import read_ledger
    from .reports import dearest, gpu_hour_prices, last_month, month, spot_savings
    from .rounding import rounded
    from .trends import compared, running
    from .unused import waste

__all__ = [
    "breakdown",
    "compared",
    "dearest",
    "gpu_hour_prices",
    "last_month",
    "ledger",
    "load_frame",
    "mapping",
    "month",
    "pattern",
    "plot",
    "plot_budget",
    "plot_month",
    "plot_over_time",
    "plot_prices",
    "plot_shares",
    "plot_timeline",
    "read_ledger",
    "rounded",
    "running",
    "save_frame",
    "spot_savings",
    "to_focus",
    "waste",
]

# Resolved on first use, so that importing this loads nothing heavy.
_HOMES = {
    "breakdown": ".breakdowns",
    "compared": ".trends",
    "dearest": ".reports",
    "gpu_hour_prices": ".reports",
    "last_month": ".reports",
    "ledger": ".ledgers",
    "load_frame": "..frames.files",
    "mapping": ".labels",
    "month": ".reports",
    "pattern": ".labels",
    "plot": ".plots.dispatch",
    "plot_budget": ".plots.budget",
    "plot_month": ".plots.month",
    "plot_over_time": ".plots.over_time",
    "plot_prices": ".plots.prices",
    "plot_shares": ".plots.shares",
    "plot_timeline": ".plots.timeline",
    "read_ledger": ".load",
    "rounded": ".rounding",
    "running": ".trends",
    "save_frame": "..frames.files",
    "spot_savings": ".reports",
    "to_focus": ".focus.charges",
    "waste": ".unused",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

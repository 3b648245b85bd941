"""Where the money goes: ledgers, breakdowns, and what one may ask of them.

Pure functions from frames to frames; `ledger` puts together what costs, `breakdown` splits it.

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
    from .frames.costs.account import read_ledger
    from .frames.costs.breakdown import breakdown
    from .frames.costs.labels import mapping, pattern
    from .frames.costs.ledger import ledger
    from .frames.costs.questions import dearest, gpu_hour_prices, last_month, month, spot_savings
    from .frames.costs.rounding import rounded
    from .frames.costs.trends import compared, running
    from .frames.costs.waste import waste
    from .frames.files import load_frame, save_frame
    from .frames.plots.budget import plot_budget
    from .frames.plots.choice import plot
    from .frames.plots.money_over_time import plot_over_time
    from .frames.plots.month import plot_month
    from .frames.plots.prices import plot_prices
    from .frames.plots.shares import plot_shares
    from .frames.plots.timeline import plot_timeline

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
    "waste",
]

# Resolved on first use, so that importing this loads nothing heavy.
_HOMES = {
    "breakdown": ".frames.costs.breakdown",
    "compared": ".frames.costs.trends",
    "dearest": ".frames.costs.questions",
    "gpu_hour_prices": ".frames.costs.questions",
    "last_month": ".frames.costs.questions",
    "ledger": ".frames.costs.ledger",
    "load_frame": ".frames.files",
    "mapping": ".frames.costs.labels",
    "month": ".frames.costs.questions",
    "pattern": ".frames.costs.labels",
    "plot": ".frames.plots.choice",
    "plot_budget": ".frames.plots.budget",
    "plot_month": ".frames.plots.month",
    "plot_over_time": ".frames.plots.money_over_time",
    "plot_prices": ".frames.plots.prices",
    "plot_shares": ".frames.plots.shares",
    "plot_timeline": ".frames.plots.timeline",
    "read_ledger": ".frames.costs.account",
    "rounded": ".frames.costs.rounding",
    "running": ".frames.costs.trends",
    "save_frame": ".frames.files",
    "spot_savings": ".frames.costs.questions",
    "waste": ".frames.costs.waste",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

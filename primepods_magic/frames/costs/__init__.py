"""Where the money goes: everything that costs in one frame, and that split so that it adds up."""

from __future__ import annotations

from .breakdown import breakdown
from .labels import mapping, pattern
from .ledger import ledger
from .rounding import rounded
from .trends import compared, running

__all__ = ["breakdown", "compared", "ledger", "mapping", "pattern", "rounded", "running"]

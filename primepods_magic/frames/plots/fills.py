"""How areas are filled: what is known with its colour, what is an estimate hatched."""

from __future__ import annotations

from typing import Any

__all__ = ["look", "patch"]

_HATCH = "////"
_SHINES_THROUGH = 0.4


def look(colour: str, is_estimate: bool = False) -> dict[str, Any]:
    """As keywords for matplotlib."""
    if is_estimate:
        return {"facecolor": (colour, _SHINES_THROUGH), "edgecolor": colour, "hatch": _HATCH, "linewidth": 0}
    return {"facecolor": colour, "linewidth": 0}


def patch(colour: str, is_estimate: bool = False) -> Any:
    """As a legend shows it."""
    from matplotlib.patches import Patch

    return Patch(**look(colour, is_estimate))

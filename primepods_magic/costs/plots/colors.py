"""Colors that can be told apart on white and on nearly black, and how areas are filled with them."""

from __future__ import annotations

from typing import Any

__all__ = ["LIMIT", "OTHER", "PALETTE", "TEXT", "look", "patch"]

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


TEXT = "#777777"
"""For words, axes and grids: a contrast of 4.5 on white and of 4.2 on #111111."""

PALETTE = ("#2f63f0", "#cc9000", "#24846c", "#e454b4", "#009cfc", "#905400", "#843ca8", "#e43054")
"""Of middling lightness; neighbours differ in lightness, too."""

OTHER = "#8a8a8a"
"""What many small things together are drawn in."""

LIMIT = "#e43054"
"""For what should not be crossed."""

"""Colors that are distinguishable on white and on nearly black, and styles of filled areas."""

from __future__ import annotations

from typing import Any

__all__ = ["LIMIT", "OTHER", "PALETTE", "TEXT", "fill_style", "legend_patch"]

_HATCH = "////"
_ESTIMATE_ALPHA = 0.4


def fill_style(color: str, is_estimate: bool = False) -> dict[str, Any]:
    """Return keywords for matplotlib; estimates are hatched."""
    if is_estimate:
        return {"facecolor": (color, _ESTIMATE_ALPHA), "edgecolor": color, "hatch": _HATCH, "linewidth": 0}
    return {"facecolor": color, "linewidth": 0}


def legend_patch(color: str, is_estimate: bool = False) -> Any:
    """Return the patch of a legend."""
    from matplotlib.patches import Patch

    return Patch(**fill_style(color, is_estimate))


TEXT = "#777777"
"""Text, axes and grids: a contrast of 4.5 on white and of 4.2 on #111111."""

PALETTE = ("#2f63f0", "#cc9000", "#24846c", "#e454b4", "#009cfc", "#905400", "#843ca8", "#e43054")
"""Of medium lightness; neighbors differ in lightness, too."""

OTHER = "#8a8a8a"
"""Small groups that are folded into one."""

LIMIT = "#e43054"
"""Limits."""

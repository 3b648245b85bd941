"""Colors that are distinguishable on white and, inverted, on nearly black; styles of filled areas."""

from __future__ import annotations

from typing import Any

__all__ = ["DARK_FILTER", "LIMIT", "OTHER", "PALETTE", "PAPER", "TEXT", "fill_style", "legend_patch"]

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


PAPER = "#ffffff"
"""The background; without one, no single color of text has a contrast of 4.5 on white and on #111111."""

DARK_FILTER = "invert(0.93) hue-rotate(180deg)"
"""The CSS filter for dark themes: white becomes #121212, dark text light, and blue stays blue."""

TEXT = "#424242"
"""Text, axes and grids: a contrast of 10 on paper, and of 9 in dark themes."""

PALETTE = ("#2f63f0", "#c08400", "#24846c", "#e454b4", "#0090ea", "#905400", "#843ca8", "#e43054")
"""Of medium lightness; neighbors differ in lightness, too. The contrast is 3 or more in both themes."""

OTHER = "#858585"
"""Small groups that are folded into one."""

LIMIT = "#e43054"
"""Limits."""

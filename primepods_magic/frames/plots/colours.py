"""Colours that can be told apart on white and on nearly black, by those who see fewer colours, too."""

from __future__ import annotations

__all__ = ["LIMIT", "OTHER", "PALETTE", "TEXT"]

TEXT = "#777777"
"""For words, axes and grids: a contrast of 4.5 on white and of 4.2 on #111111."""

PALETTE = ("#2f63f0", "#cc9000", "#24846c", "#e454b4", "#009cfc", "#905400", "#843ca8", "#e43054")
"""Of middling lightness; neighbours differ in lightness, too."""

OTHER = "#8a8a8a"
"""What many small things together are drawn in."""

LIMIT = "#e43054"
"""For what should not be crossed."""

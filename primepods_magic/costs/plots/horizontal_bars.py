"""Horizontal bars with names to the left and numbers to the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from .colors import TEXT
from .labels import format_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["height_for", "money_axis", "name_lanes", "remark_lanes"]

_FONT_PT = 9.0
_GAP_PT = 9.0
# Character widths in the font of matplotlib, relative to its size.
_WIDTHS = {",": 0.32, ".": 0.32, " ": 0.32, "-": 0.36, "%": 0.95, "+": 0.84, "<": 0.84}
_DIGIT_WIDTH = 0.64


def height_for(lanes: int) -> float:
    """Return the height in inches of a figure with this many bars."""
    return 1.25 + (0.27 if lanes <= 20 else 0.22) * max(lanes, 2)


def name_lanes(axes: Axes, names: Sequence[str]) -> None:
    """Label the bars, the first one on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def remark_lanes(axes: Axes, *columns: Sequence[str], heading: str = "") -> None:
    """Write columns of numbers to the right of the axes, right-aligned."""
    right = 0.0
    for column in columns:
        right += _GAP_PT + max(map(_estimate_width_pt, column), default=0.0)
        for lane, number in enumerate(column):
            _write_beside(axes, lane, number, right, "right")
    if heading:
        _write_beside(axes, -1, heading, _GAP_PT, "left")


def _write_beside(
    axes: Axes, lane: int, words: str, offset_pt: float, side: Literal["left", "right"]
) -> None:
    axes.annotate(
        words,
        xy=(1.0, lane),
        xycoords=("axes fraction", "data"),
        xytext=(offset_pt, 0),
        textcoords="offset points",
        ha=side,
        va="center",
        annotation_clip=False,
    )


def _estimate_width_pt(number: str) -> float:
    return _FONT_PT * sum(_WIDTHS.get(character, _DIGIT_WIDTH) for character in number)


def money_axis(axes: Axes, unit: str) -> None:
    """Format the horizontal axis for amounts of money."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(lambda value, _: format_number(value))
    axes.set_xlabel(unit)
    axes.grid(axis="x")
    if axes.get_xlim()[0] < 0:
        axes.axvline(0, color=TEXT, linewidth=0.8)

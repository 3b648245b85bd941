"""A sheet as text: for terminals, and for what a saved notebook tells without a front end.

It depends on nothing but the frame: not on the size of the terminal, the time of day or the machine.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from primepods_magic.api.text.sanitize import brief, sanitize

from .column_formats import CellStyle
from .table import DisplayTable, SheetColumn

__all__ = ["sheet_text"]

WIDTH = 110
_GAP = "  "
_UTC = " UTC"


def sheet_text(sheet: DisplayTable) -> str:
    """Write a sheet as lines of text.

    Parameters
    ----------
    sheet : Sheet
        What to show.

    Returns
    -------
    str
        The caption, the table, and a line about what is left out.
    """
    caption = [brief(sheet.caption)] if sheet.caption else []
    if not sheet.rows:
        return "\n".join(filter(None, [*caption, sheet.nothing, sheet.notes(sheet.columns)]))
    columns = _fitting([(column, _texts(column)) for column in sheet.columns])
    after = [sheet.more_rows, sheet.notes([column for column, _ in columns])]
    head, *body = zip(*(_aligned(texts, column.view.look) for column, texts in columns), strict=True)
    rule = ["─" * _width(cell) for cell in head]
    table = [_GAP.join(row).rstrip() for row in (head, rule, *body)]
    return "\n".join([*caption, *([""] if caption else []), *table, *filter(None, after)])


def _texts(column: SheetColumn) -> list[str]:
    """The heading and the values. A unit that all values have in common stands in the heading."""
    heading, values = sanitize(column.view.heading), [cell.text for cell in column.cells]
    if any(value.endswith(_UTC) for value in values):
        heading, values = heading + _UTC, [value.removesuffix(_UTC) for value in values]
    return [heading, *(_cut(value, column.view.most) for value in values)]


def _fitting(columns: list[tuple[SheetColumn, list[str]]]) -> Sequence[tuple[SheetColumn, list[str]]]:
    """The columns that fit into the line; the least important leave first."""
    widths = [max(map(_width, texts)) + len(_GAP) for _, texts in columns]
    width = sum(widths) - len(_GAP)
    ranks = {place: column.view.rank for place, (column, _) in enumerate(columns) if column.view.rank}
    left_out: set[int] = set()
    for place in sorted(ranks, key=lambda place: -ranks[place]):
        if width <= WIDTH:
            break
        width -= widths[place]
        left_out.add(place)
    return [column for place, column in enumerate(columns) if place not in left_out]


def _aligned(texts: list[str], look: CellStyle) -> list[str]:
    width = max(map(_width, texts))
    pads = [" " * (width - _width(text)) for text in texts]
    return [pad + text if look == "number" else text + pad for text, pad in zip(texts, pads, strict=True)]


def _cut(text: str, most: int) -> str:
    width = 0
    for place, character in enumerate(text):
        width += _cells(character)
        if width >= most:
            # Whether the last cell is for this character or for an ellipsis depends on what follows.
            if width == most and _width(text[place + 1 : place + 2 + most]) == 0:
                return text[: place + 2 + most]
            return text[:place].rstrip() + "…"
    return text


def _width(text: str) -> int:
    """Return how many cells of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1

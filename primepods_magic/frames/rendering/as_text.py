"""Tables as text, for terminals and for saved notebooks.

The result depends on the frame alone: not on the terminal, the time of day or the machine.
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
    """Render a table as text: the caption, the table, and a line about what is left out."""
    caption = [brief(sheet.caption)] if sheet.caption else []
    if not sheet.rows:
        return "\n".join(filter(None, [*caption, sheet.nothing, sheet.notes(sheet.columns)]))
    columns = _fit_columns([(column, _format_column(column)) for column in sheet.columns])
    after = [sheet.more_rows, sheet.notes([column for column, _ in columns])]
    head, *body = zip(*(_align_cells(texts, column.view.style) for column, texts in columns), strict=True)
    rule = ["─" * _count_cells(cell) for cell in head]
    table = [_GAP.join(row).rstrip() for row in (head, rule, *body)]
    return "\n".join([*caption, *([""] if caption else []), *table, *filter(None, after)])


def _format_column(column: SheetColumn) -> list[str]:
    """Return the heading and the values; a unit common to all values moves into the heading."""
    heading, values = sanitize(column.view.heading), [cell.text for cell in column.cells]
    if any(value.endswith(_UTC) for value in values):
        heading, values = heading + _UTC, [value.removesuffix(_UTC) for value in values]
    return [heading, *(_shorten_text(value, column.view.max_length) for value in values)]


def _fit_columns(columns: list[tuple[SheetColumn, list[str]]]) -> Sequence[tuple[SheetColumn, list[str]]]:
    """Return the columns that fit into the line; the least important are dropped first."""
    widths = [max(map(_count_cells, texts)) + len(_GAP) for _, texts in columns]
    width = sum(widths) - len(_GAP)
    ranks = {index: column.view.rank for index, (column, _) in enumerate(columns) if column.view.rank}
    left_out: set[int] = set()
    for index in sorted(ranks, key=lambda index: -ranks[index]):
        if width <= WIDTH:
            break
        width -= widths[index]
        left_out.add(index)
    return [column for index, column in enumerate(columns) if index not in left_out]


def _align_cells(texts: list[str], style: CellStyle) -> list[str]:
    width = max(map(_count_cells, texts))
    pads = [" " * (width - _count_cells(text)) for text in texts]
    return [pad + text if style == "number" else text + pad for text, pad in zip(texts, pads, strict=True)]


def _shorten_text(text: str, max_length: int) -> str:
    width = 0
    for index, character in enumerate(text):
        width += _measure_character(character)
        if width >= max_length:
            # The last cell takes this character if only zero-width ones follow, else an ellipsis.
            if width == max_length and _count_cells(text[index + 1 : index + 2 + max_length]) == 0:
                return text[: index + 2 + max_length]
            return text[:index].rstrip() + "…"
    return text


def _count_cells(text: str) -> int:
    """Return how many terminal cells a text takes."""
    return len(text) if text.isascii() else sum(map(_measure_character, text))


def _measure_character(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1

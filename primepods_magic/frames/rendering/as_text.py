"""Tables as text, for terminals and for saved notebooks.

Without a width, the result depends on the frame alone: not on the terminal, the time of day or the machine.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

from primepods_magic.api.text.sanitize import brief, sanitize

from .column_formats import CellStyle
from .table import DisplayTable, SheetColumn

__all__ = ["sheet_text"]

WIDTH = 110
_GAP = "  "
_MAX_HEADING = 40


def sheet_text(sheet: DisplayTable, width: int | None = None) -> str:
    """Render a table as text: the caption, the table, and a line about what is left out.

    With a width, no line is longer, and captions and notes are wrapped.
    """
    caption = [brief(sheet.caption)] if sheet.caption else []
    if not sheet.rows:
        notes = filter(None, [*caption, sheet.nothing, sheet.notes(sheet.columns)])
        return "\n".join(_wrap_notes(notes, width))
    columns = _fit_columns([_read_column(column) for column in sheet.columns], width or WIDTH)
    heads = zip_longest(*(column.lines_of_heading()[::-1] for column in columns), fillvalue="")
    head = [_join_cells(cells, columns) for cells in heads][::-1]
    rule = _GAP.join("─" * column.width for column in columns)
    rows = zip(*(column.values for column in columns), strict=True)
    body = [_join_cells(row, columns) for row in rows]
    more_rows = sheet.more_rows()
    if more_rows:
        body.insert(0 if sheet.is_oldest_first else len(body), more_rows)
    after = filter(None, [sheet.notes([column.source for column in columns])])
    above = [*_wrap_notes(caption, width), *([""] if caption else [])]
    return "\n".join([*above, *head, rule, *body, *_wrap_notes(after, width)])


@dataclass
class _TextColumn:
    """A column as text, and the width that it gets."""

    source: SheetColumn
    heading: str
    values: list[str]
    body_width: int
    width: int

    @property
    def style(self) -> CellStyle:
        return self.source.view.style

    @property
    def min_width(self) -> int:
        """The width with a folded heading."""
        return max(self.body_width, *map(_count_cells, _split_heading(self.heading)))

    def lines_of_heading(self) -> list[str]:
        """Return the lines of the heading, folded at its underscores if it is wider than the column."""
        lines = [""]
        for part in _split_heading(self.heading):
            if lines[-1] and _count_cells(lines[-1] + part) > self.width:
                lines.append("")
            lines[-1] += part
        return [line.rstrip() for line in lines]


def _read_column(column: SheetColumn) -> _TextColumn:
    """Format heading and values; a unit common to all values moves into the heading."""
    heading = _shorten_text(f"{sanitize(column.view.heading)} {column.unit}".rstrip(), _MAX_HEADING)
    values = [_shorten_text(value, column.view.max_length) for value in column.read_texts()]
    width = max(map(_count_cells, values))
    return _TextColumn(column, heading, values, width, max(width, _count_cells(heading)))


def _split_heading(heading: str) -> list[str]:
    parts = heading.replace("_", "_\n").replace(" ", " \n").splitlines()
    return parts or [""]


def _fit_columns(columns: list[_TextColumn], width: int) -> list[_TextColumn]:
    """Return the columns that fit into the line, with their widths.

    The least important columns are left out, if folding the headings does not suffice.
    """
    columns = _drop_columns(columns, width)
    excess = sum(column.width + len(_GAP) for column in columns) - len(_GAP) - width
    # Each heading is folded only if it has to be, those that save most first.
    for column in sorted(columns, key=lambda each: each.min_width - each.width):
        if excess > 0:
            excess -= column.width - column.min_width
            column.width = column.min_width
    if excess > 0:
        # A single column that is too wide is cut.
        column = columns[0]
        column.width = max(1, column.width - excess)
        column.heading = _shorten_text(column.heading, column.width)
        column.values = [_shorten_text(value, column.width) for value in column.values]
    return columns


def _drop_columns(columns: list[_TextColumn], width: int) -> list[_TextColumn]:
    needed = sum(column.min_width + len(_GAP) for column in columns) - len(_GAP)
    dropped = set()
    by_rank = sorted(range(1, len(columns)), key=lambda index: (-columns[index].source.view.rank, -index))
    for index in by_rank:
        if needed <= width:
            break
        needed -= columns[index].min_width + len(_GAP)
        dropped.add(index)
    return [column for index, column in enumerate(columns) if index not in dropped]


def _join_cells(texts: tuple[str, ...], columns: list[_TextColumn]) -> str:
    cells = []
    for text, column in zip(texts, columns, strict=True):
        pad = " " * (column.width - _count_cells(text))
        cells.append(pad + text if column.style == "number" else text + pad)
    return _GAP.join(cells).rstrip()


def _wrap_notes(texts: Iterable[str], width: int | None) -> list[str]:
    """Wrap lines to a width; what goes on is indented, so that no text from the service begins a line."""
    if width is None:
        return list(texts)
    wrapped = [_wrap_words(text, width - len(_GAP)) for text in texts]
    return [line for first, *others in wrapped for line in (first, *(_GAP + other for other in others))]


def _wrap_words(text: str, width: int) -> list[str]:
    """Break text between words into lines of a width; only words that are wider are cut."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if _count_cells(joined) <= width:
            lines[-1] = joined
            continue
        lines += [word] if lines[-1] else []
        lines[-1] = word
        while _count_cells(lines[-1]) > width:
            part = _cut_text(lines[-1], width)
            lines[-1:] = [part, lines[-1][len(part) :]]
    return lines


def _cut_text(text: str, width: int) -> str:
    """Return the beginning of a text that fits into `width` cells, and at least one character."""
    used = 0
    for index, character in enumerate(text):
        used += _measure_character(character)
        if used > width and index:
            return text[:index]
    return text


def _shorten_text(text: str, max_length: int) -> str:
    if text.isascii():
        return text if len(text) <= max_length else f"{text[: max_length - 1].rstrip()}…"
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

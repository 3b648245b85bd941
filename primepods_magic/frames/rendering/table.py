"""Tables for display: the most important columns as text, and what is left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from primepods_magic.api.text.sanitize import sanitize, shorten

from .column_formats import ColumnFormat, DisplayCell, plain_view, views_of
from .formatting import MISSING, count_decimals

__all__ = ["DisplayTable", "SheetColumn", "can_be_shown", "read_sheet"]

MAX_ROWS = 60
FIRST_ROWS = 50
# In IPython, the underscore is the last result, which this is.
_ALL_COLUMNS = "_.columns"
_MAX_NAMES = 6
_MAX_NAME_CHARS = 24

_NOUNS = {
    "audit": ("entry", "entries"),
    "status": ("pod", "pods"),
    "removed": ("pod", "pods"),
    "disk_offers": ("offer", "offers"),
    "deleted_disks": ("disk", "disks"),
    "history": ("line of history", "lines of history"),
    "costs": ("line", "lines"),
    "cache": ("history", "histories"),
    "last-month": ("line", "lines"),
    "month": ("wallet", "wallets"),
    "dearest": ("pod", "pods"),
    "prices": ("GPU type", "GPU types"),
    "spot": ("GPU type", "GPU types"),
    "waste": ("line", "lines"),
    "timeline": ("pod", "pods"),
    "wallet": ("line", "lines"),
}


@dataclass(frozen=True)
class SheetColumn:
    """A shown column: its format, its cells, and the values that these show."""

    view: ColumnFormat
    cells: list[DisplayCell]
    values: list[object]

    @property
    def unit(self) -> str:
        """The unit of the values, if all have the same."""
        units = {cell.unit for cell in self.cells if cell.text != MISSING}
        return units.pop() if len(units) == 1 else ""

    def read_texts(self) -> list[str]:
        """Return the values as text, with their units unless all have the same."""
        unit = self.unit
        return [
            cell.text if cell.unit == unit else f"{cell.text} {cell.unit}".rstrip() for cell in self.cells
        ]

    @property
    def can_be_hidden(self) -> bool:
        """True if no row has a value, or every row the usual one."""
        texts = {cell.text for cell in self.cells}
        return self.view.may_hide and (texts <= {MISSING} or texts == {self.view.usual})


@dataclass(frozen=True)
class DisplayTable:
    """A frame prepared for display, from which both HTML and text are rendered.

    `rows` counts the frame, `total` all there are, `shown` the displayed ones; `width` counts the columns.
    `is_oldest_first` if the rows are in the order of time: then the last ones are shown, not the first.
    Kinds that fold what matters less show it if `is_unfolded`.
    """

    kind: str
    caption: str | None
    columns: list[SheetColumn]
    rows: int
    total: int
    shown: int
    width: int
    is_oldest_first: bool = False
    is_unfolded: bool = False

    def more_rows(self, shown: int | None = None) -> str | None:
        """Return the line in place of the rows that are not shown, if not all of `shown` are."""
        left = self.rows - (self.shown if shown is None else shown)
        which = "earlier" if self.is_oldest_first else "more"
        return f"… {left:,} {which} {'row' if left == 1 else 'rows'}" if left else None

    def describe_part(self, shown: int) -> str:
        """Describe which rows are shown, such as ``first 78 of 139 rows``; empty if all are."""
        which = "last" if self.is_oldest_first else "first"
        return f"{which} {shown:,} of {self.rows:,} rows" if shown < self.rows else ""

    @property
    def nothing(self) -> str | None:
        """The message for a frame without rows, unless the caption says it."""
        text = f"no {self._count_noun(0)}"
        return None if self.rows or text in (self.caption or "") else text

    def notes(self, columns: Sequence[SheetColumn]) -> str:
        """Return the line below about what these columns leave out; empty if that is nothing."""
        parts = []
        if self.total > self.rows:
            parts.append(f"{self.rows:,} of {self.total:,} {self._count_noun(self.total)}")
        hidden = self.width - len({source for column in columns for source in column.view.sources})
        if hidden > 0 and self.rows:
            parts.append(self._describe_hidden(hidden, columns))
        return " · ".join(parts)

    def _describe_hidden(self, hidden: int, columns: Sequence[SheetColumn]) -> str:
        """Describe the columns that are not shown; those that did not fit have names."""
        fitting = {column.view.heading for column in columns}
        names = [column.view.heading for column in self.columns if column.view.heading not in fitting]
        names = [shorten(sanitize(name), _MAX_NAME_CHARS) for name in names[:_MAX_NAMES]]
        left = hidden - len(names)
        more = f"{left} more {'column' if left == 1 else 'columns'}: {_ALL_COLUMNS}"
        if not names:
            return more
        listed = ", ".join(names)
        return f"not shown: {listed} and {more}" if left else f"not shown: {listed}"

    def _count_noun(self, count: int) -> str:
        singular, plural = _NOUNS.get(self.kind, (self.kind.removesuffix("s"), self.kind))
        return singular if count == 1 else plural


def can_be_shown(frame: pd.DataFrame) -> bool:
    """Return whether a frame still has the shape we gave it; pandas displays others best."""
    index, columns = frame.index, frame.columns
    flat = index.nlevels == 1 and index.name is None and columns.nlevels == 1 and columns.is_unique
    return flat and all(isinstance(name, str) for name in columns)


def read_sheet(
    frame: pd.DataFrame,
    kind: str,
    caption: str | None,
    total: int | None,
    known: Collection[str],
    max_rows: int | None = None,
    *,
    is_unfolded: bool = False,
) -> DisplayTable:
    """Prepare a frame, for which `can_be_shown` holds, for display.

    `known` are the columns that it came with; those that the user has added are shown too. Without
    `max_rows`, a long frame is cut so that some rows less than that limit are shown.
    """
    rows = len(frame)
    shown = min(rows, max_rows) if max_rows else rows if rows <= MAX_ROWS else FIRST_ROWS
    views = [view for view in views_of(kind, list(known)) if view.sources[0] in frame.columns]
    views += [plain_view(name, rank=1) for name in frame.columns if name not in known]
    is_oldest_first = kind in ("audit", "timeline") or "period" in frame.columns[:1]
    part = frame.tail(shown) if is_oldest_first else frame.head(shown)
    columns = [_format_column(part, view) for view in views]
    columns = [column for column in columns if not column.can_be_hidden]
    in_all = rows if total is None else max(total, rows)
    return DisplayTable(
        kind, caption, columns, rows, in_all, shown, frame.shape[1], is_oldest_first, is_unfolded
    )


def _format_column(frame: pd.DataFrame, view: ColumnFormat) -> SheetColumn:
    missing: list[object] = [None] * len(frame)
    values = [list(frame[name]) if name in frame.columns else missing for name in view.sources]
    shown = values[0]
    if view.decimals is not None:
        values.append([count_decimals(shown, *view.decimals)] * len(frame))
    return SheetColumn(view, [view.format_value(*row) for row in zip(*values, strict=True)], shown)

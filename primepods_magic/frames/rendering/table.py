"""A frame prepared for showing: the columns that matter most, as words, and what is left out.

HTML and text are written from the same sheet, so they say the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from .column_formats import ColumnFormat, DisplayCell, plain_view, views_of
from .formatting import MISSING

__all__ = ["DisplayTable", "SheetColumn", "can_be_shown", "read_sheet"]

MOST_ROWS = 60
FIRST_ROWS = 50

_NOUNS = {
    "status": ("pod", "pods"),
    "removed": ("pod", "pods"),
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
    """One shown column: how it looks, and its cells."""

    view: ColumnFormat
    cells: list[DisplayCell]

    @property
    def is_empty(self) -> bool:
        """No row has a value."""
        return all(cell.text == MISSING for cell in self.cells)


@dataclass(frozen=True)
class DisplayTable:
    """A frame prepared for showing.

    Parameters
    ----------
    kind : str
        What its rows are: ``pods``, ``offers``, …
    caption : str or None
        The line above.
    columns : list of SheetColumn
        The columns to show.
    rows, total, shown : int
        How many rows the frame has, how many there are in all, and how many are shown.
    width : int
        How many columns the frame has.
    """

    kind: str
    caption: str | None
    columns: list[SheetColumn]
    rows: int
    total: int
    shown: int
    width: int

    @property
    def more_rows(self) -> str | None:
        """The line in place of the rows that are not shown."""
        left = self.rows - self.shown
        return f"… {left:,} more {'row' if left == 1 else 'rows'}" if left else None

    @property
    def nothing(self) -> str | None:
        """What is said where there is no row, and the caption does not say it."""
        said = f"no {self._noun(0)}"
        return None if self.rows or said in (self.caption or "") else said

    def notes(self, columns: Sequence[SheetColumn]) -> str:
        """The line below, about what these columns leave out; empty where that is nothing."""
        parts = []
        if self.total > self.rows:
            parts.append(f"{self.rows:,} of {self.total:,} {self._noun(self.total)}")
        hidden = self.width - len({source for column in columns for source in column.view.sources})
        if hidden > 0 and self.rows:
            parts.append(f"{hidden} more {'column' if hidden == 1 else 'columns'}: df.columns")
        return " · ".join(parts)

    def _noun(self, count: int) -> str:
        singular, plural = _NOUNS.get(self.kind, (self.kind.removesuffix("s"), self.kind))
        return singular if count == 1 else plural


def can_be_shown(frame: pd.DataFrame) -> bool:
    """Whether the frame still has the form that we gave it; else its user reshaped it in place, and
    pandas shows best what it has become."""
    index, columns = frame.index, frame.columns
    flat = index.nlevels == 1 and index.name is None and columns.nlevels == 1 and columns.is_unique
    return flat and all(isinstance(name, str) for name in columns)


def read_sheet(
    frame: pd.DataFrame, kind: str, caption: str | None, total: int | None, known: Collection[str]
) -> DisplayTable:
    """Prepare a frame for showing.

    Parameters
    ----------
    frame : pandas.DataFrame
        The frame, for which `can_be_shown` holds.
    kind : str
        What its rows are.
    caption : str, optional
        The line above.
    total : int, optional
        How many rows there are in all, where the frame has some of them.
    known : collection of str
        The columns that it came with; the others are its user's, and are shown.
    """
    rows = len(frame)
    shown = rows if rows <= MOST_ROWS else FIRST_ROWS
    views = [view for view in views_of(kind, list(known)) if view.sources[0] in frame.columns]
    views += [plain_view(name, rank=1) for name in frame.columns if name not in known]
    top = frame.head(shown)
    columns = [SheetColumn(view, _cells(top, view)) for view in views]
    columns = [column for column in columns if not (column.view.rank and column.is_empty)]
    in_all = rows if total is None else max(total, rows)
    return DisplayTable(kind, caption, columns, rows, in_all, shown, frame.shape[1])


def _cells(frame: pd.DataFrame, view: ColumnFormat) -> list[DisplayCell]:
    missing = [None] * len(frame)
    values = [list(frame[name]) if name in frame.columns else missing for name in view.sources]
    return [view.write(*row) for row in zip(*values, strict=True)]

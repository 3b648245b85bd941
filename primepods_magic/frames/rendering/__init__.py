"""Our frames as text and HTML, for terminals and notebooks."""

from __future__ import annotations

from . import as_html, as_text
from .checks import checks_html, checks_text
from .table import DisplayTable, can_be_shown, read_sheet

__all__ = ["DisplayTable", "can_be_shown", "read_sheet", "sheet_html", "sheet_text"]


def sheet_html(sheet: DisplayTable) -> str:
    """Render a frame as HTML, in the layout of its kind."""
    return checks_html(sheet) if sheet.kind == "checks" else as_html.sheet_html(sheet)


def sheet_text(sheet: DisplayTable, width: int | None = None) -> str:
    """Render a frame as text, in the layout of its kind; with a width, no line is longer."""
    return checks_text(sheet, width) if sheet.kind == "checks" else as_text.sheet_text(sheet, width)

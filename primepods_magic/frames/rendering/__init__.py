"""Our frames as text and HTML, for terminals and notebooks."""

from __future__ import annotations

from .as_html import sheet_html
from .as_text import sheet_text
from .table import DisplayTable, can_be_shown, read_sheet

__all__ = ["DisplayTable", "can_be_shown", "read_sheet", "sheet_html", "sheet_text"]

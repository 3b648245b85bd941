"""Tables as HTML that is readable on light and on dark backgrounds.

All styles are inline, because untrusted notebooks strip ``<style>`` elements. Text keeps the front end's own
color and contrast; severities are tints below it.
"""

from __future__ import annotations

from html import escape

from primepods_magic.api.text.sanitize import brief, safe_html
from primepods_magic.frames.tables.catalog import meaning

from .column_formats import CellStyle, ColumnFormat, DisplayCell, Severity
from .formatting import MISSING
from .table import DisplayTable, SheetColumn

__all__ = ["block_html", "render_badge", "sheet_html"]

_BLOCK = "font-size:13px;line-height:1.4"
_TABLE = "border-collapse:collapse;table-layout:auto;margin:0;font-variant-numeric:tabular-nums"
_PADDING = "padding:3px 8px;white-space:nowrap"
# Wide enough to read, narrow enough that two of them fit beside each other.
_PROSE = "padding:3px 8px;white-space:normal;min-width:20ch;max-width:56ch"
_MUTED = "opacity:0.75"
# Aligns with the text of the cells.
_INSET = "padding-left:8px"
_CODE = "font-family:monospace;font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:12px"
_CUT = "display:inline-block;overflow:hidden;text-overflow:ellipsis;vertical-align:bottom"
_BADGE = "display:inline-block;padding:0px 7px;border-radius:9px"
_TRACK = (
    "display:inline-block;width:56px;height:6px;border-radius:3px;margin-right:7px;vertical-align:middle;"
    "overflow:hidden;background:rgba(128,128,128,0.28)"
)
_TINT: dict[Severity, str] = {
    "good": "46,160,67",
    "busy": "47,129,247",
    "warn": "210,153,34",
    "bad": "248,81,73",
    "idle": "128,128,128",
}
_FILL: dict[Severity, str] = {
    "good": "#2da44e",
    "busy": "#1976d2",
    "warn": "#b26a00",
    "bad": "#d32f2f",
    "idle": "#7d7d7d",
}


def sheet_html(sheet: DisplayTable) -> str:
    """Render a table as HTML, with everything from the service escaped."""
    parts = []
    if sheet.caption:
        parts.append(f'<div style="margin-bottom:4px;{_INSET}">{safe_html(brief(sheet.caption))}</div>')
    if sheet.rows:
        parts.append(_render_table(sheet))
    if sheet.nothing:
        parts.append(f'<div style="{_MUTED};{_INSET}">{safe_html(sheet.nothing)}</div>')
    notes = sheet.notes(sheet.columns)
    if notes:
        parts.append(f'<div style="margin-top:4px;{_MUTED};{_INSET}">{safe_html(notes)}</div>')
    return block_html("".join(parts))


def block_html(content: str) -> str:
    """Put HTML into a block with our font."""
    return f'<div style="{_BLOCK}">{content}</div>'


def render_badge(text: str, severity: Severity | None = None) -> str:
    """Render a short text on a tint of its severity."""
    tint = _TINT[severity or "idle"]
    mark = f"background:rgba({tint},0.16);border:1px solid rgba({tint},0.6)"
    return f'<span style="{_BADGE};{mark}">{text}</span>'


def _render_table(sheet: DisplayTable) -> str:
    head = "".join(_render_heading(column, sheet.kind) for column in sheet.columns)
    cells = [
        [
            _render_cell(column.view, cell, text)
            for cell, text in zip(column.cells, column.read_texts(), strict=True)
        ]
        for column in sheet.columns
    ]
    rows = ["".join(row) for row in zip(*cells, strict=True)]
    if sheet.more_rows:
        style = f"text-align:left;{_PADDING};{_MUTED}"
        more = f'<td colspan="{len(sheet.columns)}" style="{style}">{sheet.more_rows}</td>'
        rows.insert(0 if sheet.is_oldest_first else len(rows), more)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return (
        # A region that scrolls must be reachable by keyboard.
        f'<div style="overflow-x:auto" tabindex="0" role="region" aria-label="{escape(sheet.kind)}">'
        f'<table style="{_TABLE}">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _render_heading(column: SheetColumn, kind: str) -> str:
    view = column.view
    style = f"text-align:{_choose_side(view.style)};{_PADDING};font-weight:600"
    description = meaning(view.heading, kind)
    hint = f' title="{escape(description)}"' if description else ""
    unit = f' <span style="{_MUTED};font-weight:400">{safe_html(column.unit)}</span>' if column.unit else ""
    return f'<th scope="col"{hint} style="{style}">{safe_html(view.heading)}{unit}</th>'


def _render_cell(view: ColumnFormat, cell: DisplayCell, text: str) -> str:
    space = _PROSE if view.style == "prose" else _PADDING
    hint = f' title="{escape(cell.hint)}"' if cell.hint else ""
    content = _render_content(view, cell, text)
    return f'<td{hint} style="text-align:{_choose_side(view.style)};{space}">{content}</td>'


def _render_content(view: ColumnFormat, cell: DisplayCell, text: str) -> str:
    if text == MISSING:
        return f'<span style="{_MUTED}">{MISSING}</span>'
    text = _shorten_text(text, view.max_length)
    if view.style == "badge":
        return render_badge(text, cell.severity)
    if view.style == "bar":
        return _render_bar(cell) + text
    if view.style == "strong":
        return f'<b style="font-weight:600"><bdi>{text}</bdi></b>'
    if view.style == "code":
        return f'<span style="{_CODE}">{text}</span>'
    return f"<bdi>{text}</bdi>" if view.style in ("text", "prose") else text


def _render_bar(cell: DisplayCell) -> str:
    if cell.percent is None:
        return ""
    length = min(100.0, max(0.0, cell.percent))
    fill = f"height:6px;border-radius:3px;width:{length:g}%;background:{_FILL[cell.severity or 'idle']}"
    return f'<span style="{_TRACK}"><span style="display:block;{fill}"></span></span>'


def _shorten_text(text: str, max_length: int) -> str:
    """Cut long text with an ellipsis by CSS, so that it is copied, and shown on hovering, in full."""
    if len(text) <= max_length:
        return safe_html(text)
    return f'<span title="{escape(text)}" style="{_CUT};max-width:{max_length}ch">{safe_html(text)}</span>'


def _choose_side(style: CellStyle) -> str:
    return "right" if style == "number" else "left"

"""Tables as HTML that is readable on light and on dark backgrounds.

An output has its own style sheet, and a script that sorts, filters and pages its table. Untrusted notebooks
strip both and show the same table in their own style. Text keeps the front end's own color and contrast;
severities are tints below it.
"""

from __future__ import annotations

from html import escape

from primepods_magic.api.text.sanitize import brief, safe_html, shorten
from primepods_magic.frames.tables.catalog import meaning

from .column_formats import CellStyle, ColumnFormat, DisplayCell, Severity
from .formatting import MISSING
from .interaction import PAGE_ROWS, SCRIPT, rank_values
from .table import DisplayTable, SheetColumn

__all__ = ["MAX_BYTES", "block_html", "render_badge", "sheet_html"]

MAX_BYTES = 30_000
_MIN_SORTABLE_ROWS = 6
_MAX_COLUMNS = 40
_MAX_TEXT = 400
_RANK_BYTES = 2
# The elements around caption, head, rows and notes take less than this.
_FRAME_BYTES = 700

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
_CODE = "font-family:monospace;font-family:var(--jp-code-font-family,ui-monospace,monospace);font-size:12px"
# Of a block: its font, and badges.
_BLOCK_RULES = {
    "": "font-size:13px;line-height:1.4",
    " .b": "padding:0 7px;border-radius:9px;border:1px solid var(--e);background:var(--t)",
    # Whole colors: euporie stops at the cell of an `rgba(var(…))`.
    **{
        f" .{name}": f"--e:rgba({tint},.6);--t:rgba({tint},.16);--f:{_FILL[name]}"
        for name, tint in _TINT.items()
    },
}
# The names of elements make the rules stronger than those of front ends for all tables.
_TABLE_RULES = {
    " .pp-note": "padding:0 8px;opacity:.75",
    " .pp-bar": "padding:0 8px 4px",
    " .pp-bar>*": "margin-right:6px;font:inherit;color:inherit",
    " .pp-bar>:not(span)": "background:none;border:1px solid rgba(128,128,128,.6);border-radius:3px;"
    "padding:1px 8px",
    " .pp-bar input": "width:16em",
    " .pp-bar button:disabled": "opacity:.35",
    " table": "border-collapse:collapse;table-layout:auto;margin:0;font-variant-numeric:tabular-nums",
    ".primepods table td,.primepods.primepods table th": "text-align:left;padding:3px 8px;white-space:nowrap",
    " table th": "position:relative;box-sizing:border-box;font-weight:600;vertical-align:bottom",
    ".primepods table th": "white-space:normal",
    " table .u": "opacity:.75;font-weight:400",
    " th button": "all:unset;cursor:pointer",
    " th button:hover": "text-decoration:underline",
    " th button:focus-visible": "outline:2px solid",
    " th[aria-sort]::after": 'content:"▲";position:absolute;right:0;font-size:8px;bottom:7px',
    " th[aria-sort=descending]::after": 'content:"▼"',
    " .t": "display:inline-block;width:56px;height:6px;border-radius:3px;overflow:hidden;margin-right:7px;"
    "vertical-align:middle;background:rgba(128,128,128,.28)",
    " .t>span": "display:block;height:6px;background:var(--f)",
}
# Styles of whole columns: a class of the table names each with its number, so that cells need no class.
_COLUMN_RULES: dict[CellStyle, tuple[str, str, str]] = {
    "number": ("n", "tr>", "text-align:right"),
    "code": ("c", "td", _CODE),
    "strong": ("s", "td", "font-weight:600"),
}
_CUT = "overflow:hidden;text-overflow:ellipsis;max-width:"


def _join_rules(rules: dict[str, str]) -> str:
    return "".join(f".primepods{name}{{{rule}}}" for name, rule in rules.items())


_BLOCK_STYLE, _TABLE_STYLE = _join_rules(_BLOCK_RULES), _join_rules(_TABLE_RULES)


def sheet_html(sheet: DisplayTable) -> str:
    """Render a table as HTML of at most `MAX_BYTES`, with everything from the service escaped.

    It has as many rows as fit, and at least one.
    """
    columns = sheet.columns[:_MAX_COLUMNS]
    above = _render_note(brief(sheet.caption)) if sheet.caption else ""
    below = [text for text in (sheet.nothing, sheet.notes(columns)) if text]
    rules = "".join(f".primepods .{name} {rule}" for name, rule in _style_columns(columns).items())
    style = f"<style>{_BLOCK_STYLE}{_TABLE_STYLE}{rules}</style>"
    table = ""
    if sheet.rows:
        heads = (_render_heading(column, sheet.kind) for column in columns)
        used = len("".join([style, SCRIPT, above, *heads, *below]).encode()) + _FRAME_BYTES
        table, shown = _render_table(sheet, columns, MAX_BYTES - used)
        more_rows = sheet.more_rows(shown)
        below[:0] = [more_rows] if more_rows else []
    return f'<div class="primepods">{style}{above}{table}{"".join(map(_render_note, below))}</div>'


def block_html(content: str) -> str:
    """Put HTML into a block with our font and the styles of badges."""
    return f'<div class="primepods"><style>{_BLOCK_STYLE}</style>{content}</div>'


def render_badge(text: str, severity: Severity | None = None) -> str:
    """Render a short text on a tint of its severity, within a table or `block_html`."""
    return f'<span class="b {severity or "idle"}">{text}</span>'


def _render_note(text: str) -> str:
    return f'<div class="pp-note">{safe_html(text)}</div>'


def _render_table(sheet: DisplayTable, columns: list[SheetColumn], max_bytes: int) -> tuple[str, int]:
    """Render the rows that fit; return the table and their number."""
    texts = [column.read_texts() for column in columns]
    has_script = sheet.shown >= _MIN_SORTABLE_ROWS
    rows: list[str] = []
    for number in range(sheet.shown)[:: -1 if sheet.is_oldest_first else 1]:
        cells = (
            _render_cell(column.view, column.cells[number], text[number], has_script)
            for column, text in zip(columns, texts, strict=True)
        )
        row = f"<tr>{''.join(cells)}</tr>"
        max_bytes -= len(row.encode()) + 1 + _RANK_BYTES * len(columns)
        if max_bytes < 0 and rows:
            break
        rows.append(row)
    if sheet.is_oldest_first:
        rows.reverse()
    shown = slice(-len(rows), None) if sheet.is_oldest_first else slice(len(rows))
    head = "".join(
        _render_heading(column, sheet.kind, rank_values(column.values[shown]) if has_script else "")
        for column in columns
    )
    mode = f' class="{" ".join(_style_columns(columns))}"'
    mode += f' data-page="{PAGE_ROWS}"' if has_script else ""
    mode += ' data-end="1"' if has_script and sheet.is_oldest_first else ""
    part = sheet.describe_part(len(rows))
    mode += f' data-part=" ({part})"' if has_script and part else ""
    body = "\n".join(rows)
    return (
        # A region that scrolls must be reachable by keyboard.
        '<div style="overflow:auto;max-height:640px" tabindex="0" role="region" '
        f'aria-label="{escape(sheet.kind)}"><table{mode}>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>{SCRIPT if has_script else ''}"
    ), len(rows)


def _style_columns(columns: list[SheetColumn]) -> dict[str, str]:
    """Return the styles of columns, by the classes that a table with such columns has."""
    styles = {}
    for number, column in enumerate(columns, 1):
        view = column.view
        if view.style in _COLUMN_RULES:
            letter, cells, rule = _COLUMN_RULES[view.style]
            styles[f"{letter}{number}"] = f"{cells}:nth-child({number}){{{rule}}}"
        if any(len(cell.text) > view.max_length for cell in column.cells):
            cut = f"x{view.max_length}-{number}"
            styles[cut] = f"td:nth-child({number}){{{_CUT}{view.max_length}ch}}"
    return styles


def _render_heading(column: SheetColumn, kind: str, ranks: str = "") -> str:
    view = column.view
    description = meaning(view.heading, kind)
    hint = f' title="{escape(description)}"' if description else ""
    order = f' data-o="{ranks}"' if ranks else ""
    unit = f' <span class="u">{safe_html(column.unit)}</span>' if column.unit else ""
    name = _fold_heading(shorten(view.heading, _MAX_TEXT))
    return f'<th scope="col"{hint}{order}>{name}{unit}</th>'


def _fold_heading(name: str) -> str:
    """Let a heading continue in a second line after an underscore near its middle, if space is short."""
    breaks = [index + 1 for index, letter in enumerate(name) if letter == "_"]
    if not breaks:
        return safe_html(name)
    middle = min(breaks, key=lambda index: abs(2 * index - len(name)))
    return f"{safe_html(name[:middle])}<wbr>{safe_html(name[middle:])}"


def _render_cell(view: ColumnFormat, cell: DisplayCell, text: str, has_script: bool) -> str:
    """Render a cell; the style cuts long text, which is copied in full, and shown on hovering."""
    text = shorten(text, _MAX_TEXT)
    hint = cell.hint or (text if len(text) > view.max_length and not has_script else "")
    title = f' title="{escape(hint)}"' if hint else ""
    return f"<td{title}>{MISSING if text == MISSING else _render_content(view, cell, text)}</td>"


def _render_content(view: ColumnFormat, cell: DisplayCell, text: str) -> str:
    text = _escape_text(text)
    if view.style == "badge":
        return render_badge(text, cell.severity)
    if view.style == "bar":
        return _render_bar(cell) + text
    return text


def _render_bar(cell: DisplayCell) -> str:
    if cell.percent is None or cell.percent >= 100:
        return ""
    length = min(100.0, max(0.0, cell.percent))
    return f'<span class="t"><span class="{cell.severity or "idle"}" style="width:{length:g}%"></span></span>'


def _escape_text(text: str) -> str:
    """Escape text; letters that are read from right to left do not reorder what is beside them."""
    if not text.isascii():
        return f"<bdi>{safe_html(text)}</bdi>"
    # Front ends typeset what is between two signs.
    return safe_html(text) if text.count("$") > 1 or "\\" in text else escape(text)

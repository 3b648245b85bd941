"""Checks as text and HTML: problems first, each with its advice in full; what is fine is in one line."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from primepods_magic.api.text.sanitize import brief, safe_html

from .as_html import block_html, render_badge
from .column_formats import Severity
from .formatting import MISSING
from .table import DisplayTable

__all__ = ["checks_html", "checks_text"]

_WIDTH = 80
# Text of the service must not look like a finding of its own.
_CONTINUED = "  │ "
_SEVERITIES: dict[str, Severity] = {"problem": "bad", "warning": "warn"}
_ADVICE = "margin-left:1.5em"
_WRAPPED = "padding:3px 8px;max-width:72em;overflow-wrap:anywhere"


@dataclass(frozen=True)
class _Check:
    """One row, as text; `advice` may be empty."""

    name: str
    result: str
    detail: str
    advice: str


def checks_text(sheet: DisplayTable, width: int | None = None) -> str:
    """Render checks as lines of at most 80 cells, or fewer, except for words that are longer."""
    bad, good = _split_checks(sheet)
    width = min(width or _WIDTH, _WIDTH)
    parts = [line for check in bad for line in _format_check(check, f"{check.result.upper()}  ", width)]
    if bad:
        parts.append("")
    if good and sheet.is_unfolded:
        parts += [line for check in good for line in _format_check(check, "ok  ", width)]
    elif good:
        parts += _wrap_line(f"{_summarize_checks(good)}.", width)
        parts.append("To show them: %pods doctor --all")
    return "\n".join([brief(sheet.caption or ""), "", *parts]).strip()


def checks_html(sheet: DisplayTable) -> str:
    """Render checks, with those that are fine folded."""
    bad, good = _split_checks(sheet)
    summary = f'<div style="{_WRAPPED}">{safe_html(brief(sheet.caption or ""))}</div>'
    blocks = [summary, *map(_render_check, bad)]
    if good:
        opened = " open" if sheet.is_unfolded else ""
        rows = "".join(map(_render_check, good))
        blocks.append(
            f'<details{opened} style="padding:3px 8px"><summary style="cursor:pointer">'
            f"{safe_html(_summarize_checks(good))}</summary>{rows}</details>"
        )
    return block_html("".join(blocks))


def _split_checks(sheet: DisplayTable) -> tuple[list[_Check], list[_Check]]:
    """Return the checks that found something, problems first, and those that did not."""
    cells = {column.view.heading: [cell.text for cell in column.cells] for column in sheet.columns}
    empty = [MISSING] * sheet.shown
    columns = (cells.get(name, empty) for name in ("check", "result", "detail", "what_to_do"))
    checks = [
        _Check(*("" if text == MISSING else text for text in row)) for row in zip(*columns, strict=True)
    ]
    bad = [check for result in _SEVERITIES for check in checks if check.result == result]
    return bad, [check for check in checks if check.result not in _SEVERITIES]


def _summarize_checks(checks: list[_Check]) -> str:
    names = ", ".join(dict.fromkeys(check.name for check in checks))
    return f"{len(checks)} {'check' if len(checks) == 1 else 'checks'} passed: {names}"


def _format_check(check: _Check, mark: str, width: int) -> list[str]:
    lines = _wrap_line(f"{mark}{check.name}: {check.detail}", width, _CONTINUED)
    return [*lines, *_wrap_line(f"  → {check.advice}", width, "    ")] if check.advice else lines


def _wrap_line(text: str, width: int, indent: str = "") -> list[str]:
    """Wrap a line between words only, so that commands and paths can be copied."""
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _render_check(check: _Check) -> str:
    badge = render_badge(safe_html(check.result), _SEVERITIES.get(check.result, "good"))
    advice = f'<div style="{_ADVICE}">→ {safe_html(check.advice)}</div>' if check.advice else ""
    name = f'<b style="font-weight:600">{safe_html(check.name)}</b>'
    return f'<div style="{_WRAPPED}">{badge} {name}: {safe_html(check.detail)}{advice}</div>'

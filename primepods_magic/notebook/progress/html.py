"""HTML of rows, for the live widget and for saved notebooks.

All styles are inline: an untrusted notebook loses its `<style>` elements. Its sanitizer may also drop
declarations with CSS variables, so a plain color comes before each of them, and text inherits its color.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from html import escape, unescape
from typing import TYPE_CHECKING

from primepods_magic.api.text.sanitize import safe_html
from primepods_magic.notebook.display.links import Origin, links_html, origin_html

from .row_selection import select_rows
from .rows import (
    PodPhase,
    Row,
    Totals,
    announcement,
    as_of_text,
    format_overflow,
    format_totals,
    read_rows,
    trouble_text,
)

if TYPE_CHECKING:
    from primepods_magic.pods.watching.snapshot import Snapshot

__all__ = [
    "COPY_BUTTONS",
    "COPY_SCRIPT",
    "MOTION",
    "announcement_html",
    "elapsed_css",
    "footer_html",
    "live_style",
    "rest_html",
    "row_html",
    "static_html",
    "static_text",
    "totals_html",
    "trouble_html",
]

MOTION = """<style>
.primepods-bar { animation: primepods-grow .6s ease-out }
@keyframes primepods-grow { from { width: var(--primepods-from) } }
@media (prefers-reduced-motion: reduce) { .primepods-bar { animation: none } }
</style>"""
"""An animation of the bars. An update replaces a row's elements, so a transition would have no start; the
animation starts from the width that the row carries along."""


def live_style(name: str) -> str:
    """Render the style by which the widget of this name hides its HTML, and gives way to it once it is lost.

    JupyterLab marks widgets whose kernel is gone by a class.
    """
    lost = f".{name}-bars.jupyter-widgets-disconnected"
    return (
        f"<style>body:not(:has({lost})) .{name}-kept{{display:none}}{lost}{{display:none!important}}</style>"
    )


# The same widths in every row, so that they line up. If the two halves do not fit side by side, the second
# wraps below the first; a grid could do that only with a `<style>` element.
_HALF = "display:flex;column-gap:14px;align-items:center;min-width:0px;flex-shrink:1"
_LEFT = f"{_HALF};flex-grow:12;flex-basis:194px"
_RIGHT = f"{_HALF};flex-grow:1;flex-basis:264px"
_COLUMNS = {
    "name": "flex-grow:0;flex-shrink:1;min-width:0px",
    "bar": "flex-grow:1;flex-shrink:0;flex-basis:70px;min-width:0px",
    "words": "flex-grow:0;flex-shrink:0;flex-basis:160px;min-width:0px",
    "money": "flex-grow:1;flex-shrink:1;flex-basis:90px;min-width:0px;text-align:right",
}
_NAME_PX, _MAX_NAME_PX, _PX_OF_CHARACTER = 110, 340, 8
_FONT = "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.45"
# Contained, so that a long name ends in an ellipsis instead of widening the row.
_BLOCK = f"display:block;max-width:960px;padding:5px 2px 5px 8px;contain:inline-size;{_FONT}"
_MUTED = "color:var(--jp-ui-font-color2,inherit);font-size:12px"
_ONE_LINE = "overflow:hidden;text-overflow:ellipsis;white-space:nowrap"
_RULE = (
    "border-top:1px solid rgba(128,128,128,0.25);"
    "border-top-color:var(--jp-border-color2,rgba(128,128,128,0.25))"
)
_CODE = (
    "display:inline-block;max-width:100%;box-sizing:border-box;padding:2px 6px;border-radius:2px;"
    "user-select:all;overflow-x:auto;white-space:pre;vertical-align:top;"
    "font-family:var(--jp-code-font-family,monospace);font-size:12px;"
    "background:rgba(128,128,128,0.12);background:var(--jp-layout-color2,rgba(128,128,128,0.12));"
    "color:var(--jp-content-font-color1,inherit)"
)
_BUTTON = (
    "padding:1px 8px;border:1px solid rgba(128,128,128,0.5);border-radius:2px;background:none;color:inherit;"
    f"cursor:pointer;{_FONT};font-size:12px"
)
# Without HTTPS, a page may not write to the clipboard: then the command is selected.
COPY_SCRIPT = (
    "const say = () =&gt; {this.textContent = 'Copied'};"
    "navigator.clipboard ? navigator.clipboard.writeText(this.dataset.command).then(say)"
    " : getSelection().selectAllChildren(this.previousElementSibling)"
)
COPY_BUTTONS = f"""<script>
for (const code of document.querySelectorAll("code.primepods-command:only-child")) {{
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.dataset.command = code.textContent;
  button.setAttribute("aria-label", "Copy " + code.textContent);
  button.style.cssText = "{_BUTTON};margin-left:10px";
  button.onclick = function () {{ {unescape(COPY_SCRIPT)} }};
  code.after(button);
}}
</script>"""
"""A script that adds a button to each command above it: where it does not run, a button could not copy."""
_DOT = "display:inline-block;width:8px;height:8px;border-radius:4px"
_EDGE = "padding-left:8px;border-left:3px solid #b26a00"
_RED = "color:var(--jp-error-color1,#d32f2f)"


def _style_color(plain: str, variable: str) -> str:
    return f"background:{plain};background:var({variable},{plain})"


_FILL = {
    PodPhase.WAITING: _style_color("#8a8a8a", "--jp-ui-font-color3"),
    PodPhase.INSTALLING: _style_color("#1976d2", "--jp-brand-color1"),
    PodPhase.READY: _style_color("#388e3c", "--jp-success-color1"),
    PodPhase.FAILED: _style_color("#d32f2f", "--jp-error-color1"),
    PodPhase.GONE: _style_color("#8a8a8a", "--jp-ui-font-color3"),
    PodPhase.UNKNOWN: _style_color("#b26a00", "--jp-warn-color1"),
}
_TUBE = "height:8px;border-radius:4px"
_TRACK = "background:rgba(128,128,128,0.2);background:var(--jp-layout-color2,rgba(128,128,128,0.2))"
# Diagonal stripes: busy, with unknown progress.
_STRIPES = (
    "background:rgba(128,128,128,0.2);background:repeating-linear-gradient(135deg,"
    "var(--jp-layout-color2,rgba(128,128,128,0.2)) 0 6px,"
    "var(--jp-layout-color3,rgba(128,128,128,0.4)) 6px 12px)"
)


def row_html(row: Row, *, before: int | None = None, ruled: bool = False, clock: str = "") -> str:
    """Render a pod's row, whose bar glides from ``before``, if given.

    With a ``clock``, `elapsed_css` shows what changes with time, and knows the row by this name.
    """
    dot = f'<span style="{_DOT};{_FILL[row.kind]}"></span>'
    name = f'<b style="font-weight:600">{_isolate_name(row.name)}</b>'
    color = f";{_RED}" if row.kind is PodPhase.FAILED else ""
    state = f'{dot} <span style="font-weight:600{color}">{safe_html(row.state)}</span>'
    cells = [
        _render_cell("name", name, row.name, safe_html(row.gpu), row.gpu, width=row.width),
        _render_bar(row.name, row.percent, row.kind, before, _render_clock(_format_time(row), clock, "t")),
        _render_cell("words", state, row.state, safe_html(row.detail), row.detail),
        _render_money(row, clock),
    ]
    below = "".join(
        _render_command(command, () if index else row.links, can_copy=bool(clock))
        for index, command in enumerate(row.commands)
    )
    if row.reason:
        below += f'<span style="{_RED};overflow-wrap:anywhere">{safe_html(row.reason)}</span>'
    return _render_block(cells, below, ruled)


def elapsed_css(rows: Mapping[str, Row]) -> str:
    """Render times and costs as a style sheet, by the names that `row_html` was given.

    One small message updates all rows, and no row is replaced while a user selects its command.
    """
    rules = [
        f'.{name}-{part}::after{{content:"{text}"}}'
        for name, row in rows.items()
        for part, text in (("t", _format_time(row)), ("c", row.cost))
    ]
    return f"<style>{''.join(rules)}</style>"


def announcement_html(text: str) -> str:
    """Render hidden text that a screen reader announces once."""
    hidden = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"
    return f'<div role="status" aria-live="polite" style="{hidden}">{safe_html(text)}</div>'


def rest_html(text: str) -> str:
    """Render the text of `format_overflow` as a row."""
    return f'<div style="{_BLOCK};{_RULE}"><span style="{_MUTED}">{safe_html(text)}</span></div>'


def totals_html(totals: Totals, *, before: int | None = None, width: int = 0) -> str:
    """Render the row of totals, whose bar glides from ``before``, if given; ``width`` as in its rows."""
    cells = [
        _render_cell(
            "name",
            f'<b style="font-weight:600">{safe_html(totals.title)}</b>',
            totals.title,
            None,
            width=width,
        ),
        _render_bar(totals.title, totals.percent, totals.kind, before),
        f'<div style="{_COLUMNS["words"]}">{safe_html(totals.states)}</div>',
        _render_cell("money", safe_html(totals.price), totals.price, None),
    ]
    return _render_block(cells, "", ruled=False)


def trouble_html(text: str) -> str:
    """Render the text of `trouble_text` above rows that are not up to date."""
    style = f"{_BLOCK};{_EDGE};overflow-wrap:anywhere"
    since, separator, why = text.partition(": ")
    return f'<div style="{style}"><b>{safe_html(since)}</b>{separator}{safe_html(why)}</div>'


def footer_html(origin: Origin | None, text: str = "") -> str:
    """Render the line below the rows: whether they are simulated, a text as HTML, and the dashboard."""
    parts = [origin_html(origin)] if origin else []
    parts += [text] if text else []
    if origin and origin.dashboard_url:
        parts.append(links_html([("Dashboard", origin.dashboard_url)]))
    return f'<div style="{_BLOCK};{_MUTED};padding:2px 2px 4px 8px">{" &nbsp;".join(parts)}</div>'


def static_html(snapshot: Snapshot, origin: Origin | None = None, note: str = "") -> str:
    """Render the rows without a widget, for a saved notebook, and a note below them."""
    shown, rest = select_rows(snapshot.pods)
    several = len(snapshot.pods) > 1
    rows = read_rows(replace(snapshot, pods=tuple(shown)))
    width = rows[0].width if rows else 0
    parts = [totals_html(format_totals(snapshot.pods), width=width)] if several else []
    parts += [row_html(row, ruled=several) for row in rows]
    if rest:
        parts.append(rest_html(format_overflow(rest)))
    error = trouble_text(snapshot)
    if error:
        parts.insert(0, trouble_html(error))
    news = announcement(snapshot)
    if news:
        parts.append(announcement_html(news))
    moment = f'<time datetime="{snapshot.as_of:%Y-%m-%dT%H:%M:%SZ}">{as_of_text(snapshot.as_of)}</time>'
    parts.append(footer_html(origin, moment))
    if note:
        parts.append(f'<div style="{_BLOCK}"><div style="{_EDGE}">{safe_html(note)}</div></div>')
    return f"<div>{''.join(parts)}</div>"


def static_text(snapshot: Snapshot, origin: Origin | None = None, note: str = "") -> str:
    """Render the same as text."""
    shown, rest = select_rows(snapshot.pods)
    rows = read_rows(replace(snapshot, pods=tuple(shown)))
    width = max((len(row.name) for row in rows), default=0)
    lines = [trouble_text(snapshot), *(f"{row.name:<{width}}  {_format_row(row)}" for row in rows)]
    moment = " · ".join([*([origin.mark] if origin else []), as_of_text(snapshot.as_of)])
    return "\n".join([*filter(None, [*lines, format_overflow(rest)]), moment, *([note] if note else [])])


def _format_row(row: Row) -> str:
    """Return the summary and, of a pod that has ended, how long it ran and what it cost."""
    numbers = [row.elapsed, row.cost] if row.kind is PodPhase.GONE and not row.price else []
    return " · ".join(filter(None, [row.summary, *numbers]))


def _render_command(command: str, links: Iterable[tuple[str, str]], *, can_copy: bool) -> str:
    """Render a command and links beside it, with a button that copies it, unless it is for a saved page."""
    button = ""
    if can_copy:
        button = (
            f'<button type="button" data-command="{escape(command)}" aria-label="Copy {escape(command)}" '
            f'style="{_BUTTON}" onclick="{COPY_SCRIPT}">Copy</button>'
        )
    code = f'<code style="{_CODE}">{safe_html(command)}</code>'
    beside = f"<span>{links_html(links)}</span>" if links else ""
    line = "display:flex;flex-wrap:wrap;align-items:center;gap:4px 10px"
    return f'<div style="{line}">{code}{button}{beside}</div>'


def _render_block(cells: list[str], below: str, ruled: bool) -> str:
    name, bar, words, money = cells
    line = "display:flex;flex-wrap:wrap;column-gap:14px;align-items:center"
    halves = f'<div style="{_LEFT}">{name}{bar}</div><div style="{_RIGHT}">{words}{money}</div>'
    under = f'<div style="padding-top:4px">{below}</div>' if below else ""
    rule = f";{_RULE}" if ruled else ""
    return f'<div style="{_BLOCK}{rule}"><div style="{line}">{halves}</div>{under}</div>'


def _render_cell(
    column: str, upper: str, upper_title: str, lower: str | None, lower_title: str = "", *, width: int = 0
) -> str:
    lines = f'<div style="{_ONE_LINE};min-height:19px" title="{escape(upper_title)}">{upper}</div>'
    if lower is not None:
        # Also if it is empty, so that the first lines of all cells are on one level.
        lines += (
            f'<div style="{_ONE_LINE};{_MUTED};min-height:18px" title="{escape(lower_title)}">{lower}</div>'
        )
    basis = ""
    if column == "name":
        basis = f";flex-basis:{min(max(_NAME_PX, width * _PX_OF_CHARACTER), _MAX_NAME_PX)}px"
    return f'<div style="{_COLUMNS[column]}{basis}">{lines}</div>'


def _render_money(row: Row, clock: str) -> str:
    """Render the price above the cost, or the cost alone once nothing is paid per hour any more."""
    cost = _render_clock(row.cost, clock, "c")
    if row.price:
        return _render_cell("money", safe_html(row.price), row.price, cost)
    return _render_cell("money", cost, row.cost, "")


def _format_time(row: Row) -> str:
    return " · ".join(filter(None, [row.elapsed, row.left]))


def _render_clock(text: str, clock: str, part: str) -> str:
    """Render text that changes with time, or leave it to the style sheet."""
    return f'<span class="{clock}-{part}"></span>' if clock else safe_html(text)


def _render_bar(name: str, percent: int | None, kind: PodPhase, before: int | None, below: str = "") -> str:
    label = escape(name)
    value = f' aria-valuenow="{percent}"' if percent is not None else ""
    striped = percent is None and kind not in (PodPhase.GONE, PodPhase.FAILED)
    track = f"{_TUBE};overflow:hidden;{_STRIPES if striped else _TRACK}"
    start = percent if before is None else before
    fill = (
        f'<div class="primepods-bar" style="{_TUBE};width:{percent}%;'
        f'--primepods-from:{start}%;{_FILL[kind]}"></div>'
        if percent
        else ""
    )
    bar = (
        f'<div role="progressbar" aria-label="{label}" aria-valuemin="0" aria-valuemax="100"{value} '
        f'data-pod="{label}" style="{track}">{fill}</div>'
    )
    under = f'<div style="{_ONE_LINE};{_MUTED};padding-top:4px">{below}</div>' if below else ""
    # Align the bar with the name, and the line below it with the GPU.
    room = "padding-top:8px" if below else ""
    return f'<div style="{_COLUMNS["bar"]};{room}">{bar}{under}</div>'


def _isolate_name(name: str) -> str:
    # A right-to-left name must not reorder the columns beside it.
    return f"<bdi>{safe_html(name)}</bdi>"

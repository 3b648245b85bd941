"""The connection in use as ``%pods connect`` shows it: each setting with its source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from primepods_magic.api.text.sanitize import safe_html, sanitize

if TYPE_CHECKING:
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["to_html", "to_text"]

_FAINT = "color:var(--jp-ui-font-color1,#444);opacity:0.8"
_BLOCK = "font-family:var(--jp-ui-font-family,sans-serif);font-size:13px;line-height:1.5;padding-left:8px"


def to_text(connection: Connection) -> str:
    """Render a line, followed for the live service by each setting and each note."""
    lines = [repr(connection)]
    if not connection.is_sandbox:
        rows = list(_list_settings(connection))
        widths = [max(len(row[index]) for row in rows) for index in (0, 1)]
        lines += [
            f"  {name:<{widths[0]}}  {value:<{widths[1]}}  {source}".rstrip() for name, value, source in rows
        ]
        lines += [f"  note: {sanitize(note)}" for note in connection.settings.notes]
    return "\n".join(lines)


def to_html(connection: Connection) -> str | None:
    """Render the same as a table; ``None`` for the sandbox, whose line is enough."""
    if connection.is_sandbox:
        return None
    cell = '<td style="padding:2px 16px 2px 0;text-align:left{}">{}</td>'
    rows = "".join(
        '<tr style="background:none">'
        + cell.format(f";{_FAINT}", safe_html(name))
        + cell.format("", safe_html(value))
        + cell.format(f";{_FAINT}", safe_html(source))
        + "</tr>"
        for name, value, source in _list_settings(connection)
    )
    notes = "".join(
        f'<div style="margin-top:4px">{safe_html(note)}</div>' for note in connection.settings.notes
    )
    return (
        f'<div style="{_BLOCK}"><div>connected, <b style="font-weight:600">live: pods are billed</b></div>'
        f'<table style="border-collapse:collapse;margin:0;border:0">{rows}</table>{notes}</div>'
    )


def _list_settings(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """Yield each setting with its value and its source."""
    from primepods_magic.api.settings import mask

    settings, sources = connection.settings, connection.settings.sources
    given = "given" if "api_key" not in sources else "default"
    yield "url", sanitize(settings.base_url), sources.get("base_url", given)
    yield "key", mask(settings.api_key), sources.get("api_key", given)
    yield "team", sanitize(settings.team_id) or "none", sources.get("team_id", "")
    if settings.context:
        yield "context", sanitize(settings.context), sources.get("context", "")

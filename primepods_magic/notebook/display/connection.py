"""The connection in use, as ``%pods connect`` shows it: each setting, and where it is from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.sanitize import safe_html, sanitize
from primepods_magic.api.text.stream_output import printable

if TYPE_CHECKING:
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["connection_html", "connection_text", "register", "unregister"]

_CONNECTION = ("primepods_magic.pods.connection.connection", "Connection")
_FAINT = "color:var(--jp-ui-font-color1,#444);opacity:0.8"
_BLOCK = "font-family:var(--jp-ui-font-family,sans-serif);font-size:13px;line-height:1.5;padding-left:8px"


def register(display_formatter: Any) -> None:
    """Teach a shell to show connections."""
    formatters = display_formatter.formatters
    formatters["text/plain"].for_type_by_name(*_CONNECTION, _as_text)
    formatters["text/html"].for_type_by_name(*_CONNECTION, connection_html)


def unregister(display_formatter: Any) -> None:
    """Take that back."""
    for mime in ("text/plain", "text/html"):
        formatter = display_formatter.formatters[mime]
        formatter.deferred_printers.pop(_CONNECTION, None)
        for kind in list(formatter.type_printers):
            if (kind.__module__, kind.__name__) == _CONNECTION:
                formatter.type_printers.pop(kind)


def connection_text(connection: Connection) -> str:
    """A line, and for the live service one more for each setting and each note."""
    lines = [repr(connection)]
    if not connection.is_sandbox:
        rows = list(_rows(connection))
        widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
        lines += [
            f"  {what:<{widths[0]}}  {value:<{widths[1]}}  {source}".rstrip() for what, value, source in rows
        ]
        lines += [f"  note: {sanitize(note)}" for note in connection.settings.notes]
    return "\n".join(lines)


def connection_html(connection: Connection) -> str | None:
    """The same as a table; the sandbox needs none."""
    if connection.is_sandbox:
        return None
    cell = '<td style="padding:2px 16px 2px 0;text-align:left{}">{}</td>'
    rows = "".join(
        '<tr style="background:none">'
        + cell.format(f";{_FAINT}", safe_html(what))
        + cell.format("", safe_html(value))
        + cell.format(f";{_FAINT}", safe_html(source))
        + "</tr>"
        for what, value, source in _rows(connection)
    )
    notes = "".join(
        f'<div style="margin-top:4px">{safe_html(note)}</div>' for note in connection.settings.notes
    )
    return (
        f'<div style="{_BLOCK}"><div>connected, <b style="font-weight:600">live: pods are billed</b></div>'
        f'<table style="border-collapse:collapse;margin:0;border:0">{rows}</table>{notes}</div>'
    )


def _as_text(connection: Connection, printer: Any, _cycle: bool) -> None:
    printer.text(printable(connection_text(connection)))


def _rows(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """What is in use, and where it is from."""
    from primepods_magic.api.settings import mask

    settings, sources = connection.settings, connection.settings.sources
    given = "given" if "api_key" not in sources else "default"
    yield "url", sanitize(settings.base_url), sources.get("base_url", given)
    yield "key", mask(settings.api_key), sources.get("api_key", given)
    yield "team", sanitize(settings.team_id) or "none", sources.get("team_id", "")
    if settings.context:
        yield "context", sanitize(settings.context), sources.get("context", "")

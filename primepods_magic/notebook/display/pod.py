"""A pod in a line, and in full as ``%pods show`` displays it, as text and as HTML."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from primepods_magic.api.http.urls import read_web_url
from primepods_magic.api.text.instants import format_instant
from primepods_magic.api.text.money import format_estimate, format_usd, format_usd_hr
from primepods_magic.api.text.sanitize import brief, join_sanitized, safe_html, sanitize, shorten
from primepods_magic.notebook.progress.html import COPY_BUTTONS
from primepods_magic.notebook.progress.rows import format_pod
from primepods_magic.notebook.shell.kernel import run_of

from .links import links_html, list_links, origin_html, origin_of

if TYPE_CHECKING:
    from primepods_magic.pods.pod import Pod

__all__ = ["card_html", "card_text", "line_html", "note_below_bar", "present_pod", "to_html", "to_text"]

_MAX_LINE = 4_000
_in_full: weakref.WeakSet[Any] = weakref.WeakSet()
_below_bars: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def present_pod(pod: Pod) -> Pod:
    """Have this pod displayed in full, and return it."""
    _in_full.add(pod)
    return pod


def note_below_bar(pod: Pod, run: str | None) -> None:
    """Have this pod displayed without what its bar says, in the same run of its cell."""
    if run is not None:
        _below_bars[pod] = run


def to_text(pod: Pod) -> str:
    """Return a pod as text: in full if it was presented so, else in a line."""
    return card_text(pod) if pod in _in_full else repr(pod)


def to_html(pod: Pod) -> str:
    """Return a pod as HTML: in full if it was presented so, else in a line."""
    if pod in _in_full:
        return card_html(pod)
    run = _below_bars.get(pod)
    return line_html(pod, is_below_bar=run is not None and run == run_of(get_ipython()))


def line_html(pod: Pod, *, is_below_bar: bool = False) -> str:
    """Render a pod in a line, as after a launch; everything from the service is escaped.

    Below its bar, the line has only what stays true, and not the ssh command again.
    """
    line = repr(pod).removeprefix(f"Pod {brief(pod.name)}: ")
    if is_below_bar:
        line = " · ".join(line.split(" · ")[: 1 if pod.price_usd_hr is None else 2])
    parts = [
        f'<code style="{_CODE}">{safe_html(part)}</code>'
        if part == pod.ssh
        else f"<span>{safe_html(part)}</span>"
        for part in line.split(" · ")
    ]
    name = f'<b style="font-weight:600">{safe_html(brief(pod.name))}</b>'
    return f'<div style="{_BLOCK}">{" <span>·</span> ".join([name, *parts])}</div>'


def card_text(pod: Pod) -> str:
    """Render the card as lines of text."""
    rows = list(_list_fields(pod))
    width = max(len(label) for label, _ in rows)
    lines = [f"{pod.connection.label} · pod {brief(pod.name)}, as of {format_instant(pod.as_of)}"]
    for label, value in rows:
        first, *rest = [shorten(sanitize(line), _MAX_LINE) for line in value.splitlines()] or [""]
        lines.append(f"  {label:<{width}}  {first}")
        lines += [f"  {'':<{width}}  {line}" for line in rest]
    return "\n".join(lines)


def card_html(pod: Pod) -> str:
    """Render the card as a table; everything from the service is escaped."""
    label = "padding:2px 16px 2px 0;text-align:left;font-weight:normal;vertical-align:top;" + _FAINT
    value = "padding:2px 0;text-align:left;white-space:pre-wrap;overflow-wrap:anywhere"
    rows = "".join(
        f'<tr style="background:none"><th scope="row" style="{label}">{safe_html(name)}</th>'
        f'<td style="{value}">{_render_value(name, text)}</td></tr>'
        for name, text in _list_fields(pod)
    )
    origin = origin_of(pod.connection)
    links = [*(list_links(pod.details) if pod.is_ready else ())]
    links += [("Dashboard", origin.dashboard_url)] if origin.dashboard_url else []
    seen = f'<span style="{_FAINT}">as of {format_instant(pod.as_of)}</span>'
    return (
        f'<div style="{_BLOCK}">'
        f"<div>{origin_html(origin)} {seen}</div>"
        f'<div style="font-size:15px;font-weight:600;margin:2px 0 4px">{safe_html(brief(pod.name))}</div>'
        f'<table style="border-collapse:collapse;margin:0;border:0">{rows}</table>'
        f'<div style="margin-top:4px">{links_html(links)}</div></div>{COPY_BUTTONS}'
    )


_BLOCK = "font-family:var(--jp-ui-font-family,sans-serif);font-size:13px;line-height:1.5;padding-left:8px"
_CODE = "background:none;padding:0"
_FAINT = "color:var(--jp-ui-font-color1,#444);opacity:0.8"


def _render_value(name: str, text: str) -> str:
    if name == "ssh":
        return "".join(map(_render_command, text.splitlines()))
    if name in ("ssh", "id", "image"):
        return f'<code style="{_CODE}">{_render_lines(text)}</code>'
    url = read_web_url(text)
    if url:
        return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{safe_html(url)}</a>'
    return _render_lines(text)


def _render_command(command: str) -> str:
    """Render a line about a connection; a click selects a command as a whole, and a button copies it."""
    mark = ' class="primepods-command"' if command.startswith("ssh ") else ""
    code = f'<code{mark} style="{_CODE};user-select:all">{safe_html(shorten(command, _MAX_LINE))}</code>'
    return f"<div>{code}</div>"


def _render_lines(text: str) -> str:
    return "<br>".join(safe_html(shorten(line, _MAX_LINE)) for line in text.splitlines())


def _list_fields(pod: Pod) -> Iterator[tuple[str, str]]:
    """Yield each known field of a pod with its label."""
    details = pod.details
    row = format_pod(details, pod.as_of)
    yield "status", ", ".join(filter(None, [row.state, row.detail]))
    if row.reason:
        yield "reason", row.reason
    yield (
        "gpu",
        ("" if details.total_gpus is None else f"{details.total_gpus} × ")
        + (sanitize(details.gpu_name) or "–")
        + (f", {sanitize(details.socket)}" if details.socket else "")
        + ("" if details.nodes == 1 else f", {details.nodes or 'several'} nodes"),
    )
    yield "price", _describe_price(pod)
    if pod.cost_usd is not None:
        yield "cost so far" if details.is_live else "cost", format_estimate(pod.cost_usd)
    if details.created_at:
        age = f", {row.elapsed} ago" if details.is_live and row.elapsed else ""
        yield "created", f"{format_instant(details.created_at)}{age}"
    if details.provider_type:
        yield "provider", sanitize(details.provider_type) + (" (spot)" if details.is_spot else "")
    yield (
        "ssh",
        "\n".join(sanitize(target.command) if target else "(not up yet)" for target in details.connections)
        or "–",
    )
    if details.jupyter_url:
        yield "jupyter", sanitize(details.jupyter_url)
    ports = [
        f"{sanitize(port.external) or '?'} → {sanitize(port.internal) or '?'}"
        + (f" {sanitize(port.protocol)}" if port.protocol else "")
        + (f", {sanitize(port.used_by or port.description)}" if port.used_by or port.description else "")
        for port in details.prime_port_mapping
    ]
    if ports:
        yield "ports", "\n".join(ports)
    addresses = details.ip if isinstance(details.ip, list) else [details.ip]
    if any(addresses):
        yield "ip", join_sanitized(address or "–" for address in addresses)
    yield (
        "image",
        (sanitize(details.environment_type) or "–")
        + (f" {sanitize(details.custom_template_id)}" if details.custom_template_id else ""),
    )
    yield from _describe_machine(pod)
    yield "id", sanitize(pod.id)


def _describe_price(pod: Pod) -> str:
    details = pod.details
    parts = []
    if details.price_hr is not None:
        parts = [format_usd_hr(details.price_hr), f"{format_usd(details.price_hr * 24)}/day"]
    for state, price in (("starting", details.provisioning_price_hr), ("stopped", details.stopped_price_hr)):
        if price is not None:
            parts.append(f"{format_usd_hr(price)} while {state}")
    if details.unread_price is not None:
        parts.append(f"'{brief(details.unread_price)}', which cannot be read")
    return ", ".join(parts) or "–"


def _describe_machine(pod: Pod) -> Iterator[tuple[str, str]]:
    details, resources = pod.details, pod.details.resources
    if resources:
        parts = (
            (resources.vcpus, "vCPUs"),
            (resources.memory, "GB memory"),
            (resources.disk, "GB disk"),
            (resources.shared_disk, "GB shared disk"),
        )
        text = ", ".join(f"{value:g} {unit}" for value, unit in parts if value is not None)
        if text:
            yield "machine", text
    disks = [
        f"{sanitize(disk.id)} at {sanitize(disk.mount_path)} ({sanitize(disk.status)})"
        for disk in details.attached_resources
    ]
    if disks:
        yield "disks", "\n".join(disks)
    if details.team_id:
        yield "team", sanitize(details.team_id)

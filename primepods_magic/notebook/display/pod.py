"""One pod in full: the card that ``%pods show`` displays, as text and as HTML."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.money import format_estimate, format_usd, format_usd_hr
from primepods_magic.api.text.sanitize import brief, join_sanitized, safe_html, sanitize, shorten
from primepods_magic.api.text.stream_output import printable

if TYPE_CHECKING:
    from primepods_magic.pods.pod import Pod

__all__ = ["card_html", "card_text", "present_pod", "register", "unregister"]

_LONGEST = 4_000
_POD = ("primepods_magic.pods.pod", "Pod")
_in_full: weakref.WeakSet[Any] = weakref.WeakSet()


def present_pod(pod: Pod) -> Pod:
    """Have this pod displayed in full, and return it."""
    _in_full.add(pod)
    return pod


def register(display_formatter: Any) -> None:
    """Teach a shell to show pods."""
    formatters = display_formatter.formatters
    formatters["text/plain"].for_type_by_name(*_POD, _as_text)
    formatters["text/html"].for_type_by_name(*_POD, _as_html)


def unregister(display_formatter: Any) -> None:
    """Take that back."""
    for mime in ("text/plain", "text/html"):
        formatter = display_formatter.formatters[mime]
        formatter.deferred_printers.pop(_POD, None)
        for kind in [kind for kind in formatter.type_printers if (kind.__module__, kind.__name__) == _POD]:
            formatter.type_printers.pop(kind)
    _in_full.clear()


def _as_text(pod: Pod, printer: Any, _cycle: bool) -> None:
    printer.text(printable(card_text(pod) if pod in _in_full else repr(pod)))


def _as_html(pod: Pod) -> str | None:
    return card_html(pod) if pod in _in_full else line_html(pod)


def line_html(pod: Pod) -> str:
    """The pod in a line, as a launch answers with it; everything from the service is escaped."""
    said = repr(pod).removeprefix(f"Pod {brief(pod.name)}: ")
    parts = [
        f'<code style="background:none;padding:0">{safe_html(part)}</code>'
        if part == pod.ssh
        else f"<span>{safe_html(part)}</span>"
        for part in said.split(" · ")
    ]
    name = f'<b style="font-weight:600">{safe_html(brief(pod.name))}</b>'
    return f'<div style="{_BLOCK}">{" <span>·</span> ".join([name, *parts])}</div>'


def card_text(pod: Pod) -> str:
    """The card in lines of text."""
    rows = list(_rows(pod))
    width = max(len(label) for label, _ in rows)
    lines = [f"{pod.connection.label} · pod {brief(pod.name)}, as of {pod.as_of:%Y-%m-%d %H:%M:%S} UTC"]
    for label, value in rows:
        first, *rest = [shorten(sanitize(line), _LONGEST) for line in value.splitlines()] or [""]
        lines.append(f"  {label:<{width}}  {first}")
        lines += [f"  {'':<{width}}  {line}" for line in rest]
    return "\n".join(lines)


def card_html(pod: Pod) -> str:
    """The card as a table; everything from the service is escaped."""
    label = "padding:2px 16px 2px 0;text-align:left;font-weight:normal;vertical-align:top;" + _FAINT
    value = "padding:2px 0;text-align:left;white-space:pre-wrap;overflow-wrap:anywhere"
    rows = "".join(
        f'<tr style="background:none"><th scope="row" style="{label}">{safe_html(name)}</th>'
        f'<td style="{value}">{_value_html(name, text)}</td></tr>'
        for name, text in _rows(pod)
    )
    seen = f"{pod.connection.label} · as of {pod.as_of:%Y-%m-%d %H:%M:%S} UTC"
    return (
        f'<div style="{_BLOCK}">'
        f'<div style="{_FAINT}">{seen}</div>'
        f'<div style="font-size:15px;font-weight:600;margin:2px 0 4px">{safe_html(brief(pod.name))}</div>'
        f'<table style="border-collapse:collapse;margin:0;border:0">{rows}</table></div>'
    )


_BLOCK = "font-family:var(--jp-ui-font-family,sans-serif);font-size:13px;line-height:1.5;padding-left:8px"
_FAINT = "color:var(--jp-ui-font-color1,#444);opacity:0.8"


def _value_html(name: str, text: str) -> str:
    if name in ("ssh", "id", "image"):
        return f'<code style="background:none;padding:0">{_lines_html(text)}</code>'
    if text.startswith(("https://", "http://")) and "\n" not in text:
        return (
            f'<a href="{escape(sanitize(text))}" target="_blank" rel="noopener noreferrer">'
            f"{safe_html(text)}</a>"
        )
    return _lines_html(text)


def _lines_html(text: str) -> str:
    return "<br>".join(safe_html(shorten(line, _LONGEST)) for line in text.splitlines())


def _rows(pod: Pod) -> Iterator[tuple[str, str]]:
    """What there is to say of a pod, each with its label."""
    details = pod.details
    yield "status", sanitize(details.status) + (" (ready)" if details.is_ready else "")
    yield "installation", _installation(pod)
    yield (
        "gpu",
        ("" if details.gpu_count is None else f"{details.gpu_count} × ")
        + (sanitize(details.gpu_name) or "–")
        + (f", {sanitize(details.socket)}" if details.socket else ""),
    )
    yield "price", _price(pod)
    if pod.cost_usd is not None and details.is_live:
        yield "cost so far", f"{format_estimate(pod.cost_usd)}, an estimate"
    if details.created_at:
        yield "created", f"{details.created_at:%Y-%m-%d %H:%M:%S} UTC"
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
    yield from _machine(pod)
    yield "id", sanitize(pod.id)


def _installation(pod: Pod) -> str:
    details = pod.details
    text = sanitize(pod.installation_status) or "–"
    if details.installation_progress is not None and not details.is_installed:
        text += f", {details.installation_progress:.0f} %"
    return text + (f": {sanitize(details.installation_failure)}" if details.installation_failure else "")


def _price(pod: Pod) -> str:
    details = pod.details
    parts = []
    if details.price_hr is not None:
        parts = [format_usd_hr(details.price_hr), f"{format_usd(details.price_hr * 24)}/day"]
    for what, price in (("starting", details.provisioning_price_hr), ("stopped", details.stopped_price_hr)):
        if price is not None:
            parts.append(f"{format_usd_hr(price)} while {what}")
    if details.unread_price is not None:
        parts.append(f"'{brief(details.unread_price)}', which cannot be read")
    return ", ".join(parts) or "–"


def _machine(pod: Pod) -> Iterator[tuple[str, str]]:
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

"""The launcher as it stands in a saved notebook: what it said last, without widgets and without secrets."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from primepods_magic.api.text import clean, safe_html
from primepods_magic.notebook.views.markup import static_html, static_text
from primepods_magic.notebook.views.rows import as_of_text

from .words import removal_words, usd_hr, wallet_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .model import LauncherModel

__all__ = ["place_html", "place_text", "still_html", "still_text"]

_BLOCK = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.5;"
    "padding-left:8px"
)
_CODE = (
    "margin:4px 0;padding:6px 8px;font-size:12px;white-space:pre-wrap;"
    "font-family:var(--jp-code-font-family,monospace)"
)


def place_text(model: LauncherModel) -> str:
    """Sandbox or live, and whose account."""
    connection = model.connection
    words = ["SANDBOX: pods are pretended, nothing is billed"]
    if not connection.is_sandbox:
        words = ["LIVE: pods are billed", clean(connection.settings.base_url)]
    if model.account.person:
        words.append(clean(model.account.person))
    if connection.settings.team_id:
        words.append(f"team {clean(connection.settings.team_id)}")
    return " · ".join(words)


def place_html(model: LauncherModel) -> str:
    """The same, with the first word to be seen from afar."""
    word, _, rest = place_text(model).partition(": ")
    kind = "" if model.connection.is_sandbox else " primepods-live"
    may = "" if model.account.may_launch else ' · <b style="font-weight:600">this key may only read</b>'
    return f'<span class="primepods-place{kind}">{word.title()}</span>{safe_html(rest)}{may}'


def still_text(model: LauncherModel) -> str:
    """Everything in lines of text."""
    lines = list(_lines(model))
    if model.fleet.pods and model.fleet.snapshot:
        lines.append(static_text(replace(model.fleet.snapshot, pods=model.fleet.pods)))
    if model.cell:
        lines += ["the form as a cell:", *(f"    {line}" for line in model.cell.splitlines())]
    return "\n".join(lines)


def still_html(model: LauncherModel) -> str:
    """The same as HTML; everything from the service is escaped."""
    parts = [f"<div>{safe_html(line)}</div>" for line in _lines(model)]
    if model.fleet.pods and model.fleet.snapshot:
        parts.append(static_html(replace(model.fleet.snapshot, pods=model.fleet.pods)))
    if model.cell:
        parts.append(f'<pre style="{_CODE}">{escape(model.cell)}</pre>')
    return f'<div style="{_BLOCK}">{"".join(parts)}</div>'


def _lines(model: LauncherModel) -> Iterator[str]:
    yield f"primepods_magic launcher · {place_text(model)}"
    if model.trouble:
        yield f"the offers could not be listed: {clean(model.trouble)}"
    elif model.market.taken_at is not None:
        yield f"{model.found.total} offers, {as_of_text(model.market.taken_at)}"
    order = model.order
    if order.listed is not None and order.quote is not None:
        offer = order.listed.offer
        yield (
            f"chosen: {offer.gpu_count} × {clean(offer.gpu_type)} at {order.quote.place}, "
            f"{usd_hr(order.quote.price_usd_hr)}"
        )
    if order.outcome is not None:
        yield clean(order.outcome.text)
    yield from map(removal_words, model.fleet.ended)
    if model.fleet.wallet is not None:
        yield wallet_words(model.fleet.wallet)

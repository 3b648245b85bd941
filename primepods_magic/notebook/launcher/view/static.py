"""The launcher as it stands in a saved notebook: what it said last, without widgets and without secrets."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import safe_html, sanitize, sanitize_lines
from primepods_magic.notebook.launcher.state.formatting import removal_words, wallet_words
from primepods_magic.notebook.launcher.state.order import FlowStage
from primepods_magic.notebook.progress.html import static_html, static_text
from primepods_magic.notebook.progress.rows import as_of_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from primepods_magic.notebook.launcher.state.model import LauncherModel

__all__ = [
    "connection_html",
    "connection_text",
    "launcher_static_html",
    "launcher_static_text",
    "paying_team",
    "team_name",
]

_BLOCK = (
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:13px;line-height:1.5;"
    "padding-left:8px"
)
_CODE = (
    "margin:4px 0;padding:6px 8px;font-size:12px;white-space:pre-wrap;"
    "font-family:var(--jp-code-font-family,monospace)"
)


def connection_text(model: LauncherModel) -> str:
    """Sandbox or live, and whose account."""
    connection = model.connection
    words = ["SANDBOX: pods are simulated, nothing is billed"]
    if not connection.is_sandbox:
        words = ["LIVE: pods are billed", sanitize(connection.settings.base_url)]
    if model.account.person:
        words.append(sanitize(model.account.person))
    elif model.account.is_identified:
        words.append("an account whose name is not told")
    team_id = paying_team(model)
    if team_id:
        words.append(f"team {team_name(model, team_id)}")
    return " · ".join(words)


def paying_team(model: LauncherModel) -> str | None:
    """The id of the team that is billed for launches; ``None`` where my own wallet is."""
    return model.order.form.team or model.order.default_team or None


def team_name(model: LauncherModel, team_id: str) -> str:
    """What a team is called, as far as that is known."""
    names = (team.name for team in model.account.teams if team.team_id == team_id)
    return sanitize(next(names, None) or team_id)


def connection_html(model: LauncherModel) -> str:
    """The same, with the first word to be seen from afar."""
    word, _, rest = connection_text(model).partition(": ")
    kind = "" if model.connection.is_sandbox else " primepods-live"
    notes = [] if model.account.may_launch else ["this key may only read"]
    notes += [model.account.trouble] if model.account.trouble else []
    notes += ["the connection was closed; run the cell again"] if model.connection.is_closed else []
    notes += [f"something failed here ({model.failure}): this may be old"] if model.failure else []
    said = "".join(f' · <b style="font-weight:600">{safe_html(note)}</b>' for note in notes)
    return f'<span class="primepods-place{kind}">{word.title()}</span>{safe_html(rest)}{said}'


def launcher_static_text(model: LauncherModel) -> str:
    """Everything in lines of text."""
    lines = list(_lines(model))
    if model.fleet.pods and model.fleet.snapshot:
        lines.append(static_text(replace(model.fleet.snapshot, pods=model.fleet.pods)))
    if model.cell:
        lines += ["the form as a cell:", *(f"    {line}" for line in sanitize_lines(model.cell).splitlines())]
    return "\n".join(lines)


def launcher_static_html(model: LauncherModel) -> str:
    """The same as HTML; everything from the service is escaped."""
    parts = [f"<div>{safe_html(line)}</div>" for line in _lines(model)]
    if model.fleet.pods and model.fleet.snapshot:
        parts.append(static_html(replace(model.fleet.snapshot, pods=model.fleet.pods)))
    if model.cell:
        parts.append(f'<pre style="{_CODE}">{escape(sanitize_lines(model.cell))}</pre>')
    return f'<div style="{_BLOCK}">{"".join(parts)}</div>'


def _lines(model: LauncherModel) -> Iterator[str]:
    yield f"primepods_magic launcher · {connection_text(model)}"
    if model.trouble:
        yield f"the offers could not be listed: {sanitize(model.trouble)}"
    elif model.market.taken_at is not None:
        yield f"{model.found.total} offers, {as_of_text(model.market.taken_at)}"
    order = model.order
    if order.listed is not None and order.quote is not None:
        offer = order.listed.offer
        yield (
            f"chosen: {offer.gpu_count} × {sanitize(offer.gpu_type)} at {order.quote.place}, "
            f"{format_usd_hr(order.quote.price_usd_hr)}"
        )
    if order.stage is FlowStage.LAUNCHING and order.plan is not None:
        yield (
            f"a launch of '{sanitize(order.plan.name)}' was under way: it may be rented and billed, which "
            "'%pods ls' tells"
        )
    if order.outcome is not None:
        yield sanitize(order.outcome.text)
    yield from map(removal_words, model.fleet.ended)
    wallet = model.fleet.wallet(paying_team(model))
    if wallet is not None:
        yield wallet_words(wallet)

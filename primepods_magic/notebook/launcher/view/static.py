"""The last state of a launcher for a saved notebook, without widgets or secrets."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import safe_html, sanitize, sanitize_lines
from primepods_magic.notebook.launcher.state.flow import FlowStage
from primepods_magic.notebook.launcher.state.formatting import format_termination, format_wallet
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
    """Return whether the launcher is live or in the sandbox, the account, and the paying team."""
    connection = model.connection
    parts = ["SANDBOX: pods are simulated, nothing is billed"]
    if not connection.is_sandbox:
        parts = ["LIVE: pods are billed", sanitize(connection.settings.base_url)]
    if model.account.person:
        parts.append(sanitize(model.account.person))
    elif model.account.is_identified:
        parts.append("account name unknown")
    team_id = paying_team(model)
    if team_id:
        parts.append(f"team {team_name(model, team_id)}")
    return " · ".join(parts)


def paying_team(model: LauncherModel) -> str | None:
    """Return the id of the team that pays for launches; None for the user's own wallet."""
    return model.flow.form.team or model.flow.default_team or None


def team_name(model: LauncherModel, team_id: str) -> str:
    """Return the name of a team, or its id if unknown."""
    names = (team.name for team in model.account.teams if team.team_id == team_id)
    return sanitize(next(names, None) or team_id)


def connection_html(model: LauncherModel) -> str:
    """Return `connection_text` as HTML, with the first word highlighted and warnings added."""
    word, _, rest = connection_text(model).partition(": ")
    kind = "" if model.connection.is_sandbox else " primepods-live"
    notes = [] if model.account.may_launch else ["this key is read-only"]
    notes += [model.account.error] if model.account.error else []
    notes += ["the connection was closed; run the cell again"] if model.connection.is_closed else []
    if model.internal_error:
        notes.append(f"internal error ({model.internal_error}); this may be out of date")
    warnings = "".join(f' · <b style="font-weight:600">{safe_html(note)}</b>' for note in notes)
    return f'<span class="primepods-environment{kind}">{word.title()}</span>{safe_html(rest)}{warnings}'


def launcher_static_text(model: LauncherModel) -> str:
    """Return the state as lines of text."""
    lines = list(_format_lines(model))
    if model.pod_list.pods and model.pod_list.snapshot:
        lines.append(static_text(replace(model.pod_list.snapshot, pods=model.pod_list.pods)))
    if model.cell:
        lines += ["Equivalent cell:", *(f"    {line}" for line in sanitize_lines(model.cell).splitlines())]
    return "\n".join(lines)


def launcher_static_html(model: LauncherModel, note: str = "") -> str:
    """Return the state as HTML, with all text escaped; ``note`` is its last line."""
    parts = [f"<div>{safe_html(line)}</div>" for line in _format_lines(model)]
    if model.pod_list.pods and model.pod_list.snapshot:
        parts.append(static_html(replace(model.pod_list.snapshot, pods=model.pod_list.pods)))
    if model.cell:
        parts.append(f'<pre style="{_CODE}">{escape(sanitize_lines(model.cell))}</pre>')
    if note:
        parts.append(f"<div>{safe_html(note)}</div>")
    return f'<div style="{_BLOCK}">{"".join(parts)}</div>'


def _format_lines(model: LauncherModel) -> Iterator[str]:
    yield f"primepods_magic launcher · {connection_text(model)}"
    if model.offers_error:
        yield f"Could not list offers: {sanitize(model.offers_error)}"
    elif model.offer_list.taken_at is not None:
        yield f"{model.results.total} offers, {as_of_text(model.offer_list.taken_at)}"
    flow = model.flow
    if flow.selected is not None and flow.quote is not None:
        offer = flow.selected.offer
        yield (
            f"Selected: {offer.gpu_count} × {sanitize(offer.gpu_type)} at {flow.quote.place}, "
            f"{format_usd_hr(flow.quote.price_usd_hr)}"
        )
    if flow.stage is FlowStage.LAUNCHING and flow.plan is not None:
        yield (
            f"A launch of '{sanitize(flow.plan.name)}' was in progress. The pod may exist and be billed. "
            "Check with '%pods ls'."
        )
    if flow.outcome is not None:
        yield sanitize(flow.outcome.text)
    yield from map(format_termination, model.pod_list.terminated)
    wallet = model.pod_list.wallet(paying_team(model))
    if wallet is not None:
        yield format_wallet(wallet)

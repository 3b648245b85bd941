"""Show your balance, and the charges for each pod and disk so far, latest first, as a DataFrame.

  %pods wallet
  %pods wallet --team 'Analytical Engines' --limit 100

Each pod or disk has one line, whose amount grows as it is billed.
"""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from primepods_magic.notebook.input.arguments import ArgumentParser, positive

if TYPE_CHECKING:
    from primepods_magic.api.account import Billing
    from primepods_magic.notebook.magics import PodsMagics
    from primepods_magic.pods.connection.connection import Connection

_HISTORY_ROWS = 100


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--team", metavar="T", help="wallet of this team (name or id) instead of your own")
    parser.add_argument(
        "--limit", type=positive, default=20, metavar="N", help="maximum number of lines (default 20)"
    )


def run(magics: PodsMagics, args: Namespace) -> Any:
    """Return the latest charges."""
    from primepods_magic.api.text.money import format_money
    from primepods_magic.api.text.sanitize import sanitize
    from primepods_magic.frames import billings_frame
    from primepods_magic.notebook.display.captions import caption
    from primepods_magic.notebook.display.frames import mark_for_display
    from primepods_magic.pods.account.teams import find_team
    from primepods_magic.pods.account.wallet import read_wallet

    connection = magics.connection
    team = find_team(connection, args.team) if args.team else None
    wallet = read_wallet(connection, team_id=team.team_id if team else None, limit=args.limit)
    rows = wallet.recent_billings
    total = max(wallet.total_billings or 0, len(rows))
    balance = f"balance {format_money(wallet.balance_usd, wallet.currency or 'USD')}"
    owner = [f"of {sanitize(team.name)}"] if team else []
    text = caption(connection, len(rows), total, "line", balance, *owner)
    frame = billings_frame(rows, *_read_known(connection, rows))
    return mark_for_display(frame, kind="billings", caption=text)


def _read_known(connection: Connection, rows: list[Billing]) -> tuple[dict[str, str], dict[str, float]]:
    """Return names and estimates by pod id; pods that ended lately take a page of the history."""
    from primepods_magic.api.errors import PodsError
    from primepods_magic.frames import history_frame
    from primepods_magic.pods.history import find_known_names
    from primepods_magic.pods.support.name_matching import spell_ids

    names = find_known_names(connection)
    if all(row.amount_usd and row.resource_id in names for row in rows):
        return names, {}
    try:
        latest = connection.client.pod_history(limit=_HISTORY_ROWS).items
    except PodsError:
        return names, {}
    frame = history_frame(latest, connection.now())
    ids = spell_ids((row.id for row in latest), like=[row.resource_id for row in rows])
    names |= {pod_id: row.name for pod_id, row in zip(ids, latest, strict=True) if pod_id and row.name}
    usd = zip(ids, frame["estimated_usd"].astype(float), strict=True)
    return names, {pod_id: estimate for pod_id, estimate in usd if pod_id and estimate > 0}

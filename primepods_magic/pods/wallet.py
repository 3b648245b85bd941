"""What there is to spend, and what was billed."""

from __future__ import annotations

from primepods_magic.api.account import Billing, Wallet
from primepods_magic.api.bounds import check_count

from .connection import Connection

__all__ = ["read_wallet"]

_PAGE = 100


def read_wallet(connection: Connection, *, team_id: str | None = None, limit: int = 20) -> Wallet:
    """The balance, and as many of the latest billings as asked for, page by page.

    Parameters
    ----------
    connection : Connection
        Whose.
    team_id : str, optional
        A team's; my own unless given.
    limit : int
        How many billings at most.

    Raises
    ------
    InvalidRequest
        The limit is not a whole number above 0.
    PermissionDenied, NotFound
        The key may not see this wallet.
    """
    check_count("limit", limit)
    rows: dict[str, Billing] = {}
    while True:
        page = connection.client.wallet(
            team_id=team_id, limit=min(_PAGE, limit - len(rows)), offset=len(rows)
        )
        # A row moves up when it is billed again, so it may come twice.
        told = {row.id or f"#{len(rows) + place}": row for place, row in enumerate(page.recent_billings)}
        fresh = {key: row for key, row in told.items() if key not in rows}
        rows |= fresh
        if not fresh or len(rows) >= min(limit, page.total_billings or 0):
            return page.model_copy(update={"recent_billings": list(rows.values())[:limit]})

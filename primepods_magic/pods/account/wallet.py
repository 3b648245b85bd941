"""What there is to spend, and what was billed."""

from __future__ import annotations

from primepods_magic.api.account import Billing, Wallet
from primepods_magic.api.http.pagination import ListPage, read_whole_list
from primepods_magic.api.validation.bounds import check_count
from primepods_magic.pods.connection.connection import Connection

__all__ = ["read_wallet"]

# The published maximum.
_MAX_LIMIT = 100


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
    UnexpectedAnswer
        The billings move so much that they cannot be read.
    """
    check_count("limit", limit)
    wallets: list[Wallet] = []

    def fetch(offset: int, page_limit: int) -> ListPage[Billing]:
        wallets.append(connection.client.wallet(team_id=team_id, limit=page_limit, offset=offset))
        return ListPage(wallets[-1].recent_billings, wallets[-1].total_billings)

    rows = read_whole_list(fetch, "billings", max_rows=limit, wide_rows=_MAX_LIMIT)
    return wallets[-1].model_copy(update={"recent_billings": rows})

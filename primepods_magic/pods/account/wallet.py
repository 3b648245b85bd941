"""Balance and billings of a wallet."""

from __future__ import annotations

from primepods_magic.api.account import Billing, Wallet
from primepods_magic.api.http.pagination import ListPage, read_whole_list
from primepods_magic.api.validation.bounds import check_count
from primepods_magic.pods.connection.connection import Connection

__all__ = ["read_wallet"]

# The documented maximum.
_MAX_LIMIT = 100


def read_wallet(connection: Connection, *, team_id: str | None = None, limit: int = 20) -> Wallet:
    """Return a wallet, mine or a team's, with its `limit` latest billings, page by page.

    Raises InvalidRequest for an invalid limit, PermissionDenied or NotFound if the key may not see the
    wallet, UnexpectedAnswer if the billings keep changing.
    """
    check_count("limit", limit)
    wallets: list[Wallet] = []

    def fetch(offset: int, page_limit: int) -> ListPage[Billing]:
        wallets.append(connection.client.wallet(team_id=team_id, limit=page_limit, offset=offset))
        return ListPage(wallets[-1].recent_billings, wallets[-1].total_billings)

    rows = read_whole_list(fetch, "billings", max_rows=limit, wide_rows=_MAX_LIMIT)
    return wallets[-1].model_copy(update={"recent_billings": rows})

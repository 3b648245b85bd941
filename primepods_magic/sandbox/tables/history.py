"""What has ended, and what it cost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from primepods_magic.sandbox.records import HistoryRow
from primepods_magic.sandbox.vocabulary import SortBy, SortOrder

from .sql import insertion, marks

_COLUMNS = ", ".join(HistoryRow._fields)
_INSERTION = insertion("history", HistoryRow._fields)
_ORDER: dict[tuple[SortBy, SortOrder], str] = {
    ("terminatedAt", "asc"): "terminated_ms ASC, number ASC",
    ("terminatedAt", "desc"): "terminated_ms DESC, number DESC",
    ("createdAt", "asc"): "created_ms ASC, number ASC",
    ("createdAt", "desc"): "created_ms DESC, number DESC",
}


class HistoryTable:
    """The table ``history``. Rows of what has yet to end are in it, and not shown until then."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, rows: Iterable[HistoryRow]) -> None:
        """Remember rows."""
        self._connection.executemany(_INSERTION, rows)

    def replace(self, resource_id: str, row: HistoryRow | None) -> None:
        """Let a resource have this row, or none."""
        self._connection.execute("DELETE FROM history WHERE id = ?", (resource_id,))
        if row is not None:
            self.add([row])

    def count(self, now_ms: int, wallets: Sequence[str]) -> int:
        """How many rows of these wallets had ended by ``now_ms``."""
        among = f"wallet_id IN ({marks(len(wallets))})"
        (count,) = self._connection.execute(
            f"SELECT (SELECT coalesce(sum(rows), 0) FROM history_counts WHERE {among}) "  # noqa: S608 - our words
            f"- (SELECT count(*) FROM history WHERE terminated_ms > ? AND {among})",
            (*wallets, now_ms, *wallets),
        ).fetchone()
        return int(count)

    def page(
        self,
        now_ms: int,
        wallets: Sequence[str],
        *,
        limit: int,
        offset: int,
        sort_by: SortBy,
        sort_order: SortOrder,
    ) -> list[HistoryRow]:
        """One page of the rows of these wallets that had ended by ``now_ms``."""
        order = _ORDER[sort_by, sort_order]
        # The inner query finds the page in an index alone: skipping rows must not mean reading them.
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM history WHERE number IN "  # noqa: S608 - our words
            f"(SELECT number FROM history WHERE terminated_ms <= ? AND wallet_id IN ({marks(len(wallets))}) "
            f"ORDER BY {order} LIMIT ? OFFSET ?) ORDER BY {order}",
            (now_ms, *wallets, limit, offset),
        )
        return [HistoryRow(*row) for row in rows]

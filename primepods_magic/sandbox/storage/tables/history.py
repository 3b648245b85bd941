"""What has ended, and what it cost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from primepods_magic.sandbox.domain.records import HistoryRow
from primepods_magic.sandbox.schemas.enums import SortBy, SortOrder

from .sql import insertion, placeholders

_COLUMNS = ", ".join(HistoryRow._fields)
_INSERTION = insertion("history", HistoryRow._fields)
_ORDER: dict[tuple[SortBy, SortOrder], str] = {
    ("terminatedAt", "asc"): "terminated_ms ASC, number ASC",
    ("terminatedAt", "desc"): "terminated_ms DESC, number DESC",
    ("createdAt", "asc"): "created_ms ASC, number ASC",
    ("createdAt", "desc"): "created_ms DESC, number DESC",
}
_OPPOSITE: dict[SortOrder, SortOrder] = {"asc": "desc", "desc": "asc"}


class HistoryRows:
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
        among = f"wallet_id IN ({placeholders(len(wallets))})"
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
        last = self.count(now_ms, wallets) - offset
        wanted = max(0, min(limit, last))
        order, back = _ORDER[sort_by, sort_order], _ORDER[sort_by, _OPPOSITE[sort_order]]
        # Rows are skipped one by one, so a page is looked for from the nearer end.
        walked, skipped = (order, offset) if offset <= last - wanted else (back, last - wanted)
        # The inner query finds the page in an index alone: skipping rows must not mean reading them.
        condition, values = self._shown(now_ms, wallets)
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM history WHERE number IN "  # noqa: S608 - our words
            f"(SELECT number FROM history WHERE {condition} ORDER BY {walked} LIMIT ? OFFSET ?) "
            f"ORDER BY {order}",
            (*values, wanted, max(0, skipped)),
        )
        return [HistoryRow(*row) for row in rows]

    def _shown(self, now_ms: int, wallets: Sequence[str]) -> tuple[str, list[object]]:
        """What the rows must be like, without what all of them are: each word costs a look at every row."""
        is_some_hidden, is_some_to_come = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM history_counts WHERE rows > 0 "  # noqa: S608 - our words
            f"AND wallet_id NOT IN ({placeholders(len(wallets))})), "
            "EXISTS (SELECT 1 FROM history WHERE terminated_ms > ?)",
            (*wallets, now_ms),
        ).fetchone()
        conditions = ["true"]
        values: list[object] = []
        if is_some_to_come:
            conditions.append("terminated_ms <= ?")
            values.append(now_ms)
        if is_some_hidden:
            conditions.append(f"wallet_id IN ({placeholders(len(wallets))})")
            values.extend(wallets)
        return " AND ".join(conditions), values

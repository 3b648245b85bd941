"""Terminated pods and disks, and their costs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from primepods_magic.sandbox.domain.records import HistoryRow
from primepods_magic.sandbox.schemas.enums import SortBy, SortOrder

from .sql import insertion, placeholders

__all__ = ["HistoryTable"]

_COLUMNS = ", ".join(HistoryRow._fields)
_INSERTION = insertion("history", HistoryRow._fields)
_ORDER: dict[tuple[SortBy, SortOrder], str] = {
    ("terminatedAt", "asc"): "terminated_ms ASC, number ASC",
    ("terminatedAt", "desc"): "terminated_ms DESC, number DESC",
    ("createdAt", "asc"): "created_ms ASC, number ASC",
    ("createdAt", "desc"): "created_ms DESC, number DESC",
}
_OPPOSITE: dict[SortOrder, SortOrder] = {"asc": "desc", "desc": "asc"}


class HistoryTable:
    """The table `history`, including hidden rows of pods that end in the future."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, rows: Iterable[HistoryRow]) -> None:
        self._connection.executemany(_INSERTION, rows)

    def replace(self, resource_id: str, row: HistoryRow | None) -> None:
        """Replace the row of a resource; None removes it."""
        self._connection.execute("DELETE FROM history WHERE id = ?", (resource_id,))
        if row is not None:
            self.add([row])

    def count(self, now_ms: int, wallets: Sequence[str]) -> int:
        """Count the rows of these wallets that ended by `now_ms`."""
        condition = f"wallet_id IN ({placeholders(len(wallets))})"
        (count,) = self._connection.execute(
            f"SELECT (SELECT coalesce(sum(rows), 0) FROM history_counts WHERE {condition}) "  # noqa: S608 - constants only
            f"- (SELECT count(*) FROM history WHERE terminated_ms > ? AND {condition})",
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
        """Return one page of the rows of these wallets that ended by `now_ms`."""
        last = self.count(now_ms, wallets) - offset
        count = max(0, min(limit, last))
        order, back = _ORDER[sort_by, sort_order], _ORDER[sort_by, _OPPOSITE[sort_order]]
        # OFFSET skips rows one by one, so scan from the nearer end.
        scan_order, skipped = (order, offset) if offset <= last - count else (back, last - count)
        # The inner query finds the page in an index alone, without reading skipped rows.
        condition, values = self._build_condition(now_ms, wallets)
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM history WHERE number IN "  # noqa: S608 - constants only
            f"(SELECT number FROM history WHERE {condition} ORDER BY {scan_order} LIMIT ? OFFSET ?) "
            f"ORDER BY {order}",
            (*values, count, max(0, skipped)),
        )
        return [HistoryRow(*row) for row in rows]

    def _build_condition(self, now_ms: int, wallets: Sequence[str]) -> tuple[str, list[object]]:
        """Return the necessary conditions only: each one costs a test per row."""
        has_hidden_rows, has_future_rows = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM history_counts WHERE rows > 0 "  # noqa: S608 - constants only
            f"AND wallet_id NOT IN ({placeholders(len(wallets))})), "
            "EXISTS (SELECT 1 FROM history WHERE terminated_ms > ?)",
            (*wallets, now_ms),
        ).fetchone()
        conditions = ["true"]
        values: list[object] = []
        if has_future_rows:
            conditions.append("terminated_ms <= ?")
            values.append(now_ms)
        if has_hidden_rows:
            conditions.append(f"wallet_id IN ({placeholders(len(wallets))})")
            values.extend(wallets)
        return " AND ".join(conditions), values

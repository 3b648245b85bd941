"""Ordered disks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from primepods_magic.sandbox.domain.disks import DELETING_MS
from primepods_magic.sandbox.domain.records import DiskRecord

from .sql import insertion, placeholders

__all__ = ["DiskTable"]

_COLUMNS = ", ".join(DiskRecord._fields)
_INSERTION = insertion("disks", DiskRecord._fields)


class DiskTable:
    """The table `disks`, including terminated ones."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, disk: DiskRecord) -> None:
        self._connection.execute(_INSERTION, disk)

    def get(self, disk_id: str, wallets: Sequence[str], now_ms: int) -> DiskRecord | None:
        """Find a disk of these wallets that is not terminated."""
        rows = self._select_disks(f"{_filter_live(wallets)} AND id = ?", (now_ms, *wallets, disk_id), "")
        return rows[0] if rows else None

    def page(
        self, wallets: Sequence[str], now_ms: int, *, limit: int = -1, offset: int = 0
    ) -> list[DiskRecord]:
        """Return disks of these wallets that are not terminated, oldest first."""
        values = (now_ms, *wallets, limit, offset)
        return self._select_disks(_filter_live(wallets), values, "ORDER BY number LIMIT ? OFFSET ?")

    def of_ids(self, disk_ids: Iterable[str]) -> list[DiskRecord]:
        """Return the disks with these ids, including terminated ones."""
        ids = list(disk_ids)
        return self._select_disks(f"id IN ({placeholders(len(ids))})", ids, "") if ids else []

    def count(self, wallets: Sequence[str], now_ms: int) -> int:
        (count,) = self._connection.execute(
            f"SELECT count(*) FROM disks WHERE {_filter_live(wallets)}",  # noqa: S608 - constants only
            (now_ms, *wallets),
        ).fetchone()
        return int(count)

    def rename(self, disk_id: str, name: str, now_ms: int) -> None:
        self._connection.execute(
            "UPDATE disks SET name = ?, updated_ms = ? WHERE id = ?", (name, now_ms, disk_id)
        )

    def delete(self, disk_id: str, now_ms: int) -> None:
        self._connection.execute("UPDATE disks SET deleted_ms = ? WHERE id = ?", (now_ms, disk_id))

    def _select_disks(self, where: str, values: Sequence[object], rest: str) -> list[DiskRecord]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM disks WHERE {where} {rest}", values)  # noqa: S608
        # SQLite stores booleans as 0 or 1.
        return [
            record._replace(is_multinode=bool(record.is_multinode)) for record in map(DiskRecord._make, rows)
        ]


def _filter_live(wallets: Sequence[str]) -> str:
    condition = f"wallet_id IN ({placeholders(len(wallets))})"
    return f"(deleted_ms IS NULL OR deleted_ms + {DELETING_MS} > ?) AND {condition}"

"""Disks as they were ordered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from primepods_magic.sandbox.domain.disks import DELETING_MS
from primepods_magic.sandbox.domain.records import DiskRecord

from .sql import insertion, placeholders

_COLUMNS = ", ".join(DiskRecord._fields)
_INSERTION = insertion("disks", DiskRecord._fields)


class DiskTable:
    """The table ``disks``. Those that ended stay in it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, disk: DiskRecord) -> None:
        """Remember a new disk."""
        self._connection.execute(_INSERTION, disk)

    def get(self, disk_id: str, wallets: Sequence[str], now_ms: int) -> DiskRecord | None:
        """A disk that one of these wallets pays for and that has not ended."""
        rows = self._select(f"{_among(wallets)} AND id = ?", (now_ms, *wallets, disk_id), "")
        return rows[0] if rows else None

    def page(
        self, wallets: Sequence[str], now_ms: int, *, limit: int = -1, offset: int = 0
    ) -> list[DiskRecord]:
        """Disks of these wallets that have not ended, oldest first; a ``limit`` of -1 is none."""
        values = (now_ms, *wallets, limit, offset)
        return self._select(_among(wallets), values, "ORDER BY number LIMIT ? OFFSET ?")

    def of_ids(self, disk_ids: Iterable[str]) -> list[DiskRecord]:
        """The disks with these ids, whatever has become of them."""
        ids = list(disk_ids)
        return self._select(f"id IN ({placeholders(len(ids))})", ids, "") if ids else []

    def count(self, wallets: Sequence[str], now_ms: int) -> int:
        """How many disks of these wallets have not ended."""
        (count,) = self._connection.execute(
            f"SELECT count(*) FROM disks WHERE {_among(wallets)}",  # noqa: S608 - our words
            (now_ms, *wallets),
        ).fetchone()
        return int(count)

    def rename(self, disk_id: str, name: str, now_ms: int) -> None:
        """Give a disk another name."""
        self._connection.execute(
            "UPDATE disks SET name = ?, updated_ms = ? WHERE id = ?", (name, now_ms, disk_id)
        )

    def delete(self, disk_id: str, now_ms: int) -> None:
        """Remember that a disk was told to go."""
        self._connection.execute("UPDATE disks SET deleted_ms = ? WHERE id = ?", (now_ms, disk_id))

    def _select(self, where: str, values: Sequence[object], rest: str) -> list[DiskRecord]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM disks WHERE {where} {rest}", values)  # noqa: S608
        # SQLite keeps whether something is so as 0 or 1.
        return [
            record._replace(is_multinode=bool(record.is_multinode)) for record in map(DiskRecord._make, rows)
        ]


def _among(wallets: Sequence[str]) -> str:
    among = f"wallet_id IN ({placeholders(len(wallets))})"
    return f"(deleted_ms IS NULL OR deleted_ms + {DELETING_MS} > ?) AND {among}"

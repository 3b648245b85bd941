"""Ordered pods, their events, and their disks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from primepods_magic.sandbox.domain.lifecycle import Event
from primepods_magic.sandbox.domain.records import PodRecord

from .sql import placeholders

__all__ = ["PodTable"]

_LIVE = "created_ms <= :now_ms AND (terminated_ms IS NULL OR terminated_ms > :now_ms)"


class PodTable:
    """The tables `pods`, `events` and `attachments`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, number: int, record: PodRecord, *, listed_from_ms: int) -> None:
        """Insert a pod; it may begin to exist, and to be listed, in the future."""
        self._connection.execute(
            "INSERT INTO pods (number, id, wallet_id, created_ms, listed_from_ms, record) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (number, record.id, record.wallet_id, record.created_ms, listed_from_ms, record.to_json()),
        )
        self._connection.executemany(
            "INSERT INTO attachments VALUES (?, ?)", [(disk_id, record.id) for disk_id in record.disk_ids]
        )

    def get(
        self, pod_id: str, now_ms: int, wallets: Sequence[str] | None = None, *, listed: bool = False
    ) -> PodRecord | None:
        """Find a pod, terminated or not, optionally only if listed or paid for by one of `wallets`."""
        row = self._connection.execute(
            "SELECT record, listed_from_ms, wallet_id FROM pods WHERE id = ? AND created_ms <= ?",
            (pod_id, now_ms),
        ).fetchone()
        if row is None or (listed and row[1] > now_ms) or (wallets is not None and row[2] not in wallets):
            return None
        return PodRecord.from_json(row[0])

    def live(self, now_ms: int, wallet_id: str) -> list[PodRecord]:
        """Return the live pods of a wallet, listed or not, oldest first."""
        rows = self._connection.execute(
            f"SELECT record FROM pods WHERE {_LIVE} AND wallet_id = :wallet_id "  # noqa: S608 - constants only
            "ORDER BY created_ms, number",
            {"now_ms": now_ms, "wallet_id": wallet_id},
        )
        return [PodRecord.from_json(record) for (record,) in rows]

    def has_live(self, now_ms: int) -> bool:
        """Return whether there is any live pod."""
        sql = f"SELECT EXISTS (SELECT 1 FROM pods WHERE {_LIVE})"  # noqa: S608 - constants only
        (exists,) = self._connection.execute(sql, {"now_ms": now_ms}).fetchone()
        return bool(exists)

    def live_since(self, now_ms: int, wallet_id: str) -> list[tuple[str, int]]:
        """Return the id and creation time of each live pod of a wallet."""
        return self._connection.execute(
            f"SELECT id, created_ms FROM pods WHERE {_LIVE} AND wallet_id = :wallet_id",  # noqa: S608 - constants only
            {"now_ms": now_ms, "wallet_id": wallet_id},
        ).fetchall()

    def count_listed(self, now_ms: int, wallets: Sequence[str]) -> int:
        (count,) = self._connection.execute(
            f"SELECT count(*) FROM pods WHERE {_filter_listed(wallets)}",  # noqa: S608 - constants only
            _bind_listed(now_ms, wallets),
        ).fetchone()
        return int(count)

    def page(self, now_ms: int, wallets: Sequence[str], *, limit: int, offset: int) -> list[PodRecord]:
        """Return one page of the listed pods of these wallets, oldest first."""
        rows = self._connection.execute(
            f"SELECT record FROM pods WHERE {_filter_listed(wallets)} "  # noqa: S608 - constants only
            "ORDER BY created_ms, number LIMIT :limit OFFSET :offset",
            {**_bind_listed(now_ms, wallets), "limit": limit, "offset": offset},
        )
        return [PodRecord.from_json(record) for (record,) in rows]

    def set_end(self, pod_id: str, terminated_ms: int | None) -> None:
        """Set when a pod ends, possibly in the future."""
        self._connection.execute("UPDATE pods SET terminated_ms = ? WHERE id = ?", (terminated_ms, pod_id))

    def events(self, pod_ids: Iterable[str]) -> dict[str, list[Event]]:
        """Return the events of each pod in order of time."""
        events: dict[str, list[Event]] = {pod_id: [] for pod_id in pod_ids}
        rows = self._connection.execute(
            "SELECT pod_id, at_ms, kind, usd_hr FROM events "  # noqa: S608 - constants only
            f"WHERE pod_id IN ({placeholders(len(events))}) ORDER BY at_ms, number",
            list(events),
        )
        for pod_id, at_ms, kind, usd_hr in rows:
            events[pod_id].append(Event(at_ms, kind, usd_hr))
        return events

    def add_event(self, pod_id: str, event: Event) -> None:
        self._connection.execute(
            "INSERT INTO events (pod_id, at_ms, kind, usd_hr) VALUES (?, ?, ?, ?)",
            (pod_id, event.at_ms, event.kind, event.usd_hr),
        )

    def holding(self, disk_id: str, now_ms: int) -> list[PodRecord]:
        """Return the live pods that a disk is attached to, oldest first."""
        rows = self._connection.execute(
            "SELECT record FROM attachments JOIN pods ON pods.id = attachments.pod_id "  # noqa: S608 - constants only
            f"WHERE disk_id = :disk_id AND {_LIVE} ORDER BY created_ms, pods.number",
            {"disk_id": disk_id, "now_ms": now_ms},
        )
        return [PodRecord.from_json(record) for (record,) in rows]


def _filter_listed(wallets: Sequence[str]) -> str:
    named = ", ".join(f":wallet_{index}" for index in range(len(wallets)))
    return f"{_LIVE} AND listed_from_ms <= :now_ms AND wallet_id IN ({named})"


def _bind_listed(now_ms: int, wallets: Sequence[str]) -> dict[str, object]:
    return {"now_ms": now_ms, **{f"wallet_{index}": wallet for index, wallet in enumerate(wallets)}}

"""Pods as they were ordered, what has happened to them, and which disks they hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from primepods_magic.sandbox.domain.lifecycle import Event
from primepods_magic.sandbox.domain.records import PodRecord

from .sql import placeholders

_LIVE = "created_ms <= :now_ms AND (terminated_ms IS NULL OR terminated_ms > :now_ms)"


class PodTable:
    """The tables ``pods``, ``events`` and ``attachments``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, number: int, record: PodRecord, *, listed_from_ms: int) -> None:
        """Remember a new pod. It may begin to exist, and be listed, at instants that are still to come."""
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
        """A pod by its id, whatever has become of it by ``now_ms``.

        Parameters
        ----------
        pod_id, now_ms:
            Which pod, and when.
        wallets:
            Only a pod that one of these pays for; None: any.
        listed:
            Only a pod that is listed yet.
        """
        row = self._connection.execute(
            "SELECT record, listed_from_ms, wallet_id FROM pods WHERE id = ? AND created_ms <= ?",
            (pod_id, now_ms),
        ).fetchone()
        if row is None or (listed and row[1] > now_ms) or (wallets is not None and row[2] not in wallets):
            return None
        return PodRecord.from_json(row[0])

    def live(self, now_ms: int, wallet_id: str) -> list[PodRecord]:
        """The pods that a wallet pays for at ``now_ms``, listed or not, oldest first."""
        rows = self._connection.execute(
            f"SELECT record FROM pods WHERE {_LIVE} AND wallet_id = :wallet_id "  # noqa: S608 - our words
            "ORDER BY created_ms, number",
            {"now_ms": now_ms, "wallet_id": wallet_id},
        )
        return [PodRecord.from_json(record) for (record,) in rows]

    def live_since(self, now_ms: int, wallet_id: str) -> list[tuple[str, int]]:
        """The ids of the pods that a wallet pays for at ``now_ms``, and since when."""
        return self._connection.execute(
            f"SELECT id, created_ms FROM pods WHERE {_LIVE} AND wallet_id = :wallet_id",  # noqa: S608 - our words
            {"now_ms": now_ms, "wallet_id": wallet_id},
        ).fetchall()

    def count_listed(self, now_ms: int, wallets: Sequence[str]) -> int:
        """How many pods of these wallets are listed at ``now_ms``."""
        (count,) = self._connection.execute(
            f"SELECT count(*) FROM pods WHERE {_listed(wallets)}",  # noqa: S608 - our words
            _listed_values(now_ms, wallets),
        ).fetchone()
        return int(count)

    def page(self, now_ms: int, wallets: Sequence[str], *, limit: int, offset: int) -> list[PodRecord]:
        """One page of the pods of these wallets that are listed at ``now_ms``, oldest first."""
        rows = self._connection.execute(
            f"SELECT record FROM pods WHERE {_listed(wallets)} "  # noqa: S608 - our words
            "ORDER BY created_ms, number LIMIT :limit OFFSET :offset",
            {**_listed_values(now_ms, wallets), "limit": limit, "offset": offset},
        )
        return [PodRecord.from_json(record) for (record,) in rows]

    def set_end(self, pod_id: str, terminated_ms: int | None) -> None:
        """Remember when a pod ends; the instant may still be to come."""
        self._connection.execute("UPDATE pods SET terminated_ms = ? WHERE id = ?", (terminated_ms, pod_id))

    def events(self, pod_ids: Iterable[str]) -> dict[str, list[Event]]:
        """What has been recorded about each of these pods, in order of time."""
        found: dict[str, list[Event]] = {pod_id: [] for pod_id in pod_ids}
        rows = self._connection.execute(
            "SELECT pod_id, at_ms, kind, usd_hr FROM events "  # noqa: S608 - our words
            f"WHERE pod_id IN ({placeholders(len(found))}) ORDER BY at_ms, number",
            list(found),
        )
        for pod_id, at_ms, kind, usd_hr in rows:
            found[pod_id].append(Event(at_ms, kind, usd_hr))
        return found

    def add_event(self, pod_id: str, event: Event) -> None:
        """Remember that something happened to a pod."""
        self._connection.execute(
            "INSERT INTO events (pod_id, at_ms, kind, usd_hr) VALUES (?, ?, ?, ?)",
            (pod_id, event.at_ms, event.kind, event.usd_hr),
        )

    def holding(self, disk_id: str, now_ms: int) -> list[PodRecord]:
        """The pods that a disk is attached to at ``now_ms``, oldest first."""
        rows = self._connection.execute(
            "SELECT record FROM attachments JOIN pods ON pods.id = attachments.pod_id "  # noqa: S608 - our words
            f"WHERE disk_id = :disk_id AND {_LIVE} ORDER BY created_ms, pods.number",
            {"disk_id": disk_id, "now_ms": now_ms},
        )
        return [PodRecord.from_json(record) for (record,) in rows]


def _listed(wallets: Sequence[str]) -> str:
    named = ", ".join(f":wallet_{index}" for index in range(len(wallets)))
    return f"{_LIVE} AND listed_from_ms <= :now_ms AND wallet_id IN ({named})"


def _listed_values(now_ms: int, wallets: Sequence[str]) -> dict[str, object]:
    return {"now_ms": now_ms, **{f"wallet_{index}": wallet for index, wallet in enumerate(wallets)}}

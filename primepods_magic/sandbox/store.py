"""The sandbox's memory: one SQLite file, which several processes may share."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .clock import Clock
from .database import SCHEMA_VERSION, open_database
from .lifecycle import Event
from .records import HistoryRow, PodRecord
from .vocabulary import ClockMode, SortBy, SortOrder

_SERVING_TIMEOUT_MS = 30_000

_SCHEMA = (
    "CREATE TABLE sandbox (instance TEXT NOT NULL, seed INTEGER NOT NULL, sequence INTEGER NOT NULL)",
    """CREATE TABLE clock (
        mode TEXT NOT NULL, speed REAL NOT NULL,
        anchor_ms INTEGER NOT NULL, anchor_wall_ms INTEGER NOT NULL)""",
    """CREATE TABLE pods (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL,
        terminated_ms INTEGER, record TEXT NOT NULL, listed_from_ms INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX pods_by_end ON pods (terminated_ms)",
    """CREATE TABLE events (
        number INTEGER PRIMARY KEY, pod_id TEXT NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL)""",
    "CREATE INDEX events_by_pod ON events (pod_id)",
    """CREATE TABLE history (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL, name TEXT NOT NULL, provider TEXT NOT NULL,
        provisioned_by TEXT, type TEXT NOT NULL, created_ms INTEGER NOT NULL, terminated_ms INTEGER NOT NULL,
        gpu_name TEXT NOT NULL, gpu_count INTEGER NOT NULL, socket TEXT, price_usd_hr REAL NOT NULL,
        user_id TEXT NOT NULL, team_id TEXT, billed_usd REAL NOT NULL)""",
)
# What a database of an earlier version lacks, by that version.
_RENEWALS = {1: ("ALTER TABLE pods ADD COLUMN listed_from_ms INTEGER NOT NULL DEFAULT 0",)}
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS pods_by_start ON pods (created_ms, number)",
    # In the order of the pages, so that rows are skipped in the index, neither sorted nor read. The further
    # columns let every condition be answered from it too.
    "CREATE INDEX IF NOT EXISTS history_as_ended ON history (terminated_ms, number, team_id)",
    "CREATE INDEX IF NOT EXISTS history_as_created ON history (created_ms, number, terminated_ms, team_id)",
    # Without the number, every page was sorted anew.
    "DROP INDEX IF EXISTS history_by_end",
    "DROP INDEX IF EXISTS history_by_start",
)
_HISTORY_COLUMNS = ", ".join(HistoryRow._fields)
_HISTORY_MARKS = ", ".join("?" for _ in HistoryRow._fields)
_INSERT_HISTORY = f"INSERT INTO history ({_HISTORY_COLUMNS}) VALUES ({_HISTORY_MARKS})"  # noqa: S608 - our words
_ENDED = "terminated_ms <= :now_ms AND (:team_id IS NULL OR team_id = :team_id)"
# A pod that is committed late is here from the start, and exists from ``created_ms``.
_LIVE = "created_ms <= :now_ms AND (terminated_ms IS NULL OR terminated_ms > :now_ms)"
_LISTED = f"{_LIVE} AND listed_from_ms <= :now_ms"
_HISTORY_ORDER: dict[tuple[SortBy, SortOrder], str] = {
    ("terminatedAt", "asc"): "terminated_ms ASC, number ASC",
    ("terminatedAt", "desc"): "terminated_ms DESC, number DESC",
    ("createdAt", "asc"): "created_ms ASC, number ASC",
    ("createdAt", "desc"): "created_ms DESC, number DESC",
}


class Store:
    """A connection to the database, for use by one thread at a time.

    Parameters
    ----------
    path:
        The file. It is created when it does not exist.

    Raises
    ------
    DatabaseUnusable
        When the file cannot be opened, or is not a sandbox's database.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path)

    def close(self) -> None:
        """Close the file. The store cannot be used afterwards."""
        self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Everything read inside the block is of one moment."""
        with self._transaction("BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Only this process writes inside the block; an exception undoes all of it."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self._connection.execute(begin)
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    # The database as a whole

    def is_new(self) -> bool:
        """Whether :meth:`create` has yet to be called; ask inside :meth:`writing`."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        return bool(version == 0)

    def create(self, clock: Clock, seed: int) -> None:
        """Lay out a new database; call inside :meth:`writing`."""
        for statement in (*_SCHEMA, *_INDEXES):
            self._connection.execute(statement)
        self._connection.execute("INSERT INTO sandbox VALUES (?, ?, 0)", (uuid.uuid4().hex, seed))
        self._connection.execute(
            "INSERT INTO clock VALUES (?, ?, ?, ?)",
            (clock.mode, clock.speed, clock.anchor_ms, clock.anchor_wall_ms),
        )
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def renew(self) -> None:
        """Bring an older database up to date; call inside :meth:`writing`."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        renewals = [statement for since in range(version, SCHEMA_VERSION) for statement in _RENEWALS[since]]
        for statement in (*renewals, *_INDEXES):
            self._connection.execute(statement)
        # Nothing new, but written: a file that cannot be shows it now, not with the first order.
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def be_patient(self) -> None:
        """From now on wait longer for whoever writes: a request should not fail where a start may."""
        self._connection.execute(f"PRAGMA busy_timeout = {_SERVING_TIMEOUT_MS}")

    def instance(self) -> str:
        """What tells this database from every other one."""
        (instance,) = self._connection.execute("SELECT instance FROM sandbox").fetchone()
        return str(instance)

    def next_number(self) -> int:
        """The next number of the database's one sequence; call inside :meth:`writing`."""
        self._connection.execute("UPDATE sandbox SET sequence = sequence + 1")
        (number,) = self._connection.execute("SELECT sequence FROM sandbox").fetchone()
        return int(number)

    def token(self, *about: object) -> str:
        """32 hexadecimal digits that depend on the seed and on ``about``, and on nothing else."""
        (seed,) = self._connection.execute("SELECT seed FROM sandbox").fetchone()
        return seeded_token(seed, *about)

    def clock(self) -> Clock:
        """The clock as recorded."""
        mode, speed, anchor_ms, anchor_wall_ms = self._connection.execute("SELECT * FROM clock").fetchone()
        return Clock(mode, speed, anchor_ms, anchor_wall_ms)

    def set_clock(self, clock: Clock) -> None:
        """Record another clock."""
        self._connection.execute(
            "UPDATE clock SET mode = ?, speed = ?, anchor_ms = ?, anchor_wall_ms = ?",
            (clock.mode, clock.speed, clock.anchor_ms, clock.anchor_wall_ms),
        )

    def continue_clock(self, mode: ClockMode | None, speed: float | None) -> None:
        """Let the clock go on as asked, from where it is."""
        if mode is not None or speed is not None:
            self.set_clock(self.clock().continued(mode, speed))

    # Pods and their events

    def add_pod(self, number: int, record: PodRecord, *, listed_from_ms: int) -> None:
        """Remember a new pod. It may begin to exist, and be listed, at instants that are still to come."""
        self._connection.execute(
            "INSERT INTO pods (number, id, created_ms, record, listed_from_ms) VALUES (?, ?, ?, ?, ?)",
            (number, record.id, record.created_ms, record.to_json(), listed_from_ms),
        )

    def pod(self, pod_id: str, now_ms: int, *, listed: bool = False) -> PodRecord | None:
        """A pod by its id, whatever has become of it by ``now_ms``; ``listed``: only if it is listed yet."""
        row = self._connection.execute(
            "SELECT record, listed_from_ms FROM pods WHERE id = ? AND created_ms <= ?", (pod_id, now_ms)
        ).fetchone()
        if row is None or (listed and row[1] > now_ms):
            return None
        return PodRecord.from_json(row[0])

    def live_pods(self, now_ms: int) -> list[PodRecord]:
        """The pods that exist at ``now_ms`` and are not TERMINATED, listed or not, oldest first."""
        rows = self._connection.execute(
            f"SELECT record FROM pods WHERE {_LIVE} ORDER BY created_ms, number",  # noqa: S608 - our words
            {"now_ms": now_ms},
        )
        return [PodRecord.from_json(record) for (record,) in rows]

    def count_listed_pods(self, now_ms: int) -> int:
        """How many pods are listed at ``now_ms``."""
        (count,) = self._connection.execute(
            f"SELECT count(*) FROM pods WHERE {_LISTED}",  # noqa: S608 - our words
            {"now_ms": now_ms},
        ).fetchone()
        return int(count)

    def listed_pods(self, now_ms: int, *, limit: int, offset: int) -> list[PodRecord]:
        """One page of the pods that are listed at ``now_ms``, oldest first."""
        rows = self._connection.execute(
            f"SELECT record FROM pods WHERE {_LISTED} "  # noqa: S608 - our words
            "ORDER BY created_ms, number LIMIT :limit OFFSET :offset",
            {"now_ms": now_ms, "limit": limit, "offset": offset},
        )
        return [PodRecord.from_json(record) for (record,) in rows]

    def events(self, pod_id: str) -> list[Event]:
        """What has been recorded about a pod, in order of time."""
        rows = self._connection.execute(
            "SELECT at_ms, kind FROM events WHERE pod_id = ? ORDER BY at_ms, number", (pod_id,)
        )
        return [Event(at_ms, kind) for at_ms, kind in rows]

    def add_event(self, pod_id: str, event: Event) -> None:
        """Remember that something happened to a pod."""
        self._connection.execute(
            "INSERT INTO events (pod_id, at_ms, kind) VALUES (?, ?, ?)", (pod_id, event.at_ms, event.kind)
        )

    def end_pod(self, row: HistoryRow) -> None:
        """Remember when a pod ends and what it will have cost; the instant may still be to come."""
        self._connection.execute(
            "UPDATE pods SET terminated_ms = ? WHERE id = ?", (row.terminated_ms, row.id)
        )
        self._connection.execute(_INSERT_HISTORY, row)

    # History

    def add_history(self, rows: Iterable[HistoryRow]) -> None:
        """Remember many rows at once."""
        self._connection.executemany(_INSERT_HISTORY, rows)

    def count_history(self, now_ms: int, team_id: str | None = None) -> int:
        """How many rows had ended by ``now_ms``, of one team or altogether."""
        if team_id is None:
            # Those that have yet to end are few, and all of them SQLite counts without looking at each.
            (count,) = self._connection.execute(
                "SELECT (SELECT count(*) FROM history) "
                "- (SELECT count(*) FROM history WHERE terminated_ms > ?)",
                (now_ms,),
            ).fetchone()
            return int(count)
        (count,) = self._connection.execute(
            f"SELECT count(*) FROM history WHERE {_ENDED}",  # noqa: S608 - our words
            {"now_ms": now_ms, "team_id": team_id},
        ).fetchone()
        return int(count)

    def history(
        self,
        now_ms: int,
        *,
        limit: int,
        offset: int,
        sort_by: SortBy,
        sort_order: SortOrder,
        team_id: str | None = None,
    ) -> list[HistoryRow]:
        """One page of the rows that had ended by ``now_ms``, of one team or altogether."""
        order = _HISTORY_ORDER[sort_by, sort_order]
        # The inner query finds the page in an index alone: skipping rows must not mean reading them.
        rows = self._connection.execute(
            f"SELECT {_HISTORY_COLUMNS} FROM history WHERE number IN "  # noqa: S608 - our words
            f"(SELECT number FROM history WHERE {_ENDED} ORDER BY {order} LIMIT :limit OFFSET :offset) "
            f"ORDER BY {order}",
            {"now_ms": now_ms, "team_id": team_id, "limit": limit, "offset": offset},
        )
        return [HistoryRow(*row) for row in rows]

    def billed_since_start_usd(self, now_ms: int) -> float:
        """What the pods that ended in this sandbox (not its invented past) have cost."""
        (billed_usd,) = self._connection.execute(
            "SELECT coalesce(sum(history.billed_usd), 0.0) FROM pods JOIN history ON history.id = pods.id "
            "WHERE pods.terminated_ms <= ?",
            (now_ms,),
        ).fetchone()
        return float(billed_usd)


def seeded_token(seed: int, *about: object) -> str:
    """32 hexadecimal digits that depend on the arguments alone."""
    text = ":".join(str(part) for part in (seed, *about))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

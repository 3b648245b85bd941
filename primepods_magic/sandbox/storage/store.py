"""The SQLite database, which several processes may share."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from primepods_magic.sandbox.domain.clock import Clock
from primepods_magic.sandbox.schemas.enums import ClockMode
from primepods_magic.sandbox.storage.tables.account import AccountTable
from primepods_magic.sandbox.storage.tables.disks import DiskTable
from primepods_magic.sandbox.storage.tables.history import HistoryTable
from primepods_magic.sandbox.storage.tables.pods import PodTable
from primepods_magic.sandbox.storage.tables.stock import StockTable
from primepods_magic.sandbox.storage.tables.wallets import WalletTable

from .connection import open_database
from .schema import create_schema

__all__ = ["Store", "seeded_token"]

_SERVING_TIMEOUT_MS = 30_000


class Store:
    """A database connection for one thread at a time, and its tables."""

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path)
        self.pods = PodTable(self._connection)
        self.disks = DiskTable(self._connection)
        self.history = HistoryTable(self._connection)
        self.wallets = WalletTable(self._connection)
        self.account = AccountTable(self._connection)
        self.stock = StockTable(self._connection)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Open a read transaction with a consistent view."""
        with self._run_transaction("BEGIN"):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Open an exclusive write transaction; exceptions roll it back."""
        with self._run_transaction("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def _run_transaction(self, begin: str) -> Iterator[None]:
        self._connection.execute(begin)
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def is_new(self) -> bool:
        """Return True before `create`; call inside `writing()`."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        return bool(version == 0)

    def create(self, clock: Clock, seed: int) -> None:
        """Create the tables of a new database; call inside `writing()`."""
        create_schema(self._connection)
        self._connection.execute("INSERT INTO sandbox VALUES (?, ?, 0)", (uuid.uuid4().hex, seed))
        self._connection.execute(
            "INSERT INTO clock VALUES (?, ?, ?, ?)",
            (clock.mode, clock.speed, clock.anchor_ms, clock.anchor_wall_ms),
        )

    def touch(self) -> None:
        """Write something, so that a read-only file fails now; call inside `writing()`."""
        self._connection.execute("UPDATE sandbox SET sequence = sequence")

    def raise_lock_timeout(self) -> None:
        """Wait longer for locks from now on: a request should not fail where a start may."""
        self._connection.execute(f"PRAGMA busy_timeout = {_SERVING_TIMEOUT_MS}")

    def instance(self) -> str:
        """Return the unique id of this database."""
        (instance,) = self._connection.execute("SELECT instance FROM sandbox").fetchone()
        return str(instance)

    def next_number(self) -> int:
        """Increment and return the database's sequence number; call inside `writing()`."""
        self._connection.execute("UPDATE sandbox SET sequence = sequence + 1")
        (number,) = self._connection.execute("SELECT sequence FROM sandbox").fetchone()
        return int(number)

    def token(self, *about: object) -> str:
        """Return 32 hex digits that depend only on the seed and `about`."""
        (seed,) = self._connection.execute("SELECT seed FROM sandbox").fetchone()
        return seeded_token(seed, *about)

    def clock(self) -> Clock:
        mode, speed, anchor_ms, anchor_wall_ms = self._connection.execute("SELECT * FROM clock").fetchone()
        return Clock(mode, speed, anchor_ms, anchor_wall_ms)

    def set_clock(self, clock: Clock) -> None:
        self._connection.execute(
            "UPDATE clock SET mode = ?, speed = ?, anchor_ms = ?, anchor_wall_ms = ?",
            (clock.mode, clock.speed, clock.anchor_ms, clock.anchor_wall_ms),
        )

    def continue_clock(self, mode: ClockMode | None, speed: float | None) -> None:
        """Resume the clock from its current time in this mode and at this speed."""
        if mode is not None or speed is not None:
            self.set_clock(self.clock().continued(mode, speed))


def seeded_token(seed: int, *about: object) -> str:
    """Return 32 hex digits that depend only on the arguments."""
    text = ":".join(str(part) for part in (seed, *about))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

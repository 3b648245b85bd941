"""The sandbox's memory: one SQLite file, which several processes may share."""

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
from primepods_magic.sandbox.storage.tables.history import HistoryRows
from primepods_magic.sandbox.storage.tables.pods import PodTable
from primepods_magic.sandbox.storage.tables.stock import StockTable
from primepods_magic.sandbox.storage.tables.wallets import WalletTable

from .connection import open_database
from .schema import create_schema

_SERVING_TIMEOUT_MS = 30_000


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

    Attributes
    ----------
    pods, disks, history, wallets, account, stock:
        The tables.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path)
        self.pods = PodTable(self._connection)
        self.disks = DiskTable(self._connection)
        self.history = HistoryRows(self._connection)
        self.wallets = WalletTable(self._connection)
        self.account = AccountTable(self._connection)
        self.stock = StockTable(self._connection)

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

    def is_new(self) -> bool:
        """Whether :meth:`create` has yet to be called; ask inside :meth:`writing`."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        return bool(version == 0)

    def create(self, clock: Clock, seed: int) -> None:
        """Lay out a new database; call inside :meth:`writing`."""
        create_schema(self._connection)
        self._connection.execute("INSERT INTO sandbox VALUES (?, ?, 0)", (uuid.uuid4().hex, seed))
        self._connection.execute(
            "INSERT INTO clock VALUES (?, ?, ?, ?)",
            (clock.mode, clock.speed, clock.anchor_ms, clock.anchor_wall_ms),
        )

    def touch(self) -> None:
        """Write, so that a file that cannot be written shows it now; call inside :meth:`writing`."""
        self._connection.execute("UPDATE sandbox SET sequence = sequence")

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


def seeded_token(seed: int, *about: object) -> str:
    """32 hexadecimal digits that depend on the arguments alone."""
    text = ":".join(str(part) for part in (seed, *about))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

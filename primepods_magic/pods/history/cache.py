"""Rows of the history that no longer change, kept on this computer.

One SQLite file for each service and key. It is written in transactions, so that several kernels may use
it at once and any of them be killed; whatever in it is not as it was written makes it void.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from primepods_magic.api.local.folders import find_folder

from .pages import ReadResult
from .serialization import pack_table, unpack_table
from .table import HistoryTable

__all__ = ["CacheFile", "CacheSummary", "HistoryCache", "cache_files", "cache_folder", "clear_cache"]

_APPLICATION_ID = 0x70726D70
_FORMAT_VERSION = 2
"""Of the file, in its head; one of another form is begun anew."""

_PART_ROWS = 20_000
"""Rows in one part: what it takes to write one is in memory twice."""

_MAX_SMALL_PARTS = 32
"""Small ones beside the full ones; they are slow to read, and are written anew as few when there are more."""

_BUSY_TIMEOUT_S = 5.0
_UNUSED_FOR_S = 90 * 86_400
_TRANSIENT_SQLITE_ERRORS = (
    "locked",
    "readonly",
    "unable to open",
    "is full",
    "disk I/O",
    "permission denied",
    "interrupted",
    "locking protocol",
)
"""What SQLite says where nothing is wrong with what is in a file. What else it says of an operation, such as
that there is no such table, comes of a file that is not as it was written."""

_SCHEMA = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE parts (first INTEGER PRIMARY KEY, rows INTEGER NOT NULL, digest BLOB NOT NULL)",
    "CREATE TABLE columns (first INTEGER NOT NULL, name TEXT NOT NULL, data BLOB NOT NULL)",
    "CREATE UNIQUE INDEX columns_of_parts ON columns (first, name)",
)


@dataclass(frozen=True)
class CacheSummary:
    """What a cache holds, without its rows.

    Parameters
    ----------
    rows : int
        How many.
    last_id : str
        Of the last of them.
    total, page_rows : int
        How many rows there were in all when they were read, and in one page.
    """

    rows: int
    last_id: str
    total: int
    page_rows: int


@dataclass(frozen=True)
class CacheFile:
    """One file: whose history it keeps, how many rows of it, and its size.

    Parameters
    ----------
    service : str
        Where the rows are from.
    rows : int
        How many; 0 where the file cannot be read.
    size_bytes : int
        Of the file.
    read_at : datetime, optional
        When the service was asked last, by its clock (UTC).
    path : Path
        Where it is.
    """

    service: str
    rows: int
    size_bytes: int
    read_at: datetime | None
    path: Path


class HistoryCache:
    """The rows that one key can see and that no longer change.

    Nothing that goes wrong with the file is an error: without a cache everything is read again.

    Parameters
    ----------
    account : str
        Whose, as `Connection.access` tells it; the file's name is a digest of it.
    """

    def __init__(self, account: str) -> None:
        self._account = hashlib.sha256(account.encode("utf-8", "replace")).hexdigest()
        self._service = account.partition("\n")[0]
        folder = cache_folder()
        self._path = folder / f"{self._account[:32]}.db" if folder else None

    def read_summary(self) -> CacheSummary | None:
        """What is kept, or ``None`` where nothing is, or not of this account."""
        with _discard_if_corrupt(self._path), self._open_own_database() as database:
            return self._read_summary(database)
        return None

    def load(self, kept: CacheSummary) -> HistoryTable | None:
        """The rows, or ``None`` where they are not as they were written, or differ from the summary."""
        with (
            _discard_if_corrupt(self._path),
            self._open_own_database() as database,
            _run_transaction(database, "DEFERRED"),
        ):
            tables: list[HistoryTable] = []
            for first, rows, digest in database.execute("SELECT * FROM parts ORDER BY first").fetchall():
                if first != sum(map(len, tables)):
                    raise ValueError("parts that do not join")
                tables.append(_read_part(database, first, rows, digest))
                if first + rows == kept.rows:
                    # Somebody else may have added to them meanwhile.
                    break
            table = HistoryTable.concatenate(tables)
            if len(table) == kept.rows and table.columns["id"][-1] == kept.last_id:
                return table
        return None

    def write(
        self, table: HistoryTable, *, after: CacheSummary | None, reading: ReadResult, now: datetime
    ) -> None:
        """Keep rows.

        Parameters
        ----------
        table : HistoryTable
            All that no longer change; the last of them has an id.
        after : Kept, optional
            What of them was kept already: only the others are written, and nothing where somebody else has
            written meanwhile.
        reading : Reading
            What was read last.
        now : datetime
            The service's time.
        """
        for _ in range(2):
            with _discard_if_corrupt(self._path):
                self._write_rows(table, after, reading, now)
            if self._path is None:
                return
            if _is_present(self._path):
                _remove_unused(self._path.parent)
                return
            # What was there was somebody else's, or broken, and has been removed.

    def _write_rows(
        self, table: HistoryTable, after: CacheSummary | None, reading: ReadResult, now: datetime
    ) -> None:
        with self._open_own_database(create=True) as database, _run_transaction(database, "IMMEDIATE"):
            if after is not None and self._read_summary(database) != after:
                return
            (parts,) = database.execute("SELECT count(*) FROM parts").fetchone()
            if after is None or parts > _MAX_SMALL_PARTS + after.rows // _PART_ROWS:
                database.execute("DELETE FROM parts")
                database.execute("DELETE FROM columns")
                first = 0
            else:
                first = after.rows
            for begin in range(first, len(table), _PART_ROWS):
                _write_part(database, begin, table[begin : begin + _PART_ROWS])
            facts = {
                "account": self._account,
                "service": self._service,
                "last_id": table.columns["id"][-1] if len(table) else "",
                "total": reading.total,
                "page_rows": reading.page_rows,
                "read_at": now.isoformat(timespec="seconds"),
            }
            database.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?, ?)",
                [(name, str(value)) for name, value in facts.items()],
            )

    @contextlib.contextmanager
    def _open_own_database(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        if self._path is None:
            raise FileNotFoundError
        with _open_database(self._path, create=create) as database:
            yield database

    def _read_summary(self, database: sqlite3.Connection) -> CacheSummary | None:
        facts = dict(database.execute("SELECT name, value FROM facts"))
        (rows,) = database.execute("SELECT coalesce(sum(rows), 0) FROM parts").fetchone()
        if facts.get("account") != self._account or not rows:
            return None
        total, page_rows = int(facts["total"]), int(facts["page_rows"])
        if total < 0 or page_rows < 1:
            raise ValueError("no such numbers")
        return CacheSummary(rows, facts["last_id"], total, page_rows)


def cache_folder() -> Path | None:
    """Where the files are; ``None`` where there is no home."""
    folder = find_folder("cache")
    return folder / "history" if folder else None


def cache_files() -> list[CacheFile]:
    """The histories that are kept on this computer, the largest first.

    Examples
    --------
    >>> [file.rows for file in cache_files()]                                # doctest: +SKIP
    [100000]
    """
    folder = cache_folder()
    found = [_describe_file(path) for path in _list_databases(folder)] if folder else []
    return sorted(found, key=lambda file: -file.size_bytes)


def clear_cache() -> list[CacheFile]:
    """Forget all histories that are kept on this computer; the next call reads them anew.

    Returns
    -------
    list of CacheFile
        What was forgotten.
    """
    files = cache_files()
    for file in files:
        _remove_database(file.path)
    return [file for file in files if not _is_present(file.path)]


def _describe_file(path: Path) -> CacheFile:
    service, rows, read_at, size = "", 0, None, 0
    with contextlib.suppress(sqlite3.Error, OSError, ValueError, TypeError):
        size = path.stat().st_size
        with _open_database(path) as database:
            facts = dict(database.execute("SELECT name, value FROM facts"))
            (rows,) = database.execute("SELECT coalesce(sum(rows), 0) FROM parts").fetchone()
        service = facts.get("service", "")
        read_at = datetime.fromisoformat(facts["read_at"]) if "read_at" in facts else None
    return CacheFile(service, rows, size, read_at, path)


@contextlib.contextmanager
def _open_database(path: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    """The database in a file, which has our form, or else is begun anew or not there."""
    if create:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.path.lexists(path) and not path.is_file():
            # A pipe, a device or a link to nothing; a folder stays, and nothing is stored.
            path.unlink()
        with contextlib.suppress(FileExistsError):
            # Never one that is there: closing it would end the locks that this process has on it.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    elif not path.exists():
        raise FileNotFoundError(path)
    with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)) as database:
        if not _is_ours(database):
            if not create:
                raise FileNotFoundError(path)
            with _run_transaction(database, "IMMEDIATE"):
                if not _is_ours(database):
                    _create_schema(database)
        yield database


def _is_ours(database: sqlite3.Connection) -> bool:
    return (_read_pragma(database, "application_id"), _read_pragma(database, "user_version")) == (
        _APPLICATION_ID,
        _FORMAT_VERSION,
    )


def _create_schema(database: sqlite3.Connection) -> None:
    """Make the tables, in a file that is empty."""
    if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise ValueError("somebody else's")
    for statement in _SCHEMA:
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {_FORMAT_VERSION}")


def _read_pragma(database: sqlite3.Connection, name: str) -> int:
    return int(database.execute(f"PRAGMA {name}").fetchone()[0])


@contextlib.contextmanager
def _run_transaction(database: sqlite3.Connection, kind: str) -> Iterator[None]:
    database.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


@contextlib.contextmanager
def _discard_if_corrupt(path: Path | None) -> Iterator[None]:
    """Pass over what goes wrong with a file, and remove one that is not as it was written."""
    try:
        yield
    except OSError:
        # Not there, or nowhere to write.
        return
    except sqlite3.OperationalError as error:
        if path is not None and not any(words in str(error) for words in _TRANSIENT_SQLITE_ERRORS):
            _remove_database(path)
    except (sqlite3.Error, ValueError, KeyError, IndexError, TypeError):
        if path is not None:
            _remove_database(path)


def _is_present(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True


def _list_databases(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.db"))
    except OSError:
        # Some versions of Python say so of a folder that may not be entered, others find nothing.
        return []


def _remove_unused(folder: Path) -> None:
    """Remove what nobody has used for long: of keys and sandboxes that are no more."""
    for path in _list_databases(folder):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _UNUSED_FOR_S:
                _remove_database(path)


def _remove_database(path: Path) -> None:
    for name in (path, path.with_name(f"{path.name}-journal")):
        with contextlib.suppress(OSError):
            name.unlink(missing_ok=True)


def _write_part(database: sqlite3.Connection, first: int, table: HistoryTable) -> None:
    digest = hashlib.blake2b(digest_size=16)
    for name, data in pack_table(table):
        digest.update(_compute_digest(name, data))
        database.execute("INSERT INTO columns VALUES (?, ?, ?)", (first, name, data))
    database.execute("INSERT INTO parts VALUES (?, ?, ?)", (first, len(table), digest.digest()))


def _read_part(database: sqlite3.Connection, first: int, rows: int, expected: bytes) -> HistoryTable:
    data, digest = {}, hashlib.blake2b(digest_size=16)
    columns = database.execute("SELECT name, data FROM columns WHERE first = ? ORDER BY rowid", (first,))
    for name, blob in columns:
        data[name] = blob
        digest.update(_compute_digest(name, blob))
    if digest.digest() != expected:
        raise ValueError("not as it was written")
    return unpack_table(data, rows)


def _compute_digest(name: str, data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16, person=b"history", key=name.encode()[:64]).digest()

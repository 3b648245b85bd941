"""On-disk cache of final history rows: one SQLite file per service and key.

Writes are transactions, so several kernels may share a file and any of them may be killed. A file whose
content does not match its digests is discarded.
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

from primepods_magic.api.local.folders import find_folder, make_folder

from .pages import ReadResult
from .serialization import pack_table, unpack_table
from .table import HistoryTable

__all__ = ["CacheFile", "CacheSummary", "HistoryCache", "cache_files", "cache_folder", "clear_cache"]

_APPLICATION_ID = 0x70726D70
_FORMAT_VERSION = 3
"""Stored in the file's header; a file of another version is discarded."""

_PART_ROWS = 20_000
"""Rows in one part; a part is in memory twice while it is written."""

_MAX_SMALL_PARTS = 32
"""Parts beyond the full ones are slow to read; more than this many are merged by rewriting all."""

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
"""SQLite messages that do not mean that the file is corrupt; any other operational error does."""

_SCHEMA = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE parts (first INTEGER PRIMARY KEY, rows INTEGER NOT NULL, digest BLOB NOT NULL, "
    "data BLOB NOT NULL)",
)


@dataclass(frozen=True)
class CacheSummary:
    """Number of cached rows, the last row's id, and the total and page size when they were read."""

    rows: int
    last_id: str
    total: int
    page_rows: int


@dataclass(frozen=True)
class CacheFile:
    """A cache file: its service, rows (0 if unreadable), size, and when it was last updated (UTC)."""

    service: str
    rows: int
    size_bytes: int
    read_at: datetime | None
    path: Path


class HistoryCache:
    """Cache of the final rows that one key can see; `account` is `Connection.access`.

    Problems with the file are never errors: without a cache, everything is read again.
    """

    def __init__(self, account: str) -> None:
        self._account = hashlib.sha256(account.encode("utf-8", "replace")).hexdigest()
        self._service = account.partition("\n")[0]
        folder = cache_folder()
        self._path = folder / f"{self._account[:32]}.db" if folder else None

    def read_summary(self) -> CacheSummary | None:
        """Return a summary of the cached rows, or None if there are none for this account."""
        with _discard_if_corrupt(self._path), self._open_own_database() as database:
            return self._read_summary(database)
        return None

    def load(self, kept: CacheSummary) -> HistoryTable | None:
        """Return the rows, or None if they are corrupt or do not match the summary."""
        with (
            _discard_if_corrupt(self._path),
            self._open_own_database() as database,
            _run_transaction(database, "DEFERRED"),
        ):
            tables: list[HistoryTable] = []
            for first, rows, digest, data in database.execute("SELECT * FROM parts ORDER BY first"):
                if first != sum(map(len, tables)) or digest != _compute_digest(data):
                    raise ValueError("a part is missing or corrupt")
                tables.append(unpack_table(data))
                if first + rows == kept.rows:
                    # Another process may have added more parts in the meantime.
                    break
            table = HistoryTable.concatenate(tables)
            if len(table) == kept.rows and table.columns["id"][-1] == kept.last_id:
                return table
        return None

    def write(
        self, table: HistoryTable, *, after: CacheSummary | None, reading: ReadResult, now: datetime
    ) -> None:
        """Store the final rows; the last of them has an id.

        `after` is the summary of rows that are cached already: only newer rows are written, and none if
        another process has written in the meantime.
        """
        for _ in range(2):
            with _discard_if_corrupt(self._path):
                self._write_rows(table, after, reading, now)
            if self._path is None:
                return
            if _is_present(self._path):
                _remove_unused(self._path.parent)
                return
            # The file was foreign or corrupt and has been removed; try once more.

    def _write_rows(
        self, table: HistoryTable, after: CacheSummary | None, reading: ReadResult, now: datetime
    ) -> None:
        with self._open_own_database(create=True) as database, _run_transaction(database, "IMMEDIATE"):
            if after is not None and self._read_summary(database) != after:
                return
            (parts,) = database.execute("SELECT count(*) FROM parts").fetchone()
            if after is None or parts > _MAX_SMALL_PARTS + after.rows // _PART_ROWS:
                database.execute("DELETE FROM parts")
                first = 0
            else:
                first = after.rows
            for begin in range(first, len(table), _PART_ROWS):
                part = table[begin : begin + _PART_ROWS]
                data = pack_table(part)
                values = (begin, len(part), _compute_digest(data), data)
                database.execute("INSERT INTO parts VALUES (?, ?, ?, ?)", values)
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
        facts, rows = _read_facts(database)
        if facts.get("account") != self._account or not rows:
            return None
        total, page_rows = int(facts["total"]), int(facts["page_rows"])
        if total < 0 or page_rows < 1:
            raise ValueError("invalid total or page size")
        return CacheSummary(rows, facts["last_id"], total, page_rows)


def cache_folder() -> Path | None:
    """Return the folder of the cache files, or None without a home folder."""
    folder = find_folder("cache")
    return folder / "history" if folder else None


def cache_files() -> list[CacheFile]:
    """List the cache files on this computer, the largest first.

    >>> [file.rows for file in cache_files()]                                # doctest: +SKIP
    [100000]
    """
    folder = cache_folder()
    files = [_describe_file(path) for path in _list_databases(folder)] if folder else []
    return sorted(files, key=lambda file: -file.size_bytes)


def clear_cache() -> list[CacheFile]:
    """Delete all cache files on this computer and return those deleted."""
    files = cache_files()
    for file in files:
        _remove_database(file.path)
    return [file for file in files if not _is_present(file.path)]


def _describe_file(path: Path) -> CacheFile:
    service, rows, read_at, size = "", 0, None, 0
    with contextlib.suppress(sqlite3.Error, OSError, ValueError, TypeError):
        size = path.stat().st_size
        with _open_database(path) as database:
            facts, rows = _read_facts(database)
        service = facts.get("service", "")
        read_at = datetime.fromisoformat(facts["read_at"]) if "read_at" in facts else None
    return CacheFile(service, rows, size, read_at, path)


def _read_facts(database: sqlite3.Connection) -> tuple[dict[str, str], int]:
    """Return the facts by name, and the number of rows."""
    (rows,) = database.execute("SELECT coalesce(sum(rows), 0) FROM parts").fetchone()
    return dict(database.execute("SELECT name, value FROM facts")), rows


@contextlib.contextmanager
def _open_database(path: Path, *, create: bool = False) -> Iterator[sqlite3.Connection]:
    """Open the cache database; with `create`, create or initialize it if it is missing or empty."""
    if create:
        make_folder(path.parent)
        if os.path.lexists(path) and not path.is_file():
            # A pipe, a device or a broken link. A folder stays, and nothing is stored.
            path.unlink()
        with contextlib.suppress(FileExistsError):
            # Never open an existing file: closing it would release this process's locks on it.
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
    """Create the tables in an empty file."""
    if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise ValueError("not our database")
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
    """Suppress errors of a cache file, and delete the file if it is corrupt."""
    try:
        yield
    except OSError:
        # Missing, or not writable.
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
        # For an unreadable folder, some versions of Python raise and others return nothing.
        return []


def _remove_unused(folder: Path) -> None:
    """Delete files of keys and sandboxes that were not used for long."""
    for path in _list_databases(folder):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _UNUSED_FOR_S:
                _remove_database(path)


def _remove_database(path: Path) -> None:
    for name in (path, path.with_name(f"{path.name}-journal")):
        with contextlib.suppress(OSError):
            name.unlink(missing_ok=True)


def _compute_digest(data: bytes | memoryview) -> bytes:
    return hashlib.blake2b(data, digest_size=16, person=b"history").digest()

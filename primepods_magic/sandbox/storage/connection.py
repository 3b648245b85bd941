"""Opening the database file, and error messages if that fails."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .filesystems import MOUNTS, is_local
from .schema import SCHEMA_VERSION, TABLES

__all__ = ["DatabaseUnusable", "convert_sqlite_errors", "open_database"]

_START_TIMEOUT_S = 5.0


class DatabaseUnusable(RuntimeError):
    """The file cannot be used as the sandbox's database; the message says what to do."""


def open_database(path: Path, *, mounts: Path = MOUNTS) -> sqlite3.Connection:
    """Open a sandbox database or a new file; raise DatabaseUnusable if that is impossible.

    A new file gets a write-ahead log, which is several times faster. It needs memory shared by all users of
    the file, so network file systems get a rollback journal (https://sqlite.org/wal.html).
    """
    refusal = _explain_path(path)
    if refusal:
        raise DatabaseUnusable(refusal)
    allow_wal = is_local(path, mounts)
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    with convert_sqlite_errors(path):
        while True:
            try:
                return _open_once(path, allow_wal)
            except sqlite3.OperationalError as error:
                # Changing the journal needs exclusive access, for which SQLite does not wait.
                # Sleep for random times, so that concurrent starts do not block each other.
                if "lock" not in str(error) or time.monotonic() > deadline_s:
                    raise
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - chance, not a secret


def _open_once(path: Path, allow_wal: bool) -> sqlite3.Connection:
    # Opened by the starting thread and used by the serving one, never concurrently.
    connection = sqlite3.connect(
        path, timeout=_START_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        _check_contents(path, connection)
        _choose_journal(connection, allow_wal)
    except BaseException:
        connection.close()
        raise
    return connection


def _choose_journal(connection: sqlite3.Connection, allow_wal: bool) -> None:
    (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if journal == "wal" and not allow_wal:
        (journal,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    elif journal != "wal" and allow_wal and version == 0:
        # Change new files only: another computer may have this one open over the network.
        journal = _enable_wal(connection)
    # A killed process loses nothing either way. After a power failure, a WAL at NORMAL may lose the last
    # transactions but stays consistent; a rollback journal at NORMAL could be corrupted.
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if journal == 'wal' else 'FULL'}")


def _enable_wal(connection: sqlite3.Connection) -> str:
    try:
        (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError as error:
        if "lock" in str(error):
            raise
        # Shared memory or the folder is unavailable. Store.touch checks that the file is writable.
        return "delete"
    return str(journal)


@contextmanager
def convert_sqlite_errors(path: Path) -> Iterator[None]:
    """Convert SQLite errors into `DatabaseUnusable`."""
    try:
        yield
    except sqlite3.Error as error:
        # Error codes are available from Python 3.11 only.
        if "lock" in str(error):
            message = f"{path} is in use by another process: stop that process, or choose another file"
        elif "is full" in str(error):
            message = f"{path} cannot be written ({error}): free some space, or choose another file"
        elif isinstance(error, sqlite3.OperationalError):
            message = (
                f"{path} cannot be read and written ({error}): "
                "check the permissions of the file and its folder, or choose another file"
            )
        else:
            message = (
                f"{path} is not a database of the sandbox ({error}): choose another file, or move it away"
            )
        raise DatabaseUnusable(message) from None


def _explain_path(path: Path) -> str | None:
    """Explain why no file can be opened at this path, in more detail than SQLite does."""
    # Use os.path: Path raises in folders without permission.
    if os.path.isdir(path):
        return f"{path} is a folder: choose a file, for example {path / 'sandbox.db'}"
    if os.path.exists(path) and not os.path.isfile(path):
        return f"{path} is not a plain file: choose another one"
    folder = path.parent
    if os.path.exists(folder) and not os.path.isdir(folder):
        return f"{path} cannot be created: {folder} is not a folder. Choose another path"
    if not os.path.exists(folder):
        return f"{path} cannot be created: there is no folder {folder}. Create it, or choose another path"
    return None


def _check_contents(path: Path, connection: sqlite3.Connection) -> None:
    # Use one statement, so that no other process creates tables between two.
    version, names = connection.execute(
        "SELECT user_version, (SELECT group_concat(name) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    tables = set((names or "").split(","))
    if 0 < version < SCHEMA_VERSION and {"sandbox", "clock"} <= tables:
        raise DatabaseUnusable(
            f"{path} was created by an earlier version of the sandbox: choose another file, or move it away"
        )
    is_ours = version == SCHEMA_VERSION and tables >= TABLES
    if not is_ours and (version or names):
        raise DatabaseUnusable(
            f"{path} is a database of another program: choose another file, or move it away"
        )

"""Opening the sandbox's file, and saying in one line why it cannot be opened."""

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

_START_TIMEOUT_S = 5.0


class DatabaseUnusable(RuntimeError):
    """The file cannot serve as a sandbox's database. One line names it and says what to do."""


def open_database(path: Path, *, mounts: Path = MOUNTS) -> sqlite3.Connection:
    """A connection to a sandbox's database or to a new, empty file.

    A new file gets a write-ahead log, which is several times faster. That needs memory shared by all who use
    the file, so on a network file system (https://sqlite.org/wal.html), and where SQLite says no, the file
    has a rollback journal.

    Parameters
    ----------
    path:
        The file. It is created when it does not exist.
    mounts:
        Which file systems there are: see :func:`.mounts.is_local`.

    Raises
    ------
    DatabaseUnusable
        When it cannot be opened, or is something else.
    """
    refusal = _refusal(path)
    if refusal:
        raise DatabaseUnusable(refusal)
    may_log_ahead = is_local(path, mounts)
    end = time.monotonic() + _START_TIMEOUT_S
    with explained(path):
        while True:
            try:
                return _opened(path, may_log_ahead)
            except sqlite3.OperationalError as error:
                # Nobody else may use a file while its journal changes, and for that SQLite does not wait.
                # Those who try at the same time let go of it in between, each for as long as chance has it.
                if "lock" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311 - chance, not a secret


def _opened(path: Path, may_log_ahead: bool) -> sqlite3.Connection:
    # Opened by the thread that starts the sandbox, used by the one that serves: never at the same time.
    connection = sqlite3.connect(
        path, timeout=_START_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        _check_contents(path, connection)
        _choose_journal(connection, may_log_ahead)
    except BaseException:
        connection.close()
        raise
    return connection


def _choose_journal(connection: sqlite3.Connection, may_log_ahead: bool) -> None:
    (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if journal == "wal" and not may_log_ahead:
        (journal,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    elif journal != "wal" and may_log_ahead and version == 0:
        # Only a new file: another computer may have laid out this one, over the network, and have it open.
        journal = _logging_ahead(connection)
    # A killed process loses nothing either way. A power cut takes the last answers from a log at NORMAL, and
    # breaks nothing; a rollback journal at NORMAL it could break.
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if journal == 'wal' else 'FULL'}")


def _logging_ahead(connection: sqlite3.Connection) -> str:
    try:
        (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError as error:
        if "lock" in str(error):
            raise
        # No shared memory, or no place beside the file. Whether it can be written at all is seen later.
        return "delete"
    return str(journal)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite says against a file inside the block becomes :class:`DatabaseUnusable`."""
    try:
        yield
    except sqlite3.Error as error:
        # The error codes are not told before Python 3.11.
        if "lock" in str(error):
            said = f"{path} is in use by another process: end that one, or choose another file"
        elif "is full" in str(error):
            said = f"{path} cannot be written ({error}): make room for it, or choose another file"
        elif isinstance(error, sqlite3.OperationalError):
            said = (
                f"{path} cannot be read and written ({error}): "
                "check the permissions of the file and its folder, or choose another file"
            )
        else:
            said = f"{path} is not a database of the sandbox ({error}): choose another file, or move it away"
        raise DatabaseUnusable(said) from None


def _refusal(path: Path) -> str | None:
    """What is wrong with the place of a file, where SQLite would only say that it cannot open it."""
    # os.path answers where Path would raise: below a folder that may not be entered.
    if os.path.isdir(path):
        return f"{path} is a folder: name a file, for example {path / 'sandbox.db'}"
    if os.path.exists(path) and not os.path.isfile(path):
        return f"{path} is not a plain file: choose another one"
    folder = path.parent
    if os.path.exists(folder) and not os.path.isdir(folder):
        return f"{path} cannot be created, because {folder} is not a folder: choose another place"
    if not os.path.exists(folder):
        return f"{path} cannot be created, because there is no folder {folder}: make it, or choose another"
    return None


def _check_contents(path: Path, connection: sqlite3.Connection) -> None:
    # One statement, so that nobody lays the file out between two of them.
    version, names = connection.execute(
        "SELECT user_version, (SELECT group_concat(name) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    found = set((names or "").split(","))
    if 0 < version < SCHEMA_VERSION and {"sandbox", "clock"} <= found:
        raise DatabaseUnusable(
            f"{path} is of an earlier version of this sandbox: choose another file, or move it away"
        )
    is_ours = version == SCHEMA_VERSION and found >= TABLES
    if not is_ours and (version or names):
        raise DatabaseUnusable(
            f"{path} is a database, but not one of this sandbox's: choose another file, or move it away"
        )

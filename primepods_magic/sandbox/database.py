"""Opening the sandbox's file, and saying in one line why it cannot be opened."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA_VERSION = 2
"""What :meth:`.store.Store.renew` brings every earlier one up to."""

TABLES = frozenset({"sandbox", "clock", "pods", "events", "history"})

_START_TIMEOUT_S = 5.0


class DatabaseUnusable(RuntimeError):
    """The file cannot serve as a sandbox's database. One line names it and says what to do."""


def open_database(path: Path) -> sqlite3.Connection:
    """A connection to a sandbox's database or to a new, empty file.

    Parameters
    ----------
    path:
        The file. It is created when it does not exist.

    Raises
    ------
    DatabaseUnusable
        When it cannot be opened, or is something else.
    """
    refusal = _refusal(path)
    if refusal:
        raise DatabaseUnusable(refusal)
    with explained(path):
        # Opened by the thread that starts the sandbox, used by the one that serves: never at the same time.
        connection = sqlite3.connect(
            path, timeout=_START_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            # A killed process loses nothing at NORMAL; only a power cut could, and a sandbox may bear that.
            connection.execute("PRAGMA synchronous = NORMAL")
            _check_contents(path, connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite says against a file inside the block becomes :class:`DatabaseUnusable`."""
    try:
        yield
    except sqlite3.Error as error:
        # The error codes are not told before Python 3.11.
        if "locked" in str(error):
            said = f"{path} is in use by another process: end that one, or choose another file"
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
    is_ours = 1 <= version <= SCHEMA_VERSION and found >= TABLES
    if not is_ours and (version or names):
        raise DatabaseUnusable(
            f"{path} is a database, but not one of this sandbox's: choose another file, or move it away"
        )

"""SSH keys and slugs."""

from __future__ import annotations

import sqlite3

from primepods_magic.sandbox.domain.records import SshKey

from .sql import insertion

__all__ = ["AccountTable"]

_COLUMNS = ", ".join(SshKey._fields)
_INSERTION = insertion("ssh_keys", SshKey._fields)


class AccountTable:
    """The tables `ssh_keys` and `slugs`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add_key(self, key: SshKey) -> None:
        self._connection.execute(_INSERTION, key)

    def keys(self, user_id: str) -> list[SshKey]:
        """Return a person's keys, oldest first."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM ssh_keys WHERE user_id = ? ORDER BY number",  # noqa: S608 - constants only
            (user_id,),
        )
        return [key._replace(is_primary=bool(key.is_primary)) for key in map(SshKey._make, rows)]

    def make_primary(self, user_id: str, key_id: str, now_ms: int) -> None:
        """Make one of a person's keys the only primary one."""
        self._connection.execute(
            "UPDATE ssh_keys SET is_primary = (id = ?), updated_ms = ? "
            "WHERE user_id = ? AND is_primary <> (id = ?)",
            (key_id, now_ms, user_id, key_id),
        )

    def delete_key(self, key_id: str) -> None:
        self._connection.execute("DELETE FROM ssh_keys WHERE id = ?", (key_id,))

    def slug(self, user_id: str) -> str | None:
        row = self._connection.execute("SELECT slug FROM slugs WHERE user_id = ?", (user_id,)).fetchone()
        return None if row is None else str(row[0])

    def set_slug(self, user_id: str, slug: str) -> bool:
        """Set a person's slug; return False if someone else has it."""
        try:
            self._connection.execute(
                "INSERT INTO slugs VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET slug = excluded.slug",
                (user_id, slug),
            )
        except sqlite3.IntegrityError:
            return False
        return True

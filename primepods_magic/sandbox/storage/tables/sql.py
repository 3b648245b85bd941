"""SQL fragments shared by the tables."""

from __future__ import annotations

from collections.abc import Sequence


def placeholders(count: int) -> str:
    """Return SQL placeholders.

    >>> placeholders(3)
    '?, ?, ?'
    """
    return ", ".join("?" * count)


def insertion(table: str, columns: Sequence[str]) -> str:
    """Return the INSERT statement for these columns."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({placeholders(len(columns))})"  # noqa: S608 - constants only

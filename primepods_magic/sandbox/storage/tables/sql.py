"""Pieces of SQL that several tables need."""

from __future__ import annotations

from collections.abc import Sequence


def placeholders(count: int) -> str:
    """So many placeholders.

    Example
    -------
    >>> placeholders(3)
    '?, ?, ?'
    """
    return ", ".join("?" * count)


def insertion(table: str, columns: Sequence[str]) -> str:
    """The statement that adds a row with these columns."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({placeholders(len(columns))})"  # noqa: S608 - our words

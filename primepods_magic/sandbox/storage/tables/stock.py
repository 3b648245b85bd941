"""Offers whose stock is not what the catalogue says."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from primepods_magic.sandbox.schemas.enums import StockStatus


class StockKey(NamedTuple):
    """Which offer is meant; a ``data_center`` that is not told is the empty text."""

    provider: str
    cloud_id: str
    data_center: str


class StockTable:
    """The table ``stock``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def set(self, key: StockKey, stock: StockStatus) -> None:
        """Let an offer have this stock from now on."""
        self._connection.execute(
            "INSERT INTO stock VALUES (?, ?, ?, ?) "
            "ON CONFLICT (provider, cloud_id, data_center) DO UPDATE SET stock = excluded.stock",
            (*key, stock),
        )

    def all(self) -> dict[StockKey, StockStatus]:
        """Every offer whose stock has been set."""
        rows = self._connection.execute("SELECT provider, cloud_id, data_center, stock FROM stock")
        return {StockKey(*key): stock for *key, stock in rows}

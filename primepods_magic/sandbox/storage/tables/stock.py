"""Offers with a changed stock."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from primepods_magic.sandbox.schemas.enums import StockStatus


class StockKey(NamedTuple):
    """The identity of an offer; an unknown `data_center` is empty."""

    provider: str
    cloud_id: str
    data_center: str


class StockTable:
    """The table `stock`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def set(self, key: StockKey, stock: StockStatus) -> None:
        self._connection.execute(
            "INSERT INTO stock VALUES (?, ?, ?, ?) "
            "ON CONFLICT (provider, cloud_id, data_center) DO UPDATE SET stock = excluded.stock",
            (*key, stock),
        )

    def all(self) -> dict[StockKey, StockStatus]:
        rows = self._connection.execute("SELECT provider, cloud_id, data_center, stock FROM stock")
        return {StockKey(*key): stock for *key, stock in rows}

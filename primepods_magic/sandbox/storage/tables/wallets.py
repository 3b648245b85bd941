"""Deposits and charges."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from primepods_magic.sandbox.domain.billing import MS_PER_HOUR, Charge

__all__ = ["WalletTable"]

_SPENT = f"""at_once_usd + usd_hr * (min(coalesce(until_ms, :now_ms), :now_ms) - from_ms) / {MS_PER_HOUR}.0"""


class WalletTable:
    """The tables `wallets` and `charges`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, wallet_id: str, deposited_usd: float) -> None:
        self._connection.execute("INSERT INTO wallets VALUES (?, ?, NULL)", (wallet_id, deposited_usd))

    def deposit(self, wallet_id: str, usd: float) -> None:
        """Deposit an amount, or withdraw a negative one."""
        self._connection.execute(
            "UPDATE wallets SET deposited_usd = deposited_usd + ? WHERE id = ?", (usd, wallet_id)
        )

    def charge(self, resource_id: str, wallet_id: str, charges: Iterable[Charge]) -> None:
        """Replace all charges of a resource."""
        self._connection.execute("DELETE FROM charges WHERE resource_id = ?", (resource_id,))
        self._connection.executemany(
            "INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?)",
            [(resource_id, wallet_id, *charge) for charge in charges],
        )

    def end_charges(self, resource_id: str, until_ms: int) -> None:
        """Set the end of the open-ended charges of a resource."""
        self._connection.execute(
            "UPDATE charges SET until_ms = ? WHERE resource_id = ? AND until_ms IS NULL",
            (until_ms, resource_id),
        )

    def spent_usd(self, resource_id: str, now_ms: int) -> float:
        """Return the cost of a resource by `now_ms`."""
        (spent_usd,) = self._connection.execute(
            f"SELECT coalesce(sum({_SPENT}), 0.0) FROM charges "  # noqa: S608 - constants only
            "WHERE resource_id = :resource_id AND from_ms <= :now_ms",
            {"resource_id": resource_id, "now_ms": now_ms},
        ).fetchone()
        return round(float(spent_usd), 6)

    def balance_usd(self, wallet_id: str, now_ms: int) -> float:
        """Return the balance of a wallet, which may be negative."""
        (balance_usd,) = self._connection.execute(
            f"SELECT deposited_usd - (SELECT coalesce(sum({_SPENT}), 0.0) FROM charges "  # noqa: S608 - constants only
            "WHERE wallet_id = :wallet_id AND from_ms <= :now_ms) FROM wallets WHERE id = :wallet_id",
            {"wallet_id": wallet_id, "now_ms": now_ms},
        ).fetchone()
        # Round to a hundredth of a cent, and avoid -0.0.
        return round(float(balance_usd), 4) + 0.0

    def highest_burn_usd_hr(self, wallet_id: str, now_ms: int) -> float:
        """Return an upper bound of a wallet's hourly cost from `now_ms` on, without further events."""
        (burn_usd_hr,) = self._connection.execute(
            "SELECT coalesce(sum(highest), 0.0) FROM (SELECT max(usd_hr) AS highest FROM charges "
            "WHERE wallet_id = ? AND (until_ms IS NULL OR until_ms > ?) GROUP BY resource_id)",
            (wallet_id, now_ms),
        ).fetchone()
        return float(burn_usd_hr)

    def set_next_check(self, wallet_id: str, at_ms: int | None) -> None:
        """Set until when a wallet is certainly not empty; None means forever."""
        self._connection.execute("UPDATE wallets SET look_again_ms = ? WHERE id = ?", (at_ms, wallet_id))

    def due_wallets(self, now_ms: int) -> list[str]:
        """Return the wallets that may be empty by `now_ms`."""
        rows = self._connection.execute(
            "SELECT id FROM wallets WHERE look_again_ms <= ? ORDER BY id", (now_ms,)
        )
        return [wallet_id for (wallet_id,) in rows]

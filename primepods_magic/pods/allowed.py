"""Asking for what a key may not see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from primepods_magic.api.account import Wallet
from primepods_magic.api.errors import NotFound, PermissionDenied

from .connection import Connection

__all__ = ["if_allowed", "latest_billings"]

T = TypeVar("T")
_MOST_BILLINGS = 100


def if_allowed(ask: Callable[[], T]) -> T | None:
    """The answer, or ``None`` where the key may not ask."""
    try:
        return ask()
    except (PermissionDenied, NotFound):
        return None


def latest_billings(connection: Connection, team_id: str | None) -> Wallet | None:
    """A wallet, mine or a team's, with what it was billed last, or ``None`` where the key may not see it."""
    return if_allowed(lambda: connection.client.wallet(team_id=team_id, limit=_MOST_BILLINGS))

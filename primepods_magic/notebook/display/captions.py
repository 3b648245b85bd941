"""The line above a frame: its source, its number of rows, and a sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["DISKS_UNSEEN", "OWNERS_UNKNOWN", "TEAMS_UNSEEN", "caption"]

DISKS_UNSEEN = "disks not counted: your key may not list them"
OWNERS_UNKNOWN = "not known to be yours: the service does not say who you are, or whose they are"
TEAMS_UNSEEN = "teams without live pods or disks of yours not counted: your key may not list teams"


def caption(connection: Connection, shown: int, total: int, noun: str, *more: str) -> str:
    """Format a caption such as ``sandbox · 20 of 143 pods · $5.41/h``."""
    number = f"{shown}" if shown == total else f"{shown} of {total}"
    return " · ".join([connection.label, f"{number} {noun}{'' if total == 1 else 's'}", *more])

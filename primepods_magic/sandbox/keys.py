"""The keys that exist in a sandbox: whose they are, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Request

from .people import ADA, CHARLES, Person

Area = Literal["instances", "availability", "disks"]
"""What a permission is about, as ``whoami`` names it."""

AREAS: tuple[Area, ...] = ("instances", "availability", "disks")


@dataclass(frozen=True)
class Key:
    """Somebody's key.

    Parameters
    ----------
    person:
        Whose it is.
    reads, writes:
        The areas that it may read, and change. What belongs to no area needs ``writes`` of any to be changed.
    """

    person: Person
    reads: frozenset[Area] = frozenset(AREAS)
    writes: frozenset[Area] = frozenset({"instances", "disks"})


BUILT_IN_KEYS: dict[str, Key] = {
    "sandbox": Key(ADA),
    "sandbox-read": Key(ADA, writes=frozenset()),
    "sandbox-pods": Key(ADA, reads=frozenset({"instances", "availability"}), writes=frozenset({"instances"})),
    "sandbox-teammate": Key(CHARLES),
}
"""Everybody knows them, so they are for this computer alone."""


async def _key(request: Request) -> Key:
    key: Key = request.state.key
    return key


TheKey = Annotated[Key, Depends(_key)]
"""How a route asks who is asking."""

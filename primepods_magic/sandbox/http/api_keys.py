"""The keys that exist in a sandbox: whose they are, and what they may do."""

from __future__ import annotations

import hmac
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, Request

from primepods_magic.sandbox.domain.users import ADA, CHARLES, Person

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


SHORTEST_KEY = 16

_MAY_READ: dict[str, Key] = {"": Key(ADA), "read": Key(ADA, writes=frozenset())}


def read_keys(path: Path) -> dict[str, Key]:
    """Keys of one's own, from a file.

    Parameters
    ----------
    path:
        One key a line, ``read`` behind one that may only read; what begins with ``#`` is a remark.

    Raises
    ------
    ValueError
        When there is none, one is short or written wrongly, or others may read the file. No key is told.
    OSError
        When the file cannot be read.
    """
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"others may read the keys in {path}: chmod 600 {path}")
    found: dict[str, Key] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text, _, may = line.strip().partition(" ")
        if not text or text.startswith("#"):
            continue
        key = _MAY_READ.get(may.strip())
        if key is None:
            raise ValueError(f"{path}, line {number}: behind a key there may be 'read' and nothing else")
        if len(text) < SHORTEST_KEY or not text.isascii():
            raise ValueError(f"{path}, line {number}: a key has {SHORTEST_KEY} or more ASCII characters")
        found[text] = key
    if not found:
        raise ValueError(f"there is no key in {path}")
    return found


def find_key(keys: Mapping[str, Key], sent: str) -> Key | None:
    """The key that was sent, in a time that does not tell how much of it is right."""
    found = None
    for text, key in keys.items():
        if hmac.compare_digest(text.encode(), sent.encode()):
            found = key
    return found


async def _key(request: Request) -> Key:
    key: Key = request.state.key
    return key


TheKey = Annotated[Key, Depends(_key)]
"""How a route asks who is asking."""

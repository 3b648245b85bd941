"""The API keys of a sandbox: their owners and permissions."""

from __future__ import annotations

import hmac
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, Request

from primepods_magic.sandbox.domain.users import ADA, CHARLES, Person

__all__ = ["AREAS", "BUILT_IN_KEYS", "Area", "Key", "KeyDep", "find_key", "read_keys"]

Area = Literal["instances", "availability", "disks"]
"""The areas of permissions, as `whoami` names them."""

AREAS: tuple[Area, ...] = ("instances", "availability", "disks")


@dataclass(frozen=True)
class Key:
    """An API key: its owner and the areas it may read and change. Other changes need any of `writes`."""

    person: Person
    reads: frozenset[Area] = frozenset(AREAS)
    writes: frozenset[Area] = frozenset({"instances", "disks"})


BUILT_IN_KEYS: dict[str, Key] = {
    "sandbox": Key(ADA),
    "sandbox-read": Key(ADA, writes=frozenset()),
    "sandbox-pods": Key(ADA, reads=frozenset({"instances", "availability"}), writes=frozenset({"instances"})),
    "sandbox-teammate": Key(CHARLES),
}
"""Publicly known keys, valid on this computer only."""


MIN_KEY_LENGTH = 16

_KEYS_BY_SCOPE: dict[str, Key] = {"": Key(ADA), "read": Key(ADA, writes=frozenset())}


def read_keys(path: Path) -> dict[str, Key]:
    """Read a file with one key per line; raise ValueError, without quoting a key, if it is unusable."""
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"other users can read the keys in {path}. Run: chmod 600 {path}")
    keys: dict[str, Key] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text, _, scope = line.strip().partition(" ")
        if not text or text.startswith("#"):
            continue
        key = _KEYS_BY_SCOPE.get(scope.strip())
        if key is None:
            raise ValueError(f"{path}, line {number}: only 'read' may follow a key")
        if len(text) < MIN_KEY_LENGTH or not text.isascii():
            raise ValueError(f"{path}, line {number}: a key needs at least {MIN_KEY_LENGTH} ASCII characters")
        keys[text] = key
    if not keys:
        raise ValueError(f"{path} contains no keys")
    return keys


def find_key(keys: Mapping[str, Key], sent: str) -> Key | None:
    """Find a key in constant time."""
    match = None
    for text, key in keys.items():
        if hmac.compare_digest(text.encode(), sent.encode()):
            match = key
    return match


async def _get_key(request: Request) -> Key:
    key: Key = request.state.key
    return key


KeyDep = Annotated[Key, Depends(_get_key)]
"""The key of the current request."""

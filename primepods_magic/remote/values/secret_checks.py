"""Values that may be secrets, by their names and by the form of their text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from primepods_magic.api.secrets.names import sounds_secret

__all__ = ["find_secrets"]

# As services write their keys. Text that only looks random is also a hash or an id.
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|sk-[\w-]{20,}"
    r"|xox[abposr]-[\w-]{10,}|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|glpat-[\w-]{20,}|pit_[A-Za-z0-9]{20,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{5,}|-----BEGIN [A-Z ]*PRIVATE KEY-----)"
)
_MAX_VALUES = 100_000
_MAX_DEPTH = 20
_MAX_CHARS = 1_000_000


def find_secrets(name: str, value: Any) -> list[str]:
    """Return the places of text that may be a secret in a value, at most ten.

    >>> find_secrets("config", {"lr": 0.1, "api_key": "abc"}), find_secrets("tokens", [1, 2])
    (["config['api_key']"], [])
    """
    found: list[str] = []
    for count, (place, key, text) in enumerate(_list_texts(name, name, value, 0)):
        if (text and sounds_secret(key)) or _KEYS.search(text[:_MAX_CHARS]):
            found.append(place)
        if count >= _MAX_VALUES or len(found) >= 10:
            break
    return found


def _list_texts(place: str, key: str, value: Any, depth: int) -> Iterator[tuple[str, str, str]]:
    """Yield the place, the last name on the way, and the text of each text in a value."""
    if isinstance(value, str):
        yield place, key, value
    elif isinstance(value, (bytes, bytearray)):
        yield place, key, bytes(value[:_MAX_CHARS]).decode("latin-1")
    elif hasattr(value, "get_secret_value"):
        yield place, "secret", "secret"
    elif depth >= _MAX_DEPTH:
        return
    elif isinstance(value, Mapping):
        for name, each in value.items():
            word = name if isinstance(name, str) else key
            yield from _list_texts(f"{place}[{name!r:.60}]", word, each, depth + 1)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, each in enumerate(value):
            # Tokens of a text are no secrets; a key among them has its form.
            yield from _list_texts(f"{place}[{index}]", "", each, depth + 1)
    elif hasattr(type(value), "__dataclass_fields__"):
        for name in type(value).__dataclass_fields__:
            yield from _list_texts(f"{place}.{name}", name, getattr(value, name, None), depth + 1)

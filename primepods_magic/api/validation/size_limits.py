"""Size limits of what users pass in, checked before anything else reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from pydantic import SecretStr

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize

__all__ = ["LONGEST_TEXT", "check_size", "shorten_word"]

LONGEST_TEXT = 100_000
"""Maximum number of characters in the text of a spec."""

MAX_NUMBER = 10**9
_MAX_WORD = 60
_MAX_CHARACTERS = 1_000_000
_MAX_VALUES = 20_000
_MAX_LEVELS = 20


def shorten_word(word: object) -> str:
    r"""Shorten a user's key or word to one line for a message.

    >>> shorten_word("gpu\n" + "x" * 1000)
    'gpu xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'
    """
    text = sanitize(word[: 4 * _MAX_WORD] if isinstance(word, str) else type(word).__name__)
    return text if len(text) <= _MAX_WORD else f"{text[: _MAX_WORD - 1]}…"


def check_size(value: object) -> None:
    """Raise InvalidRequest if a spec has too many values, is nested too deeply, or is too long.

    >>> check_size({"gpu": "H100_80GB", "env": {"A": "1"}})
    """
    characters = values = 0
    # Not recursive: a value may contain itself.
    rest: list[tuple[object, int]] = [(value, 0)]
    while rest:
        item, level = rest.pop()
        values += 1
        if isinstance(item, (str, bytes, SecretStr)):
            characters += len(item)
        elif isinstance(item, int) and abs(item) > MAX_NUMBER:
            raise InvalidRequest(f"A number is above {MAX_NUMBER:,}. Nothing was sent")
        elif isinstance(item, Iterator):
            raise InvalidRequest(f"A {type(item).__name__} is not a list. Nothing was sent")
        elif isinstance(item, (Mapping, list, tuple, Set)) and len(item) > _MAX_VALUES:
            raise InvalidRequest("The spec is too large. Nothing was sent")
        elif isinstance(item, Mapping):
            for key in item:
                if not isinstance(key, str):
                    raise InvalidRequest(f"A key must be text, not {_describe_key(key)}. Nothing was sent")
                characters += len(key)
            rest += ((one, level + 1) for one in item.values())
        elif isinstance(item, (list, tuple, Set)):
            rest += ((one, level + 1) for one in item)
        if level > _MAX_LEVELS:
            raise InvalidRequest("The spec is nested too deeply. Nothing was sent")
        if values + len(rest) > _MAX_VALUES or characters > _MAX_CHARACTERS:
            raise InvalidRequest("The spec is too large. Nothing was sent")


def _describe_key(key: object) -> str:
    if key is None or isinstance(key, (bool, float)):
        return str(key)
    return f"a {type(key).__name__}"

"""Limits on what a person may ask for, checked before anything else looks at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from pydantic import SecretStr

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.text.sanitize import sanitize

__all__ = ["LONGEST_TEXT", "check_size", "shorten_word"]

LONGEST_TEXT = 100_000
"""Characters in the text of a spec."""

LARGEST_NUMBER = 10**9
_LONGEST_WORD = 60
_MOST_CHARACTERS = 1_000_000
_MOST_VALUES = 20_000
_MOST_LEVELS = 20


def shorten_word(word: object) -> str:
    """Return a key or another word of a person for a message: on one line, and not long.

    >>> shorten_word("gpu\\n" + "x" * 1000)
    'gpu xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'
    """
    text = sanitize(word[: 4 * _LONGEST_WORD] if isinstance(word, str) else type(word).__name__)
    return text if len(text) <= _LONGEST_WORD else f"{text[: _LONGEST_WORD - 1]}…"


def check_size(value: object) -> None:
    """Check that a request is of keys and values that are not too many, too deep or too long.

    Parameters
    ----------
    value : object
        A mapping, as parsed from a text or given in Python.

    Raises
    ------
    InvalidRequest
        It is not. Nothing was sent.

    Examples
    --------
    >>> check_size({"gpu": "H100_80GB", "env": {"A": "1"}})
    """
    characters = values = 0
    # Not by recursion: of what contains itself there is no end.
    rest: list[tuple[object, int]] = [(value, 0)]
    while rest:
        item, level = rest.pop()
        values += 1
        if isinstance(item, (str, bytes, SecretStr)):
            characters += len(item)
        elif isinstance(item, int) and abs(item) > LARGEST_NUMBER:
            raise InvalidRequest(f"A number is above {LARGEST_NUMBER:,}. Nothing was sent")
        elif isinstance(item, Iterator):
            raise InvalidRequest(f"A {type(item).__name__} is not a list. Nothing was sent")
        elif isinstance(item, (Mapping, list, tuple, Set)) and len(item) > _MOST_VALUES:
            raise InvalidRequest("The spec is too large. Nothing was sent")
        elif isinstance(item, Mapping):
            for key in item:
                if not isinstance(key, str):
                    raise InvalidRequest(f"A key must be a word, not {_describe_key(key)}. Nothing was sent")
                characters += len(key)
            rest += ((one, level + 1) for one in item.values())
        elif isinstance(item, (list, tuple, Set)):
            rest += ((one, level + 1) for one in item)
        if level > _MOST_LEVELS:
            raise InvalidRequest("The spec is nested too deeply. Nothing was sent")
        if values + len(rest) > _MOST_VALUES or characters > _MOST_CHARACTERS:
            raise InvalidRequest("The spec is too large. Nothing was sent")


def _describe_key(key: object) -> str:
    if key is None or isinstance(key, (bool, float)):
        return str(key)
    return f"a {type(key).__name__}"

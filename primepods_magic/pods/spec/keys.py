"""Keys of a spec that know where they were written, so that a message can say it."""

from __future__ import annotations

from collections.abc import Mapping

from primepods_magic.api.validation.size_limits import shorten_word

from .fields import SPEC_FIELDS

__all__ = ["SpecKey", "describe_place", "name_key", "use_flags"]


class SpecKey(str):
    """A key of a spec as it was written: in a line of a body, or as a flag."""

    line: int | None
    """Number of the line, from 1; ``None`` for a flag."""
    shown: str
    """How messages name the key."""

    def __new__(cls, key: str, *, line: int | None = None, shown: str = "") -> SpecKey:
        self = super().__new__(cls, key)
        self.line, self.shown = line, shown or key
        return self


def use_flags(values: Mapping[str, object]) -> dict[str, object]:
    """Return the values of flags by their keys, whose messages name the flags.

    >>> [key.shown for key in use_flags({"max_price": "3"})]
    ['--max-price']
    """
    return {
        # A flag that may be repeated, and was not.
        SpecKey(key, shown=SPEC_FIELDS[key].flag): value[0]
        if SPEC_FIELDS[key].takes_several and isinstance(value, list) and len(value) == 1
        else value
        for key, value in values.items()
    }


def describe_place(key: object) -> str:
    """Return the beginning of a message about a key: its line, if it has one.

    >>> describe_place(SpecKey("gpu", line=3)), describe_place("gpu")
    ('Line 3: ', '')
    """
    line = getattr(key, "line", None)
    return f"Line {line}: " if line else ""


def name_key(key: object) -> str:
    """Return the name of a key in messages."""
    return shorten_word(getattr(key, "shown", key))

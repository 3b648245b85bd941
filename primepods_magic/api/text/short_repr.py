"""A short ``repr`` for models and dataclasses: one line, without what is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from .instants import format_instant
from .sanitize import sanitize, shorten

__all__ = ["MAX_REPR_CHARS", "ShortRepr", "shorten_repr"]

MAX_REPR_CHARS = 100
_MAX_VALUE_CHARS = 40


def shorten_repr(text: object) -> str:
    """Return text for a ``repr``: clean, on one line, in at most 100 characters."""
    return shorten(sanitize(text), MAX_REPR_CHARS)


class ShortRepr:
    """A mixin whose ``repr`` names the class and its first values, in at most 100 characters.

    Text from the service is sanitized. A dataclass needs ``repr=False``, as it would write its own.

    >>> from dataclasses import dataclass
    >>> @dataclass(repr=False)
    ... class Row(ShortRepr):
    ...     name: str
    ...     price: float | None = None
    ...     prices: tuple[float, ...] = ()
    >>> Row("train", prices=(1.0, 2.0)), len(repr(Row("x" * 1000)))
    (Row(name='train', prices=<2>), 52)
    """

    def __repr__(self) -> str:
        text = type(self).__name__ + "("
        for number, (name, value) in enumerate(self._list_values()):
            part = f"{', ' if number else ''}{name}={_format_value(value)}"
            if len(text) + len(part) > MAX_REPR_CHARS - 4:
                return f"{text}{', ' if number else ''}…)"
            text += part
        return f"{text})"

    def _list_values(self) -> Iterable[tuple[str, Any]]:
        if is_dataclass(self):
            pairs: Iterable[tuple[str, Any]] = (
                (field.name, getattr(self, field.name)) for field in fields(self) if field.repr
            )
        else:
            pairs = self.__repr_args__()  # type: ignore[attr-defined]
        return ((name, value) for name, value in pairs if not _is_missing(value))


def _is_missing(value: object) -> bool:
    return value is None or value is False or (isinstance(value, Collection) and not len(value))


def _format_value(value: object) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return f"'{shorten(sanitize(value), _MAX_VALUE_CHARS)}'"
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, Collection):
        return f"<{len(value)}>"
    return shorten(sanitize(repr(value)), _MAX_VALUE_CHARS)

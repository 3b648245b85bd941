"""Validation of numbers and words that callers pass, before anything is sent or computed."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable
from numbers import Real
from typing import overload

from primepods_magic.api.errors import InvalidRequest

__all__ = [
    "MAX_COUNT",
    "MAX_SECONDS",
    "check_amount",
    "check_choice",
    "check_count",
    "check_flags",
    "check_kind",
    "check_price",
    "check_seconds",
    "page_params",
    "plain_number",
    "sorting_params",
]

MAX_COUNT = 10**12
MAX_SECONDS = 30 * 24 * 3600.0
"""Limit of some systems' locks, roughly."""
_PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@overload
def check_count(name: str, value: int, minimum: int = 1) -> int: ...
@overload
def check_count(name: str, value: int | None, minimum: int = 1) -> int | None: ...
def check_count(name: str, value: int | None, minimum: int = 1) -> int | None:
    """Return a whole number within bounds, or ``None``; raise InvalidRequest otherwise.

    >>> check_count("limit", 3), check_count("tail", None)
    (3, None)
    """
    if value is None:
        return None
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if not minimum <= number <= MAX_COUNT:
        raise InvalidRequest(
            f"'{name}' must be a whole number from {minimum} to {MAX_COUNT:,}. Nothing was done"
        )
    return number


def check_seconds(name: str, value: float, *, may_be_zero: bool = False) -> float:
    """Return a duration in seconds, above 0 and at most 30 days."""
    number = _read_number(value)
    if not 0 <= number <= MAX_SECONDS or (number == 0 and not may_be_zero):
        bounds = "from 0 to" if may_be_zero else "above 0 and at most"
        raise InvalidRequest(
            f"'{name}' must be a number of seconds {bounds} {MAX_SECONDS:,.0f} (30 days). Nothing was done"
        )
    return number


def check_price(name: str, value: float | None) -> float | None:
    """Return an amount in USD above 0, or ``None``."""
    if value is None:
        return None
    number = _read_number(value)
    if not 0 < number < math.inf:
        raise InvalidRequest(f"'{name}' must be an amount of USD above 0, such as 2.50. Nothing was done")
    return number


def check_amount(name: str, value: float) -> float:
    """Return a finite number of at least 0."""
    number = _read_number(value)
    if not 0 <= number < math.inf:
        raise InvalidRequest(f"'{name}' must be a finite number of at least 0. Nothing was done")
    return number


def check_flags(**flags: bool) -> None:
    """Refuse anything but True and False: the text "false" would count as true.

    >>> check_flags(yes=True, new=False)
    """
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise InvalidRequest(f"'{name}' must be True or False. Nothing was done")


def check_choice(name: str, value: str, known: Iterable[str]) -> str:
    """Return a word if it is one of those known."""
    words = tuple(known)
    if value not in words:
        raise InvalidRequest(f"'{name}' must be {' or '.join(map(repr, words))}. Nothing was done")
    return value


def check_kind(name: str, value: object, *, is_right: bool, form: str) -> None:
    """Refuse a value of the wrong type, unless it is ``None``; do not show it, as it may be secret."""
    if value is not None and not is_right:
        raise InvalidRequest(
            f"'{name}' must be {form}. It is of type {type(value).__name__}. Nothing was sent"
        )


def plain_number(text: str) -> float | None:
    """Parse a number in plain digits; Python also accepts ``2_5``, spaces and other scripts' digits.

    >>> plain_number("2.50"), plain_number("1e3"), plain_number("2_5"), plain_number(" 5"), plain_number("５")
    (2.5, 1000.0, None, None, None)
    """
    return float(text) if _PLAIN_NUMBER.fullmatch(text) else None


def page_params(limit: int, offset: int) -> dict[str, int]:
    """Return the validated query parameters for a page of a list."""
    return {"limit": check_count("limit", limit), "offset": check_count("offset", offset, 0)}


def sorting_params(sort_by: str, sort_order: str) -> dict[str, str]:
    """Return the validated query parameters for the order of the history."""
    return {
        "sort_by": check_choice("sort_by", sort_by, ("terminatedAt", "createdAt")),
        "sort_order": check_choice("sort_order", sort_order, ("asc", "desc")),
    }


def _read_number(value: object) -> float:
    """Return a number as a float; for anything else NaN, which is outside all bounds."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf

"""Bounds of the numbers and words that a caller gives, checked before anything is sent or computed."""

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
"""Locks of some systems cannot wait for much longer."""
_PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


@overload
def check_count(name: str, value: int, least: int = 1) -> int: ...
@overload
def check_count(name: str, value: int | None, least: int = 1) -> int | None: ...
def check_count(name: str, value: int | None, least: int = 1) -> int | None:
    """Return a whole number that is large enough, or ``None``.

    Raises
    ------
    InvalidRequest
        It is not a whole number, or too small or too large.

    Examples
    --------
    >>> check_count("limit", 3), check_count("tail", None)
    (3, None)
    """
    if value is None:
        return None
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    if not least <= number <= MAX_COUNT:
        raise InvalidRequest(
            f"'{name}' must be a whole number from {least} to {MAX_COUNT:,}. Nothing was done"
        )
    return number


def check_seconds(name: str, value: float, *, may_be_zero: bool = False) -> float:
    """Return a length of time in seconds.

    Raises
    ------
    InvalidRequest
        It is not a number above 0 (or 0, if that is allowed), or is longer than 30 days.
    """
    number = _read_number(value)
    if not 0 <= number <= MAX_SECONDS or (number == 0 and not may_be_zero):
        bounds = "from 0 to" if may_be_zero else "above 0 and at most"
        raise InvalidRequest(
            f"'{name}' must be a number of seconds {bounds} {MAX_SECONDS:,.0f} (30 days). Nothing was done"
        )
    return number


def check_price(name: str, value: float | None) -> float | None:
    """Return an amount of money in USD, or ``None``.

    Raises
    ------
    InvalidRequest
        It is not a finite number above 0.
    """
    if value is None:
        return None
    number = _read_number(value)
    if not 0 < number < math.inf:
        raise InvalidRequest(f"'{name}' must be an amount of USD above 0, such as 2.50. Nothing was done")
    return number


def check_amount(name: str, value: float) -> float:
    """Return a finite number that is not below 0.

    Raises
    ------
    InvalidRequest
        It is not.
    """
    number = _read_number(value)
    if not 0 <= number < math.inf:
        raise InvalidRequest(f"'{name}' must be a finite number from 0 on. Nothing was done")
    return number


def check_flags(**flags: bool) -> None:
    """Refuse what is not True or False itself: any text is true, "false" as well.

    Raises
    ------
    InvalidRequest
        One of them is something else.

    Examples
    --------
    >>> check_flags(yes=True, new=False)
    """
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise InvalidRequest(f"'{name}' must be True or False. Nothing was done")


def check_choice(name: str, value: str, known: Iterable[str]) -> str:
    """Return a word that is one of those known.

    Raises
    ------
    InvalidRequest
        It is not.
    """
    words = tuple(known)
    if value not in words:
        raise InvalidRequest(f"'{name}' must be {' or '.join(map(repr, words))}. Nothing was done")
    return value


def check_kind(name: str, value: object, *, is_right: bool, form: str) -> None:
    """Refuse what is of another kind than an argument is; ``None`` leaves the argument out.

    Parameters
    ----------
    name : str
        The argument.
    value : object
        What was given. It is not shown: it may hold secrets.
    is_right : bool
        It is of the right kind.
    form : str
        What would be right, in words.

    Raises
    ------
    InvalidRequest
        It is of another kind.
    """
    if value is not None and not is_right:
        raise InvalidRequest(
            f"'{name}' must be {form}. It is of type {type(value).__name__}. Nothing was sent"
        )


def plain_number(text: str) -> float | None:
    """Return the number that a text is in plain digits, or ``None``. Python itself also reads ``2_5``, white
    space, and the digits of other scripts.

    >>> plain_number("2.50"), plain_number("1e3"), plain_number("2_5"), plain_number(" 5"), plain_number("５")
    (2.5, 1000.0, None, None, None)
    """
    return float(text) if _PLAIN_NUMBER.fullmatch(text) else None


def page_params(limit: int, offset: int) -> dict[str, int]:
    """Return the parameters of a page of a list, checked."""
    return {"limit": check_count("limit", limit), "offset": check_count("offset", offset, 0)}


def sorting_params(sort_by: str, sort_order: str) -> dict[str, str]:
    """Return the parameters of the order of the history, checked."""
    return {
        "sort_by": check_choice("sort_by", sort_by, ("terminatedAt", "createdAt")),
        "sort_order": check_choice("sort_order", sort_order, ("asc", "desc")),
    }


def _read_number(value: object) -> float:
    """A number as a float; of what is none, NaN, which is within no bounds."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf

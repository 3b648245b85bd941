"""Field types that accept whatever the service sends and never fail a whole answer for one field.

A value that cannot be read as its type becomes ``None``: the page's example sends numbers as text,
the published document sends them as numbers, and both drift.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timezone
from enum import Enum
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from .text import whole_characters

__all__ = [
    "Answer",
    "Flag",
    "Number",
    "Text",
    "Timestamp",
    "Whole",
    "may_be_shown",
    "number_in",
    "rows_of",
    "text_in",
    "timestamp_in",
    "whole_in",
    "word",
]

_SECRET_WORDS = frozenset(
    "password passwd secret secrets token tokens credential credentials key keys env".split()
)
_datetime = TypeAdapter(datetime)
_INT64 = 2**63
_E = TypeVar("_E", bound=Enum)


class Answer(BaseModel):
    """Base of everything the service says: camelCase on the wire, unknown keys are kept."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="allow",
        frozen=True,
        hide_input_in_errors=True,
    )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # Nobody knows what a field beyond the documents holds; it may be a token.
        known = type(self).model_fields
        return [(name, value) for name, value in super().__repr_args__() if name in known]


def text_in(value: object) -> str | None:
    """A text of whole characters, so that it can be sent back, or a number as text."""
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return None


def number_in(value: object) -> float | None:
    """A finite number, also where it comes as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def whole_in(value: object) -> int | None:
    """A whole number of 64 bits, also where it comes as text."""
    number = number_in(value)
    if number is None or not number.is_integer() or abs(number) >= _INT64:
        return None
    return int(number)


def _flag(value: object) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def timestamp_in(value: object) -> datetime | None:
    """Read RFC 3339 and its relatives; a time without a zone is UTC."""
    if not isinstance(value, (str, datetime)):
        return None
    try:
        moment = _datetime.validate_python(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return moment.astimezone(timezone.utc)
    except (ValidationError, OverflowError):
        return None


Text = Annotated[str | None, BeforeValidator(text_in)]
Number = Annotated[float | None, BeforeValidator(number_in)]
Whole = Annotated[int | None, BeforeValidator(whole_in)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]
Timestamp = Annotated[datetime | None, BeforeValidator(timestamp_in)]


def word(enum: type[_E], value: object, synonyms: dict[str, _E] | None = None) -> _E | str | None:
    """Read one of the API's words; an unknown one is kept as the text it is.

    >>> from primepods_magic.api.vocabulary import PodStatus
    >>> word(PodStatus, "active") is PodStatus.ACTIVE, word(PodStatus, "MIGRATING")
    (True, 'MIGRATING')
    """
    text = text_in(value)
    if text is None:
        return None
    upper = text.strip().upper()
    if synonyms and upper in synonyms:
        return synonyms[upper]
    return enum.__members__.get(upper, text)


def may_be_shown(name: str, value: object) -> bool:
    """Whether a field beyond the documents is a single value, and its name (in snake_case) does not sound
    like a secret's.

    >>> may_be_shown("region", "eu"), may_be_shown("api_token", "s3cr3t"), may_be_shown("tags", [])
    (True, False, False)
    """
    return isinstance(value, (str, int, float)) and _SECRET_WORDS.isdisjoint(name.split("_"))


def rows_of(value: object) -> list[Any]:
    """The objects in a list; anything else in it, or instead of it, is passed over."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []

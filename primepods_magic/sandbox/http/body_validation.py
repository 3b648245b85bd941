"""What JSON can hold and no field may: text that is not Unicode, and numbers that are not finite."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError

# In the words of pydantic, which finds some of these by itself, but not in every field and kind of text.
_NOT_UNICODE = (
    "string_unicode",
    "Input should be a valid string, unable to parse raw data as a unicode string",
)
_NOT_FINITE = ("finite_number", "Input should be a finite number")

_Location = tuple[str | int, ...]


async def sound_body(request: Request) -> None:
    """Refuse a body that could not be answered with, or that compares like no number.

    Every field is looked at, the unknown ones too.

    Raises
    ------
    RequestValidationError
        Naming each place.
    """
    try:
        sent = json.loads(await request.body() or "null")
    except (ValueError, RecursionError):
        # What is not JSON is refused where the body is read.
        return
    problems = [
        {"loc": location, "msg": message, "type": kind} for location, (kind, message) in _unsound(sent)
    ]
    if problems:
        raise RequestValidationError(problems)


def _unsound(sent: Any) -> Iterator[tuple[_Location, tuple[str, str]]]:
    # Not recursive: JSON may be nested more deeply than Python likes to call. The list grows on the way.
    found: list[tuple[_Location, Any]] = [(("body",), sent)]
    for location, value in found:
        if isinstance(value, dict):
            # Such a name cannot be repeated in the answer either, so what holds it is named.
            if not all(map(_is_unicode, value)):
                yield location, _NOT_UNICODE
            found += [((*location, name), below) for name, below in value.items() if _is_unicode(name)]
        elif isinstance(value, list):
            found += [((*location, index), below) for index, below in enumerate(value)]
        elif isinstance(value, str) and not _is_unicode(value):
            yield location, _NOT_UNICODE
        elif isinstance(value, float) and not math.isfinite(value):
            yield location, _NOT_FINITE


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)

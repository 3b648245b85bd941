"""Validation of values that JSON allows and no field does: invalid Unicode, non-finite numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError

__all__ = ["validate_body"]

# pydantic's messages; it finds some of these itself, but not in every field.
_NOT_UNICODE = (
    "string_unicode",
    "Input should be a valid string, unable to parse raw data as a unicode string",
)
_NOT_FINITE = ("finite_number", "Input should be a finite number")

_Location = tuple[str | int, ...]


async def validate_body(request: Request) -> None:
    """Reject bodies with invalid Unicode or non-finite numbers, also in unknown fields."""
    try:
        body = json.loads(await request.body() or "null")
    except (ValueError, RecursionError):
        # FastAPI rejects invalid JSON itself.
        return
    problems = [
        {"loc": location, "msg": message, "type": kind} for location, (kind, message) in _find_problems(body)
    ]
    if problems:
        raise RequestValidationError(problems)


def _find_problems(body: Any) -> Iterator[tuple[_Location, tuple[str, str]]]:
    # Iterate instead of recursing, for deeply nested JSON. The list grows during the loop.
    pending: list[tuple[_Location, Any]] = [(("body",), body)]
    for location, value in pending:
        if isinstance(value, dict):
            # The invalid name cannot be part of the response, so report the object that holds it.
            if not all(map(_is_unicode, value)):
                yield location, _NOT_UNICODE
            pending += [((*location, name), item) for name, item in value.items() if _is_unicode(name)]
        elif isinstance(value, list):
            pending += [((*location, index), item) for index, item in enumerate(value)]
        elif isinstance(value, str) and not _is_unicode(value):
            yield location, _NOT_UNICODE
        elif isinstance(value, float) and not math.isfinite(value):
            yield location, _NOT_FINITE


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)

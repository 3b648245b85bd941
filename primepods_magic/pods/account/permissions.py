"""Requests that a key may not be allowed to make."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from primepods_magic.api.errors import NotFound, PermissionDenied

__all__ = ["none_if_forbidden"]

T = TypeVar("T")


def none_if_forbidden(ask: Callable[[], T]) -> T | None:
    """Return the response, or None if the key may not ask."""
    try:
        return ask()
    except (PermissionDenied, NotFound):
        return None

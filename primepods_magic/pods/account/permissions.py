"""Asking for what a key may not see."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from primepods_magic.api.errors import NotFound, PermissionDenied

__all__ = ["none_if_forbidden"]

T = TypeVar("T")


def none_if_forbidden(ask: Callable[[], T]) -> T | None:
    """The answer, or ``None`` where the key may not ask."""
    try:
        return ask()
    except (PermissionDenied, NotFound):
        return None

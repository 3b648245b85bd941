"""Paths of the service: ids as parts of them, and paths of which a service has one or the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

from primepods_magic.api.errors import InvalidRequest, RequestRefused

__all__ = ["quote_id", "try_both"]

T = TypeVar("T")
_NO_SUCH_PATH = (404, 405)


def quote_id(text: str) -> str:
    """Return an id as one part of a path; none leads to another place.

    Raises
    ------
    InvalidRequest
        It is empty or made of dots.

    Examples
    --------
    >>> quote_id("a/../b")
    'a%2F..%2Fb'
    """
    if not text.strip("."):
        raise InvalidRequest("An id is empty or made of dots. Nothing was sent")
    return quote(text, safe="", errors="surrogatepass")


def try_both(first: Callable[[], T], second: Callable[[], T]) -> tuple[T, bool]:
    """Return what the first of two calls returns whose path the service has, and whether that is the second.

    Parameters
    ----------
    first, second : callable
        The calls.

    Raises
    ------
    RequestRefused
        Both are refused. If the service has neither path, the first refusal is raised.
    """
    try:
        return first(), False
    except RequestRefused as refused:
        if refused.status_code not in _NO_SUCH_PATH:
            raise
        try:
            return second(), True
        except RequestRefused as other:
            raise (refused if other.status_code in _NO_SUCH_PATH else other) from None

"""URL paths: quoting of ids, and a fallback for paths that differ between services."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

from primepods_magic.api.errors import InvalidRequest, RequestRefused

__all__ = ["quote_id", "try_both"]

T = TypeVar("T")
_NO_SUCH_PATH = (404, 405)


def quote_id(text: str) -> str:
    """Return an id quoted as one path segment; raise InvalidRequest if it is empty or only dots.

    >>> quote_id("a/../b")
    'a%2F..%2Fb'
    """
    if not text.strip("."):
        raise InvalidRequest("The id is empty or consists of dots. Nothing was sent")
    return quote(text, safe="", errors="surrogatepass")


def try_both(first: Callable[[], T], second: Callable[[], T]) -> tuple[T, bool]:
    """Call ``first``, or ``second`` if the service lacks its path; return the result and which it was.

    If the service has neither path, raise the first refusal.
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

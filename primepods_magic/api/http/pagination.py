"""Reading a whole list, and proving that nothing in it is missing.

A list that one answer holds is proven by that answer. A longer one is asked for in one answer with a larger
limit. Where the service grants fewer rows, each page begins with the row that the page before ended with, and
all pages are read twice: rows that moved between two pages show in one way or the other. A list that moves is
read again, a few times. What cannot be proven is an error, and never a shorter list.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from primepods_magic.api.errors import InvalidRequest, RequestRefused, UnexpectedAnswer
from primepods_magic.api.fields.lenient_types import ApiModel

from .parsing import read_page

__all__ = ["ListPage", "is_nothing", "read_list_page", "read_pages", "read_whole_list"]

A = TypeVar("A", bound=ApiModel)

STANDARD_ROWS = 100
"""The published default of a page, which every service grants."""
_WIDE_ROWS = 1000
# Far above what an account has, and far below what fills the memory.
_MAX_ROWS = 10_000
_MAX_BYTES = 64 * 2**20
_MAX_REQUESTS = 300
_MAX_READS = 5
_REFUSES_LIMIT = (400, 422)


@dataclass(frozen=True)
class ListPage(Generic[A]):
    """A page of a list.

    Parameters
    ----------
    rows : list
        As they came.
    total : int, optional
        How many rows the service says that there are in all; ``None`` for what cannot be a count of these.
    granted_rows : int, optional
        The limit that the service says it applied.
    size_bytes : int
        About the size of the answer.
    """

    rows: list[A]
    total: int | None
    granted_rows: int | None = None
    size_bytes: int = 0


Fetch = Callable[[int, int], ListPage[A]]
"""Fetches the page at an offset, with a limit."""


def read_list_page(
    model: type[A], answer: Any, *, is_first: bool, may_be_nothing: bool = False
) -> ListPage[A]:
    """Read one page of a list.

    Raises
    ------
    UnexpectedAnswer
        The answer is no list, or says nothing where the list begins, unless it may.
    """
    page = read_page(model, answer)
    # Taken for an empty list, nothing would mean that everything is gone.
    if is_first and not may_be_nothing and not page.items and (page.total or is_nothing(answer)):
        raise UnexpectedAnswer("the service answered with nothing where a list belongs")
    told = answer if isinstance(answer, dict) else {}
    total, limit = told.get("total_count", told.get("totalCount")), told.get("limit")
    return ListPage(
        page.items,
        total if isinstance(total, int) and not isinstance(total, bool) else None,
        limit if isinstance(limit, int) else None,
        # Measured where pages follow one another; it is not worth its time for the usual one page.
        0 if is_first else len(json.dumps(answer)),
    )


def read_pages(
    fetch: Callable[[int, int], ListPage[A]],
    what: str,
    *,
    start: int = 0,
    max_rows: int | None = None,
    believed_rows: int = _MAX_ROWS,
    until: Callable[[list[A]], bool] | None = None,
) -> tuple[list[A], int]:
    """Read pages until they end or come again, for lists in which a missing row does no harm.

    Parameters
    ----------
    fetch : callable
        Fetches a page by its number, from 1 on, and by how many rows came before it.
    what : str
        What the list is of, for errors.
    start : int
        How many rows of the list come before the first page.
    max_rows : int, optional
        The most rows to return.
    believed_rows : int
        More rows than these, unless asked for, do not end.
    until : callable, optional
        Return whether no page after these rows is wanted. It is given all rows so far: the service may list
        them in another order than was asked for.

    Returns
    -------
    list, int
        The rows, and the largest number of rows that the service says there are.

    Raises
    ------
    UnexpectedAnswer
        The pages do not end.
    """
    rows: list[A] = []
    pages: list[list[A]] = []
    total = size_bytes = 0
    believed_rows = believed_rows if max_rows is None else max_rows
    while len(rows) <= believed_rows and size_bytes <= _MAX_BYTES:
        page = fetch(len(pages) + 1, len(rows))
        if not page.rows or page.rows in pages:
            return rows, total
        pages.append(page.rows)
        rows += page.rows
        total, size_bytes = max(total, page.total or 0), size_bytes + page.size_bytes
        # The published default is 0, and a count below what is here is of something else.
        is_at_end = page.total is not None and len(page.rows) <= page.total <= start + len(rows)
        is_enough = max_rows is not None and len(rows) >= max_rows
        if is_at_end or is_enough or (until is not None and until(rows)):
            return rows[:max_rows], total
    raise UnexpectedAnswer(_endless(what))


def read_whole_list(
    fetch: Fetch[A], what: str, *, max_rows: int | None = None, wide_rows: int = _WIDE_ROWS
) -> list[A]:
    """Read a list until it is proven that nothing in it is missing, each row once.

    Parameters
    ----------
    fetch : callable
        Fetches one page.
    what : str
        What the list is of, for errors: ``"pods"``.
    max_rows : int, optional
        The number of rows from the beginning; all unless given.
    wide_rows : int
        The largest limit to ask for.

    Raises
    ------
    UnexpectedAnswer
        The pages do not fit together, however often they are read, or do not end.
    """
    return _Reader(fetch, what, max_rows, wide_rows).read()


@dataclass(frozen=True)
class _Part(Generic[A]):
    """A page at its place."""

    offset: int
    rows: list[A]
    keys: list[str]
    total: int | None
    is_full: bool

    @property
    def end(self) -> int:
        return self.offset + len(self.rows)


class _Moved(Exception):
    """The list moved while it was read, or its pages do not fit together."""


class _Reader(Generic[A]):
    """Reads one list.

    Parameters
    ----------
    fetch, what, max_rows, wide_rows :
        As `read_whole_list` has them.
    """

    def __init__(self, fetch: Fetch[A], what: str, max_rows: int | None, wide_rows: int) -> None:
        self._fetch_page, self._what = fetch, what
        self._max_rows = _MAX_ROWS if max_rows is None else max_rows
        self._is_limited = max_rows is not None
        self._wide_rows = min(wide_rows, self._max_rows)
        self._limit = min(STANDARD_ROWS, self._max_rows)
        self._requests = self._bytes = 0

    def read(self) -> list[A]:
        """Return all rows, each once."""
        doubted: list[str] | None = None
        has_moved = False
        for _ in range(_MAX_READS):
            try:
                parts, is_certain = self._read_parts()
            except _Moved:
                doubted, has_moved = None, True
                continue
            keys = [key for part in parts for key in part.keys]
            # Where there were rows a moment ago, one empty answer is not believed.
            is_certain &= bool(keys) or not has_moved
            # A total that disagrees with two reads that agree is wrong.
            if is_certain or keys == doubted:
                rows = {key: row for part in parts for key, row in zip(part.keys, part.rows, strict=True)}
                return list(rows.values())[: self._max_rows if self._is_limited else None]
            doubted = keys
        raise UnexpectedAnswer(
            f"The list of {self._what} cannot be relied on: in {_MAX_READS} reads it moved, or its pages did "
            "not fit together. Try again in a moment"
        )

    def _read_parts(self) -> tuple[list[_Part[A]], bool]:
        """Read the pages once; say also whether the total agrees with them."""
        first = self._fetch(0)
        if first.is_full and first.total != first.end and not self._has_enough(first):
            first = self._widen(first)
        parts, total = [first], first.total
        if not first.rows or self._has_enough(first):
            return parts, True
        while parts[-1].is_full or total != parts[-1].end:
            after = self._fetch_after(parts[-1])
            if total is not None and after.total is not None and after.total != total:
                raise _Moved
            total = after.total if after.total is not None else total
            if after.offset and len(parts) == 1 and after.keys == first.keys:
                return [self._read_unpaged(first)], True
            fresh = self._join(parts, after)
            if fresh is None:
                # A total that is exceeded is of something else, and one that is not reached may be wrong.
                is_certain = total is None or total <= parts[-1].end
                self._verify(parts)
                return parts, is_certain
            parts.append(fresh)
            if self._has_enough(fresh):
                break
        self._verify(parts)
        return parts, True

    def _widen(self, first: _Part[A]) -> _Part[A]:
        """Ask for everything in one answer, which cannot move."""
        narrow, self._limit = self._limit, max(self._limit, self._wide_rows)
        if self._limit == narrow:
            return first
        try:
            wide = self._fetch(0)
        except (InvalidRequest, RequestRefused) as refusal:
            if refusal.status_code not in _REFUSES_LIMIT:
                raise
        else:
            if not wide.is_full or len(wide.rows) > len(first.rows):
                return wide
        self._limit = self._wide_rows = narrow
        return first

    def _fetch_after(self, last: _Part[A]) -> _Part[A]:
        """Fetch the page that begins with the last row; a page of one row has room for the next one alone."""
        return self._fetch(last.end - (1 if len(last.rows) > 1 else 0))

    def _join(self, parts: list[_Part[A]], after: _Part[A]) -> _Part[A] | None:
        """Return what a page adds to those before it; ``None`` at the end of the list."""
        last = parts[-1]
        if after.offset < last.end:
            if after.keys[:1] != last.keys[-1:]:
                raise _Moved
            rows, keys = after.rows[1:], after.keys[1:]
        else:
            rows, keys = after.rows, after.keys
        if not rows:
            return None
        if not {key for part in parts for key in part.keys}.isdisjoint(keys):
            raise _Moved
        is_full = after.is_full or len(after.rows) >= max(len(part.rows) for part in parts)
        return _Part(last.end, rows, keys, after.total, is_full)

    def _verify(self, parts: list[_Part[A]]) -> None:
        """Read pages again where rows may have gone from one to another; one answer alone cannot move."""
        if len(parts) == 1 and not parts[0].is_full:
            return
        for part in parts:
            again = self._fetch(part.offset)
            if again.keys[: len(part.keys)] != part.keys:
                raise _Moved

    def _read_unpaged(self, first: _Part[A]) -> _Part[A]:
        """Return all rows of a service that ignores the offset."""
        whole = self._widen(first) if first.is_full else first
        if whole.is_full or whole.total not in (None, whole.end):
            raise UnexpectedAnswer(
                f"The list of {self._what} cannot be read: the service sends the same {len(whole.rows)} rows "
                "for every page, and there may be more"
            )
        return whole

    def _has_enough(self, part: _Part[A]) -> bool:
        return self._is_limited and part.end >= self._max_rows

    def _fetch(self, offset: int) -> _Part[A]:
        self._requests += 1
        page = self._fetch_page(offset, self._limit)
        self._bytes += page.size_bytes
        is_endless = offset + len(page.rows) > _MAX_ROWS and not self._is_limited
        if is_endless or self._bytes > _MAX_BYTES or self._requests > _MAX_REQUESTS:
            raise UnexpectedAnswer(_endless(self._what))
        # A service that grants its standard page alone may not say so.
        granted_rows = page.granted_rows or STANDARD_ROWS
        is_full = bool(page.rows) and len(page.rows) in (self._limit, granted_rows)
        keys = _keys_of(page.rows)
        rows = list(dict(zip(keys, page.rows, strict=True)).values())
        if len(rows) != len(keys) and (offset or page.total != len(rows)):
            # A row that is here twice may be in the place of another one.
            raise _Moved
        # The published default is 0, and a count below what is here is of something else.
        is_count = page.total is not None and page.total >= offset + len(rows)
        return _Part(offset, rows, list(dict.fromkeys(keys)), page.total if is_count else None, is_full)


def _keys_of(rows: Iterable[ApiModel]) -> list[str]:
    """What each row is known by: its id, or else all that it says, numbered where several say the same."""
    keys: list[str] = []
    seen: Counter[str] = Counter()
    for row in rows:
        name = next((name for name in ("id", "team_id", "user_id") if name in type(row).model_fields), "")
        key = getattr(row, name, None)
        if not key:
            words = repr(row.model_dump())
            key = f"{words} {seen[words]}"
            seen[words] += 1
        keys.append(key)
    return keys


def _endless(what: str) -> str:
    return f"The list of {what} does not end, or is far too long. Reading it was given up"


def is_nothing(answer: Any) -> bool:
    """Tell whether an answer is not even an empty list."""
    if isinstance(answer, dict):
        return not answer or any(answer.get(key, ()) is None for key in ("data", "items"))
    return answer is None

"""Whole lists, read with proof that no row is missing.

A list that fits one response is proven by it. A longer one is requested in one response with a larger limit.
If the service grants fewer rows, each page starts with the last row of the page before, and all pages are
read twice, so that rows that moved between pages show up. A list that moves is read again, up to five times.
A list that cannot be proven is an error, never a shorter list.
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

__all__ = ["ListPage", "is_nothing", "page_parser", "read_list_page", "read_pages", "read_whole_list"]

A = TypeVar("A", bound=ApiModel)

STANDARD_ROWS = 100
"""The published default of a page, which every service grants."""
_WIDE_ROWS = 1000
# Far above what an account has, and far below what fills memory.
_MAX_ROWS = 10_000
_MAX_BYTES = 64 * 2**20
_MAX_REQUESTS = 300
_MAX_READS = 5
_REFUSES_LIMIT = (400, 422)


@dataclass(frozen=True)
class ListPage(Generic[A]):
    """A page of a list, with the total and the limit that the service reports."""

    rows: list[A]
    total: int | None
    granted_rows: int | None = None
    size_bytes: int = 0
    """Approximate size of the response; 0 for the first page."""


Fetch = Callable[[int, int], ListPage[A]]
"""A function that fetches the page at an offset, with a limit."""


def read_list_page(
    model: type[A], answer: Any, *, is_first: bool, may_be_nothing: bool = False
) -> ListPage[A]:
    """Read one page of a list; raise UnexpectedAnswer for a missing first page unless it may be missing."""
    page = read_page(model, answer)
    # Taken for an empty list, a missing one would mean that everything is gone.
    if is_first and not may_be_nothing and not page.items and (page.total or is_nothing(answer)):
        raise UnexpectedAnswer("The service returned nothing instead of a list")
    envelope = answer if isinstance(answer, dict) else {}
    total, limit = envelope.get("total_count", envelope.get("totalCount")), envelope.get("limit")
    return ListPage(
        page.items,
        total if isinstance(total, int) and not isinstance(total, bool) else None,
        limit if isinstance(limit, int) else None,
        # Not measured for the first page: most lists have no other, and measuring takes time.
        0 if is_first else len(json.dumps(answer)),
    )


def page_parser(model: type[A]) -> Callable[[Any, int, int], ListPage[A]]:
    """Return a parser of pages by offset and limit, which parses a page that is read again unchanged once."""
    parsed: dict[tuple[int, int], tuple[Any, ListPage[A]]] = {}

    def parse(answer: Any, offset: int, limit: int) -> ListPage[A]:
        before = parsed.get((offset, limit))
        if before is not None and before[0] == answer:
            return before[1]
        page = read_list_page(model, answer, is_first=not offset)
        parsed[offset, limit] = answer, page
        return page

    return parse


def read_pages(
    fetch: Callable[[int, int], ListPage[A]],
    what: str,
    *,
    start: int = 0,
    max_rows: int | None = None,
    plausible_rows: int = _MAX_ROWS,
    until: Callable[[list[A]], bool] | None = None,
) -> tuple[list[A], int]:
    """Read pages until they end or repeat, for lists in which a missing row does no harm.

    ``fetch`` takes the page number (from 1) and the number of rows before it. ``until`` receives all rows so
    far, because the service may ignore the order, and returns whether they suffice. Return the rows and the
    largest total that the service reported.
    """
    rows: list[A] = []
    pages: list[list[A]] = []
    total = size_bytes = 0
    plausible_rows = plausible_rows if max_rows is None else max_rows
    while len(rows) <= plausible_rows and size_bytes <= _MAX_BYTES:
        page = fetch(len(pages) + 1, len(rows))
        if not page.rows or page.rows in pages:
            return rows, total
        pages.append(page.rows)
        rows += page.rows
        total, size_bytes = max(total, page.total or 0), size_bytes + page.size_bytes
        # The published default is 0; a total below the rows of this page counts something else.
        is_at_end = page.total is not None and len(page.rows) <= page.total <= start + len(rows)
        is_enough = max_rows is not None and len(rows) >= max_rows
        if is_at_end or is_enough or (until is not None and until(rows)):
            return rows[:max_rows], total
    raise UnexpectedAnswer(_describe_endless(what))


def read_whole_list(
    fetch: Fetch[A], what: str, *, max_rows: int | None = None, wide_rows: int = _WIDE_ROWS
) -> list[A]:
    """Read a list, each row once, until it is proven complete; raise UnexpectedAnswer if it cannot be.

    ``what`` names the rows in errors, ``max_rows`` limits them, ``wide_rows`` is the largest limit to use.
    """
    return _ListReader(fetch, what, max_rows, wide_rows).read()


@dataclass(frozen=True)
class _Part(Generic[A]):
    """A page at its offset."""

    offset: int
    rows: list[A]
    keys: list[str]
    total: int | None
    is_full: bool

    @property
    def end(self) -> int:
        return self.offset + len(self.rows)


class _ListMoved(Exception):
    """The list moved while it was read, or its pages do not fit together."""


class _ListReader(Generic[A]):
    """The state of one `read_whole_list`."""

    def __init__(self, fetch: Fetch[A], what: str, max_rows: int | None, wide_rows: int) -> None:
        self._fetch_page, self._what = fetch, what
        self._max_rows = _MAX_ROWS if max_rows is None else max_rows
        self._is_limited = max_rows is not None
        self._wide_rows = min(wide_rows, self._max_rows)
        self._limit = min(STANDARD_ROWS, self._max_rows)
        self._requests = self._bytes = 0

    def read(self) -> list[A]:
        """Return all rows, each once."""
        last_keys: list[str] | None = None
        has_moved = False
        for _ in range(_MAX_READS):
            try:
                parts, is_certain = self._read_parts()
            except _ListMoved:
                last_keys, has_moved = None, True
                continue
            keys = [key for part in parts for key in part.keys]
            # Do not believe one empty list if there were rows a moment ago.
            is_certain &= bool(keys) or not has_moved
            # Two equal reads outweigh a total that disagrees.
            if is_certain or keys == last_keys:
                rows = {key: row for part in parts for key, row in zip(part.keys, part.rows, strict=True)}
                return list(rows.values())[: self._max_rows if self._is_limited else None]
            last_keys = keys
        raise UnexpectedAnswer(
            f"The list of {self._what} cannot be relied on. In {_MAX_READS} reads it moved, or its pages did "
            "not fit together. Try again in a moment"
        )

    def _read_parts(self) -> tuple[list[_Part[A]], bool]:
        """Read all pages once; return them and whether the reported total agrees."""
        # 1. One page, or a wider one, may hold the whole list: one response cannot move.
        first = self._fetch_part(0)
        if first.is_full and first.total != first.end and not self._has_enough(first):
            first = self._widen_page(first)
        parts, total = [first], first.total
        if not first.rows or self._has_enough(first):
            return parts, True
        # 2. Follow pages that overlap by one row, until one adds nothing.
        while parts[-1].is_full or total != parts[-1].end:
            after = self._fetch_after(parts[-1])
            if total is not None and after.total is not None and after.total != total:
                raise _ListMoved
            total = after.total if after.total is not None else total
            if after.offset and len(parts) == 1 and after.keys == first.keys:
                return [self._read_unpaged(first)], True
            fresh = self._find_new_rows(parts, after)
            if fresh is None:
                # A total that is exceeded counts something else; one that is not reached may be wrong.
                is_certain = total is None or total <= parts[-1].end
                self._verify_parts(parts)
                return parts, is_certain
            parts.append(fresh)
            if self._has_enough(fresh):
                break
        # 3. Read them again: rows may have moved between pages.
        self._verify_parts(parts)
        return parts, True

    def _widen_page(self, first: _Part[A]) -> _Part[A]:
        """Request everything in one response, which cannot move."""
        narrow, self._limit = self._limit, max(self._limit, self._wide_rows)
        if self._limit == narrow:
            return first
        try:
            wide = self._fetch_part(0)
        except (InvalidRequest, RequestRefused) as error:
            if error.status_code not in _REFUSES_LIMIT:
                raise
        else:
            if not wide.is_full or len(wide.rows) > len(first.rows):
                return wide
        self._limit = self._wide_rows = narrow
        return first

    def _fetch_after(self, last: _Part[A]) -> _Part[A]:
        """Fetch the page that begins with the last row; a page of one row has no room for the overlap."""
        return self._fetch_part(last.end - (1 if len(last.rows) > 1 else 0))

    def _find_new_rows(self, parts: list[_Part[A]], after: _Part[A]) -> _Part[A] | None:
        """Return the rows that a page adds, or ``None`` at the end of the list."""
        last = parts[-1]
        if after.offset < last.end:
            if after.keys[:1] != last.keys[-1:]:
                raise _ListMoved
            rows, keys = after.rows[1:], after.keys[1:]
        else:
            rows, keys = after.rows, after.keys
        if not rows:
            return None
        if not {key for part in parts for key in part.keys}.isdisjoint(keys):
            raise _ListMoved
        is_full = after.is_full or len(after.rows) >= max(len(part.rows) for part in parts)
        return _Part(last.end, rows, keys, after.total, is_full)

    def _verify_parts(self, parts: list[_Part[A]]) -> None:
        """Read pages again if rows may have moved between them; a single response cannot move."""
        if len(parts) == 1 and not parts[0].is_full:
            return
        for part in parts:
            again = self._fetch_part(part.offset)
            if again.keys[: len(part.keys)] != part.keys:
                raise _ListMoved

    def _read_unpaged(self, first: _Part[A]) -> _Part[A]:
        """Return all rows from a service that ignores the offset."""
        whole = self._widen_page(first) if first.is_full else first
        if whole.is_full or whole.total not in (None, whole.end):
            raise UnexpectedAnswer(
                f"Cannot read the list of {self._what}: the service returns the same {len(whole.rows)} rows "
                "for every page, and there may be more"
            )
        return whole

    def _has_enough(self, part: _Part[A]) -> bool:
        return self._is_limited and part.end >= self._max_rows

    def _fetch_part(self, offset: int) -> _Part[A]:
        self._requests += 1
        page = self._fetch_page(offset, self._limit)
        self._bytes += page.size_bytes
        is_endless = offset + len(page.rows) > _MAX_ROWS and not self._is_limited
        if is_endless or self._bytes > _MAX_BYTES or self._requests > _MAX_REQUESTS:
            raise UnexpectedAnswer(_describe_endless(self._what))
        # A service that always applies its standard limit may not report it.
        granted_rows = page.granted_rows or STANDARD_ROWS
        is_full = bool(page.rows) and len(page.rows) in (self._limit, granted_rows)
        keys = _list_keys(page.rows)
        rows = list(dict(zip(keys, page.rows, strict=True)).values())
        if len(rows) != len(keys) and (offset or page.total != len(rows)):
            # A row that appears twice may have displaced another one.
            raise _ListMoved
        # The published default is 0; a total below the rows read so far counts something else.
        is_count = page.total is not None and page.total >= offset + len(rows)
        return _Part(offset, rows, list(dict.fromkeys(keys)), page.total if is_count else None, is_full)


def _list_keys(rows: Iterable[ApiModel]) -> list[str]:
    """Return each row's id, or else its content, numbered if several are equal."""
    keys: list[str] = []
    seen: Counter[str] = Counter()
    for row in rows:
        name = next((name for name in ("id", "team_id", "user_id") if name in type(row).model_fields), "")
        key = getattr(row, name, None)
        if not key:
            content = repr(row.model_dump())
            key = f"{content} {seen[content]}"
            seen[content] += 1
        keys.append(key)
    return keys


def _describe_endless(what: str) -> str:
    return f"The list of {what} does not end, or is far too long. Stopped reading it"


def is_nothing(answer: Any) -> bool:
    """Return whether a response is not even an empty list."""
    if isinstance(answer, dict):
        return not answer or any(answer.get(key, ()) is None for key in ("data", "items"))
    return answer is None

"""Reading the history's pages side by side, and proving that nothing is missing and nothing twice.

Pages are asked for from the oldest termination on, since whatever ends meanwhile then comes at the end. Each
begins with the row that the page before it ends with: where the list has moved between the two, that shows.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from primepods_magic.api.errors import InvalidRequest, RequestRefused
from primepods_magic.api.models import Page
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.background import run_in_background

from .table import HistoryTable, StringInterner
from .throttle import ConcurrencyLimiter

__all__ = ["IN_FLIGHT", "HistoryChangedError", "PageReader", "Progress", "ReadResult"]

Progress = Callable[[int, int], object]
"""Is told how many rows have come, and of how many."""

IN_FLIGHT = 8
REQUESTED_PAGE_SIZE = 1000
# What the service gives unless asked: for one that refuses to give more.
_DEFAULT_PAGE_SIZE = 100
# Nobody grants fewer: a page that is shorter is so by chance, until the next one is too.
_MIN_PLAUSIBLE_PAGE_SIZE = 20
# In one wave: a count may be any number, and what is not there must not be prepared for.
_MAX_PAGES = 1000


class HistoryChangedError(Exception):
    """The list has moved while it was read."""


@dataclass(frozen=True)
class ReadResult:
    """What was read.

    Parameters
    ----------
    table : HistoryTable
        The rows, in the service's order.
    total : int
        How many there are in all.
    page_rows : int
        How many the service grants in one page.
    """

    table: HistoryTable
    total: int
    page_rows: int


@dataclass(frozen=True)
class _Page:
    """A page as it came."""

    offset: int
    table: HistoryTable
    total: int | None

    @property
    def end(self) -> int:
        return self.offset + len(self.table)


class PageReader:
    """Reads the rows of a history.

    Parameters
    ----------
    connection : Connection
        Whose history.
    progress : callable, optional
        Told, on the thread that reads, how many rows have come, and of how many.
    in_flight : int
        The most requests at one time; fewer where the service says 429.
    """

    def __init__(
        self, connection: Connection, progress: Progress | None = None, in_flight: int = IN_FLIGHT
    ) -> None:
        self._connection = connection
        self._progress = progress
        self._in_flight = in_flight
        self._limiter = ConcurrencyLimiter(in_flight, lambda: connection.client.session.is_closed)
        # What is asked for, and what is granted. More than that is asked for all along: then one page that
        # was short by chance, or long ago, decides nothing.
        self._asked_rows = self._page_rows = REQUESTED_PAGE_SIZE
        self._words = StringInterner()
        self._begun_at: datetime | None = None

    @property
    def begun_at(self) -> datetime:
        """The service's time when its first page came: not known before."""
        return self._begun_at or self._connection.now()

    def stop(self) -> None:
        """Ask for no more pages; whoever reads gets what breaks off."""
        self._limiter.close()

    def read(self, start: int = 0, *, like: ReadResult | None = None) -> ReadResult:
        """All rows from a place on.

        Parameters
        ----------
        start : int
            How many rows to pass over.
        like : Reading, optional
            What is known from an earlier time: then no first page has to tell how many to ask for.

        Raises
        ------
        Moved
            Rows have come, gone or changed places among those that were there.
        PodsError
            A page cannot be had.
        """
        if like is not None:
            if like.page_rows <= _DEFAULT_PAGE_SIZE:
                self._asked_rows = _DEFAULT_PAGE_SIZE
            is_believed = like.page_rows >= _MIN_PLAUSIBLE_PAGE_SIZE
            self._page_rows = like.page_rows if is_believed else self._asked_rows
        parts = _PageMerger(start)
        pages = self._read_pages(start, like.total) if like else self._read_first_page(start)
        asked_beyond = -1
        while True:
            before, is_reckoned, granted = parts.end, True, 0
            with closing(pages):
                for page in pages:
                    parts.add(page)
                    self._report_progress(start + parts.rows, parts.total)
                    granted = len(page.table)
                    if not granted or (page.end < (parts.total or 0) and granted != self._page_rows):
                        # Another number than was reckoned with: the pages after it do not join.
                        is_reckoned = parts.pages == 1 and granted >= _MIN_PLAUSIBLE_PAGE_SIZE
                        self._page_rows = granted or self._page_rows
                        break
            if parts.total is None and parts.rows and not granted:
                # Not even the row that was the last one is there any more.
                raise HistoryChangedError
            if parts.is_complete or parts.end == before:
                # A page of one row has room for nothing but the next one.
                beyond = max(start, parts.end - (1 if granted > 1 else 0))
                if parts.is_certain(self._page_rows) or not parts.go_on(self._fetch_page(beyond)):
                    return ReadResult(parts.concatenate(), parts.total or parts.end, self._page_rows)
                if parts.end == asked_beyond:
                    raise HistoryChangedError
                asked_beyond = parts.end
            # One page that is odd may be chance: the next one, alone, tells.
            pages = self._read_pages(
                max(start, parts.end - self._overlap_rows), parts.total if is_reckoned else None
            )

    @property
    def _overlap_rows(self) -> int:
        return 1 if self._page_rows > 1 else 0

    def _report_progress(self, rows: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(rows, max(rows, total or 0))

    def _read_first_page(self, start: int) -> Generator[_Page, None, None]:
        """The first page, which tells how many rows there are, and how many are granted at once."""
        page = self._fetch_page(start)
        self._page_rows = self._asked_rows
        yield page

    def _read_pages(self, start: int, total: int | None) -> Generator[_Page, None, None]:
        """The pages from a place to the end as far as it is known, in order; fetched side by side."""
        step = self._page_rows - self._overlap_rows
        offsets = range(start, max(start + 1, total - self._overlap_rows if total else 0), step)[:_MAX_PAGES]
        answers: dict[int, Future[_Page]] = {offset: Future() for offset in offsets}
        todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        for offset in offsets:
            todo.put(offset)
        is_over = threading.Event()

        def work() -> None:
            while not is_over.is_set():
                try:
                    offset = todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    page = self._fetch_page(offset)
                    if not len(page.table):
                        # The list ends before it, and whoever reads the pages goes no further either.
                        is_over.set()
                    answers[offset].set_result(page)
                except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                    answers[offset].set_exception(error)

        for _ in range(min(self._in_flight, len(offsets))):
            run_in_background(self._connection, work)
        try:
            for offset in offsets:
                yield answers[offset].result()
                del answers[offset]
        finally:
            is_over.set()

    def _fetch_page(self, offset: int) -> _Page:
        asked_rows = self._asked_rows
        try:
            page = self._request_rows(offset, asked_rows)
        except (InvalidRequest, RequestRefused) as refusal:
            if refusal.status_code not in (400, 422) or asked_rows == _DEFAULT_PAGE_SIZE:
                raise
            self._asked_rows = _DEFAULT_PAGE_SIZE
            page = self._request_rows(offset, _DEFAULT_PAGE_SIZE)
        if self._begun_at is None:
            self._begun_at = self._connection.now()
        return _Page(offset, HistoryTable.of_rows(page.items, self._words), page.total)

    def _request_rows(self, offset: int, rows: int) -> Page[dict[str, Any]]:
        with self._limiter.slot():
            return self._connection.client.history_rows(limit=rows, offset=offset, pause=self._limiter.pause)


class _PageMerger:
    """The pages that have come, in order.

    Parameters
    ----------
    start : int
        The place of the first row.
    """

    def __init__(self, start: int) -> None:
        self._tables: list[HistoryTable] = []
        self._is_seamless = True
        self._is_tied = False
        self._is_total_wrong = False
        self._has_shrunk = False
        self._last_rows = 0
        self._start = start
        self.pages = self.rows = 0
        self.end = start
        self.total: int | None = None

    def add(self, page: _Page) -> None:
        """Join a page to those before it.

        Raises
        ------
        Moved
            It does not join.
        """
        table = page.table
        self.pages += 1
        self._update_total(page)
        if not len(table):
            return
        self._last_rows = len(table)
        if self._tables:
            last = self._tables[-1]
            if page.offset >= self.end:
                # Pages of one row have nothing in common.
                self._is_seamless = False
            elif table.key(0) == last.key(len(last) - 1):
                self._is_tied |= _have_same_end(last[-2:], table[:2])
                table = table[1:]
            elif _have_same_end(last[-1:], table[:1]):
                self._is_seamless = False
            else:
                raise HistoryChangedError
        if len(table):
            self._tables.append(table)
        self.rows += len(table)
        self.end = page.end

    def _update_total(self, page: _Page) -> None:
        if page.total is None:
            return
        # Rows beyond the count: it is of something else, and tells nothing of the end.
        self._is_total_wrong |= bool(len(page.table)) and page.total < page.end
        self._has_shrunk |= page.total < (self.total or 0)
        self.total = None if self._is_total_wrong else max(self.total or 0, page.total)

    @property
    def is_complete(self) -> bool:
        """The end of the list is here."""
        return self.total is not None and self.end >= self.total

    def is_certain(self, page_rows: int) -> bool:
        """Whether nothing more need be asked for to know that the list ends here, or that it does not.

        Parameters
        ----------
        page_rows : int
            How many rows the service grants in one page.
        """
        if self.total is None:
            return False
        # A count may be of the page alone, and a full page may be followed by others.
        is_last = self._last_rows < min(self.total, page_rows)
        return self.end != self.total or is_last

    def go_on(self, after: _Page) -> bool:
        """Whether a page that begins where the list should end has rows that are not here yet.

        Raises
        ------
        Moved
            It does not begin with the last of those that are here.
        """
        known = {table.key(place) for table in self._tables for place in range(len(table))}
        if known.issuperset(after.table.key(place) for place in range(len(after.table))):
            return False
        if self._tables and after.offset < self.end:
            last, first = self._tables[-1][-1:], after.table[:1]
            if first.key(0) != last.key(0) and not _have_same_end(last, first):
                raise HistoryChangedError
        self._is_total_wrong, self.total = True, None
        return True

    def concatenate(self) -> HistoryTable:
        """All rows, each once.

        Raises
        ------
        Moved
            It is not certain that these are all.
        """
        table = HistoryTable.concatenate(self._tables)
        self._tables.clear()
        unique = table.drop_duplicates()
        is_at_end = self.is_complete or self.total is None
        # What changes places across a seam is here twice in the place of something else.
        is_proven = self._is_seamless and (not self._is_tied or len(unique) == len(table))
        # Where the seams tell nothing, every one of the rows being here is proof enough.
        is_counted = self._start + len(unique) == self.total and not self._has_shrunk
        if (is_proven and is_at_end) or is_counted:
            return unique
        raise HistoryChangedError


def _have_same_end(before: HistoryTable, after: HistoryTable) -> bool:
    """Whether all of these have ended at the same instant: then they may change places."""
    ended = {*before.columns["terminated_at"].tolist(), *after.columns["terminated_at"].tolist()}
    return len(ended) == 1

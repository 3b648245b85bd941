"""Parallel download of the history's pages, with proof that no row is missing or repeated.

Pages are requested in ascending order of termination, so rows that end during the download come last. Each
page begins with the last row of the page before it: if the list moved between the two requests, it shows.
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

from .table import HistoryTable, TextMemo
from .throttle import ConcurrencyLimiter

__all__ = ["IN_FLIGHT", "HistoryChangedError", "PageReader", "Progress", "ReadResult"]

Progress = Callable[[int, int], object]
"""Called with the number of rows read, and their total."""

IN_FLIGHT = 8
REQUESTED_PAGE_SIZE = 1000
# The service's own default, for one that refuses a larger page.
_DEFAULT_PAGE_SIZE = 100
# A shorter page is short by chance, until the next one is short as well.
_MIN_PLAUSIBLE_PAGE_SIZE = 20
# At once: a total may be any number, and prepares this many requests at most.
_MAX_PAGES = 1000


class HistoryChangedError(Exception):
    """The list changed while it was read."""


@dataclass(frozen=True)
class ReadResult:
    """Rows in the service's order, the total that it states, and the rows it grants in one page."""

    table: HistoryTable
    total: int
    page_rows: int


@dataclass(frozen=True)
class _Page:
    offset: int
    table: HistoryTable
    total: int | None

    @property
    def end(self) -> int:
        return self.offset + len(self.table)


class PageReader:
    """Reader of the rows of a history.

    `progress` is called on the reading thread. `in_flight` is the maximum number of concurrent requests; it
    shrinks after a 429.
    """

    def __init__(
        self, connection: Connection, progress: Progress | None = None, in_flight: int = IN_FLIGHT
    ) -> None:
        self._connection = connection
        self._progress = progress
        self._in_flight = in_flight
        self._limiter = ConcurrencyLimiter(in_flight, lambda: connection.client.session.is_closed)
        # Rows requested and rows granted per page. Requests keep asking for more than was granted, so one
        # page that was short by chance decides nothing.
        self._asked_rows = self._page_rows = REQUESTED_PAGE_SIZE
        self._memos: dict[str, TextMemo] = {}
        self._begun_at: datetime | None = None

    @property
    def begun_at(self) -> datetime:
        """The service's time when the first page came."""
        return self._begun_at or self._connection.now()

    def stop(self) -> None:
        """Request no more pages; a reader that is waiting gets an error."""
        self._limiter.close()

    def read(self, start: int = 0, *, like: ReadResult | None = None) -> ReadResult:
        """Read all rows from index `start` on; `like` is an earlier result, which saves the first request.

        Raises HistoryChangedError if rows came, went or moved among those that were there, PodsError if a
        page cannot be read.
        """
        if like is not None:
            if like.page_rows <= _DEFAULT_PAGE_SIZE:
                self._asked_rows = _DEFAULT_PAGE_SIZE
            is_believed = like.page_rows >= _MIN_PLAUSIBLE_PAGE_SIZE
            self._page_rows = like.page_rows if is_believed else self._asked_rows
        merger = _PageMerger(start)
        pages = self._read_pages(start, like.total) if like else self._read_first_page(start)
        checked_end = -1
        while True:
            # Step 1: merge pages in order until one has another length than expected.
            before, is_expected, granted = merger.end, True, 0
            with closing(pages):
                for page in pages:
                    merger.add(page)
                    self._report_progress(start + merger.rows, merger.total)
                    granted = len(page.table)
                    if not granted or (page.end < (merger.total or 0) and granted != self._page_rows):
                        # The offsets of the pages after it were computed for another length.
                        is_expected = merger.pages == 1 and granted >= _MIN_PLAUSIBLE_PAGE_SIZE
                        self._page_rows = granted or self._page_rows
                        break
            if merger.total is None and merger.rows and not granted:
                # Even the last row of the page before has gone.
                raise HistoryChangedError
            # Step 2: at the supposed end, request one more page unless the end is certain.
            if merger.is_complete or merger.end == before:
                # A page of one row has no room for an overlap.
                beyond = max(start, merger.end - (1 if granted > 1 else 0))
                if merger.is_certain(self._page_rows) or not merger.extends_with(self._fetch_page(beyond)):
                    return ReadResult(merger.concatenate(), merger.total or merger.end, self._page_rows)
                if merger.end == checked_end:
                    raise HistoryChangedError
                checked_end = merger.end
            # Step 3: go on from there. After a page of odd length, fetch one page alone: it may be chance.
            pages = self._read_pages(
                max(start, merger.end - self._overlap_rows), merger.total if is_expected else None
            )

    @property
    def _overlap_rows(self) -> int:
        return 1 if self._page_rows > 1 else 0

    def _report_progress(self, rows: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress(rows, max(rows, total or 0))

    def _read_first_page(self, start: int) -> Generator[_Page, None, None]:
        """Yield the first page, which shows the total and how many rows are granted at once."""
        page = self._fetch_page(start)
        self._page_rows = self._asked_rows
        yield page

    def _read_pages(self, start: int, total: int | None) -> Generator[_Page, None, None]:
        """Yield the pages from `start` to the known end in order; fetch them in parallel."""
        step = self._page_rows - self._overlap_rows
        offsets = range(start, max(start + 1, total - self._overlap_rows if total else 0), step)[:_MAX_PAGES]
        answers: dict[int, Future[_Page]] = {offset: Future() for offset in offsets}
        pending: queue.SimpleQueue[int] = queue.SimpleQueue()
        for offset in offsets:
            pending.put(offset)
        is_over = threading.Event()

        def work() -> None:
            while not is_over.is_set():
                try:
                    offset = pending.get_nowait()
                except queue.Empty:
                    return
                try:
                    page = self._fetch_page(offset)
                    if not len(page.table):
                        # The list ends before this page, and the reader stops here as well.
                        is_over.set()
                    answers[offset].set_result(page)
                except BaseException as error:  # noqa: BLE001 - raised by the future
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
        return _Page(offset, HistoryTable.of_rows(page.items, self._memos), page.total)

    def _request_rows(self, offset: int, rows: int) -> Page[dict[str, Any]]:
        with self._limiter.slot():
            return self._connection.client.history_rows(limit=rows, offset=offset, pause=self._limiter.pause)


class _PageMerger:
    """The pages read so far, merged in order."""

    def __init__(self, start: int) -> None:
        self._tables: list[HistoryTable] = []
        # Every page overlaps the one before it; rows at a seam ended together, so they may have swapped.
        self._is_seamless, self._is_tied = True, False
        # The stated total is below the rows listed; it was higher before.
        self._is_total_wrong = self._has_shrunk = False
        self._last_rows = 0
        self._start = start
        self.pages = self.rows = 0
        self.end = start
        self.total: int | None = None

    def add(self, page: _Page) -> None:
        """Append a page; raise HistoryChangedError if it does not join the page before it."""
        table = page.table
        self.pages += 1
        self._update_total(page)
        if not len(table):
            return
        self._last_rows = len(table)
        if self._tables:
            last = self._tables[-1]
            if page.offset >= self.end:
                # Pages of one row do not overlap, so they prove nothing.
                self._is_seamless = False
            elif table.key(0) == last.key(len(last) - 1):
                # The overlapping row is the same: drop it. Rows that ended together may still have swapped.
                self._is_tied |= _have_same_end(last[-2:], table[:2])
                table = table[1:]
            elif _have_same_end(last[-1:], table[:1]):
                # Other rows that ended together with it may have changed places; decide by the total.
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
        # Rows beyond the total: it counts something else and does not show the end.
        self._is_total_wrong |= bool(len(page.table)) and page.total < page.end
        self._has_shrunk |= page.total < (self.total or 0)
        self.total = None if self._is_total_wrong else max(self.total or 0, page.total)

    @property
    def is_complete(self) -> bool:
        """True if the rows reach the total that the service states."""
        return self.total is not None and self.end >= self.total

    def is_certain(self, page_rows: int) -> bool:
        """Return whether the end is known without asking for one page beyond it."""
        if self.total is None:
            return False
        # A total may count this page alone, so a full page may be followed by others.
        is_last = self._last_rows < min(self.total, page_rows)
        return self.end != self.total or is_last

    def extends_with(self, after: _Page) -> bool:
        """Return whether a page from the supposed end has new rows; the total is wrong then.

        Raises HistoryChangedError if it does not begin with the last row that is here.
        """
        known = {table.key(index) for table in self._tables for index in range(len(table))}
        if known.issuperset(after.table.key(index) for index in range(len(after.table))):
            return False
        if self._tables and after.offset < self.end:
            last, first = self._tables[-1][-1:], after.table[:1]
            if first.key(0) != last.key(0) and not _have_same_end(last, first):
                raise HistoryChangedError
        self._is_total_wrong, self.total = True, None
        return True

    def concatenate(self) -> HistoryTable:
        """Return all rows, each once; raise HistoryChangedError if it is not certain that these are all."""
        table = HistoryTable.concatenate(self._tables)
        self._tables.clear()
        unique = table.drop_duplicates()
        is_at_end = self.is_complete or self.total is None
        # Two ways to prove completeness.
        # By seams: every page overlaps the one before it, and no row is here twice because it moved across
        # a seam (which would mean that another one is missing).
        is_proven = self._is_seamless and (not self._is_tied or len(unique) == len(table))
        # By count: there are as many distinct rows as the stated total, which never shrank.
        is_counted = self._start + len(unique) == self.total and not self._has_shrunk
        if (is_proven and is_at_end) or is_counted:
            return unique
        raise HistoryChangedError


def _have_same_end(before: HistoryTable, after: HistoryTable) -> bool:
    """Return whether all these rows ended at the same instant: then they may change places."""
    ended = {*before.columns["terminated_at"].tolist(), *after.columns["terminated_at"].tolist()}
    return len(ended) == 1

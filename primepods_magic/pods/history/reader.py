"""The whole history: final rows from the cache, the rest from the service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from primepods_magic.api.errors import UnexpectedAnswer
from primepods_magic.api.validation.bounds import check_count, check_flags
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.background import run_in_background

from .cache import CacheSummary, HistoryCache
from .pages import IN_FLIGHT, HistoryChangedError, PageReader, Progress, ReadResult
from .table import HistoryTable, microseconds

__all__ = ["History", "read_history"]

FINAL_AFTER = timedelta(hours=48)
"""A row may change until this long after its end: bills come late."""

_UNBILLED_FINAL_AFTER = timedelta(days=30)
"""An unbilled row that has a price may change for this long. Rows of pods that never started stay at 0."""

_ATTEMPTS = 5


@dataclass(frozen=True)
class History:
    """All rows ever billed in order of termination, and how many came from the cache."""

    table: HistoryTable
    now: datetime
    kept_rows: int = 0


def read_history(
    connection: Connection,
    *,
    refresh: bool = False,
    progress: Progress | None = None,
    in_flight: int = IN_FLIGHT,
) -> History:
    """Read the whole history: every row once, or an error.

    Rows are cached 48 hours after their end, when they are final, and not requested again. An unbilled row
    that has a price is cached once the list has a pod that ended 30 days later. The cache is checked against
    the service by its last row and by the total; `refresh` ignores it.

    Raises UnexpectedAnswer if rows and total disagree five times in a row, PodsError if a page cannot be
    read.

    >>> len(read_history(connect(sandbox=True)).table)                       # doctest: +SKIP
    180
    """
    check_flags(refresh=refresh)
    check_count("in_flight", in_flight)
    # By key, not by user: another key may see other rows, and this needs no request.
    cache = HistoryCache(connection.access)
    for attempt in range(_ATTEMPTS):
        kept = None if refresh or attempt else cache.read_summary()
        reader = PageReader(connection, progress, in_flight)
        try:
            history = _read_new_rows(connection, reader, cache, kept) if kept else None
            return history or _read_all(connection, reader, cache)
        except HistoryChangedError:
            continue
        finally:
            reader.stop()
    raise UnexpectedAnswer(
        "The history could not be read completely: the service's rows did not match its total in "
        f"{_ATTEMPTS} attempts. Nothing is shown, because a cost could be missing. Run "
        "'%pods history --limit 100' to see rows unchecked"
    )


def _read_all(connection: Connection, reader: PageReader, cache: HistoryCache) -> History:
    reading = reader.read()
    now = reader.begun_at
    _write_cache(connection, cache, reading.table, after=None, reading=reading, now=now)
    return History(reading.table, now)


def _read_new_rows(
    connection: Connection, reader: PageReader, cache: HistoryCache, kept: CacheSummary
) -> History | None:
    """Return cached rows plus newer ones, or None if they do not line up."""
    like = ReadResult(HistoryTable.of_rows([]), kept.total, kept.page_rows)
    loaded = run_in_background(connection, lambda: cache.load(kept))
    # Request the last cached row again: it must be the first row returned.
    reading = reader.read(kept.rows - 1, like=like)
    old = loaded.result()
    if old is None or not len(reading.table) or reading.table.columns["id"][0] != kept.last_id:
        return None
    kept_rows = len(old)
    concatenate = HistoryTable.concatenate([old, reading.table[1:]])
    table = concatenate.drop_duplicates()
    if len(table) != len(concatenate):
        # A cached row is listed again, so it was not final.
        return None
    now = reader.begun_at
    _write_cache(connection, cache, table, after=kept, reading=reading, now=now)
    return History(table, now, kept_rows)


def _write_cache(
    connection: Connection,
    cache: HistoryCache,
    table: HistoryTable,
    *,
    after: CacheSummary | None,
    reading: ReadResult,
    now: datetime,
) -> None:
    # Without the service's time, this computer's clock may be days ahead of it.
    if connection.client.session.service_time is not None:
        cache.write(_select_final_rows(table, now), after=after, reading=reading, now=now)


def _select_final_rows(table: HistoryTable, now: datetime) -> HistoryTable:
    """Return the leading rows that no longer change: they ended long enough ago, in this order."""
    ended = table.columns["terminated_at"]
    is_final = (ended <= microseconds(now - FINAL_AFTER)) & ~table.is_open
    is_final[1:] &= ended[1:] >= ended[:-1]
    is_final &= ~_may_be_unbilled(table)
    count = len(is_final) if is_final.all() else int(np.argmin(is_final))
    # The last cached row must have an id, to be found again.
    while count and table.columns["id"][count - 1] is None:
        count -= 1
    return table[:count]


def _may_be_unbilled(table: HistoryTable) -> npt.NDArray[np.bool_]:
    """Mark unbilled rows that have a price and that no much younger row follows.

    The clock does not decide here: one wrong reading would cache the 0 forever.
    """
    ended, billed = table.columns["terminated_at"], table.columns["total_billed_price"]
    is_unbilled = (np.isnan(billed) | (billed == 0.0)) & (table.columns["price_hr"] != 0.0)
    newest = int(ended.max(initial=0))
    return np.asarray(is_unbilled & (ended > newest - _UNBILLED_FINAL_AFTER // timedelta(microseconds=1)))

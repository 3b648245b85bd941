"""The whole history: what no longer changes from the cache, and the rest from the service."""

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
"""So long after a pod has ended its row may change: bills come late."""

_UNBILLED_FINAL_AFTER = timedelta(days=30)
"""So long a row that bills nothing of what has a price may still change. Some stay at 0, of pods that never
came up."""

_ATTEMPTS = 5


@dataclass(frozen=True)
class History:
    """All that was ever billed, in the order in which it ended.

    Parameters
    ----------
    table : HistoryTable
        The rows.
    now : datetime
        The service's time when they were read (UTC).
    kept_rows : int
        How many of them came from the cache.
    """

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

    Rows are kept on this computer from 48 hours after their end on, since they no longer change then, and
    are not asked for again. A row that bills nothing although it has a price is kept once the list has a pod
    that ended 30 days later. What is kept is compared with the service by its last row and by the count.

    Parameters
    ----------
    connection : Connection
        Whose history.
    refresh : bool
        Read everything from the service, also what is kept.
    progress : callable, optional
        Told now and then how many rows have come, and of how many.
    in_flight : int
        The most requests at one time.

    Raises
    ------
    UnexpectedAnswer
        What the service lists and what it counts do not agree, five times over.
    PodsError
        A page cannot be had.

    Examples
    --------
    >>> len(read_history(connect(sandbox=True)).table)                       # doctest: +SKIP
    180
    """
    check_flags(refresh=refresh)
    check_count("in_flight", in_flight)
    # Other keys of the same person may see other rows; and nobody has to be asked for this.
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
        f"the history could not be read completely: the service counts other rows than it lists, {_ATTEMPTS} "
        "times over. Nothing is shown, since a cost would be missing; '%pods history --limit 100' shows rows "
        "as they come"
    )


def _read_all(connection: Connection, reader: PageReader, cache: HistoryCache) -> History:
    reading = reader.read()
    now = reader.begun_at
    _write_cache(connection, cache, reading.table, after=None, reading=reading, now=now)
    return History(reading.table, now)


def _read_new_rows(
    connection: Connection, reader: PageReader, cache: HistoryCache, kept: CacheSummary
) -> History | None:
    """What is kept and what came since, or ``None`` where the two do not join."""
    like = ReadResult(HistoryTable.of_rows([]), kept.total, kept.page_rows)
    loaded = run_in_background(connection, lambda: cache.load(kept))
    # The last of the rows that are kept is asked for again: there it has to be.
    reading = reader.read(kept.rows - 1, like=like)
    old = loaded.result()
    if old is None or not len(reading.table) or reading.table.columns["id"][0] != kept.last_id:
        return None
    kept_rows = len(old)
    concatenate = HistoryTable.concatenate([old, reading.table[1:]])
    table = concatenate.drop_duplicates()
    if len(table) != len(concatenate):
        # A row that was kept is listed anew: it was not final.
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
    # Where the service does not tell its time, this computer's clock may be ahead of it by days.
    if connection.client.session.service_time is not None:
        cache.write(_select_final_rows(table, now), after=after, reading=reading, now=now)


def _select_final_rows(table: HistoryTable, now: datetime) -> HistoryTable:
    """The rows at the beginning that no longer change: they have ended long enough ago, in this order."""
    ended = table.columns["terminated_at"]
    is_final = (ended <= microseconds(now - FINAL_AFTER)) & ~table.is_open
    is_final[1:] &= ended[1:] >= ended[:-1]
    is_final &= ~_may_be_unbilled(table)
    count = len(is_final) if is_final.all() else int(np.argmin(is_final))
    # A row without an id could not be found again.
    while count and table.columns["id"][count - 1] is None:
        count -= 1
    return table[:count]


def _may_be_unbilled(table: HistoryTable) -> npt.NDArray[np.bool_]:
    """Mark rows that bill nothing of what has a price, and that no row is much younger than.

    A clock does not decide here: one that is wrong once would keep the 0 forever.
    """
    ended, billed = table.columns["terminated_at"], table.columns["total_billed_price"]
    is_unbilled = (np.isnan(billed) | (billed == 0.0)) & (table.columns["price_hr"] != 0.0)
    newest = int(ended.max(initial=0))
    return np.asarray(is_unbilled & (ended > newest - _UNBILLED_FINAL_AFTER // timedelta(microseconds=1)))

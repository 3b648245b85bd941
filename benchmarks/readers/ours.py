"""Ours: from the call to the finished frame. Whether there is a cache, the home tells."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import numpy as np
import pandas as pd
from measured import FIELDS, measure, url

from primepods_magic.api.settings import Settings
from primepods_magic.frames import history_frame
from primepods_magic.pods.connection.current import connect
from primepods_magic.pods.history import HistoryTable, read_history

# In the order of FIELDS.
_COLUMNS = (
    "id",
    "name",
    "provider",
    "provisioned_by",
    "type",
    "created_at",
    "terminated_at",
    "gpu",
    "gpu_count",
    "socket",
    "price_usd_hr",
    "user_id",
    "team_id",
    "billed_usd",
)
assert len(_COLUMNS) == len(FIELDS)
_PAGE = 100


class Requests:
    """How often the network was asked, by anybody in this process."""

    def __init__(self) -> None:
        self.count = 0
        send = httpx.HTTPTransport.handle_request

        def counted(transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
            self.count += 1
            return send(transport, request)

        httpx.HTTPTransport.handle_request = counted  # type: ignore[method-assign]


def warm_up() -> None:
    """A page and its frame, without a look at the cache."""
    page = connection.client.history_rows(limit=_PAGE, offset=0)
    history_frame(HistoryTable.of_rows(page.items), connection.now())
    requests.count = 0


def read() -> pd.DataFrame:
    """All rows."""
    history = read_history(connection)
    return history_frame(history.table, history.now)


def also(frame: pd.DataFrame) -> dict[str, int]:
    """How large the frame is, also with every text counted once, and what it took to have it."""
    texts = {id(value): value for name in frame for value in frame[name] if isinstance(value, str)}
    return {
        "frame_bytes": int(frame.memory_usage(deep=True).sum()),
        "least_bytes": int(frame.memory_usage().sum()) + sum(map(sys.getsizeof, texts.values())),
        "requests": requests.count,
    }


def rows(frame: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """The frame's rows as the service says them."""
    return zip(*(_cells(frame[name]) for name in _COLUMNS), strict=True)


def _cells(column: pd.Series[Any]) -> list[Any]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        values = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
        texts = np.datetime_as_string(values, unit="us")
        # The service tells milliseconds; anything finer would be of our making, and is left to show.
        return [None if text == "NaT" else f"{text.removesuffix('000')}Z" for text in texts.tolist()]
    return [None if value is pd.NA else value for value in column.tolist()]


if __name__ == "__main__":
    requests = Requests()
    with closing(connect(settings=Settings(base_url=url(), api_key="sandbox"))) as connection:
        measure(warm_up, read, rows, also)

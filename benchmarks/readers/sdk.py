"""The official SDK: page after page of 100, as its command line asks for them."""

from __future__ import annotations

from measured import measure
from prime_cli.api.pods import HistoryObj, PodsClient
from prime_cli.core import APIClient

PAGE = 100


def read() -> list[HistoryObj]:
    """All rows."""
    rows: list[HistoryObj] = []
    while True:
        page = pods.history(offset=len(rows), limit=PAGE)
        rows += page.data
        if not page.data or len(rows) >= page.total_count:
            return rows


def cells(row: HistoryObj) -> tuple[object, ...]:
    """A row in the order of `measured.FIELDS`, which is that of the SDK's model too."""
    return tuple(row.model_dump().values())


if __name__ == "__main__":
    pods = PodsClient(APIClient())
    measure(lambda: pods.history(limit=PAGE), read, lambda rows: map(cells, rows))

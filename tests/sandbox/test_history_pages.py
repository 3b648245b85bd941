"""Pages of the history: the same rows at any offset, found without sorting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from primepods_magic.sandbox import start
from primepods_magic.sandbox.domain.clock import STEPPED_START, to_ms
from primepods_magic.sandbox.domain.users import ADA
from primepods_magic.sandbox.schemas.enums import SortBy, SortOrder
from primepods_magic.sandbox.storage.store import Store

from .conftest import Caller

BEFORE_MS = to_ms(STEPPED_START)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[tuple[Caller, Store]]:
    """A sandbox with a longer past, and its database."""
    db = tmp_path / "pods.sqlite"
    with start(db, clock="stepped", history=2000) as sandbox, Caller(sandbox.url) as caller:
        store = Store(db)
        yield caller, store
        store.close()


@pytest.mark.parametrize("sort_by", get_args(SortBy))
@pytest.mark.parametrize("sort_order", get_args(SortOrder))
def test_pages_add_up(shared: tuple[Caller, Store], sort_by: SortBy, sort_order: SortOrder) -> None:
    caller, _ = shared
    # Several pods that were created and ended in the same instant.
    pods = [caller.order()["id"] for _ in range(4)]
    for pod_id in pods:
        assert caller.happen(pod_id, "reclaim").status_code == 200
    # And one that has yet to end.
    caller.delete(f"/api/v1/pods/{caller.order()['id']}")
    rows: list[dict[str, Any]] = []
    for offset in range(0, 2100, 300):
        asked = {"sort_by": sort_by, "sort_order": sort_order, "limit": 300, "offset": offset}
        page = caller.call("GET", "pods/history", params=asked)
        assert page["total_count"] == 2004
        rows += page["data"]
    assert len({row["id"] for row in rows}) == len(rows) == 2004
    keys = [row[sort_by] for row in rows]
    assert keys == sorted(keys, reverse=sort_order == "desc")
    among = [row["id"] for row in rows if row["id"] in pods]
    assert among == (pods if sort_order == "asc" else pods[::-1])


@pytest.mark.parametrize("sort_by", get_args(SortBy))
@pytest.mark.parametrize("sort_order", get_args(SortOrder))
def test_a_far_page_is_found_without_sorting(
    shared: tuple[Caller, Store], sort_by: SortBy, sort_order: SortOrder
) -> None:
    _, store = shared
    asked: list[str] = []
    store._connection.set_trace_callback(asked.append)
    store.history.page(
        BEFORE_MS, ADA.wallets(), limit=10, offset=1900, sort_by=sort_by, sort_order=sort_order
    )
    store._connection.set_trace_callback(None)
    (statement,) = [text for text in asked if "OFFSET" in text]
    plan = [row[3] for row in store._connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert any("COVERING INDEX history_as_" in step for step in plan)
    # One sort is of the ten rows themselves.
    assert sum("TEMP B-TREE" in step for step in plan) <= 1

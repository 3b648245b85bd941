"""Totals and costs say what they leave out: things without a price, or without a beginning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest

from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.current import connect
from tests.support.scripted import Answered, Asked, as_json, scripted

DAY_AGO = (datetime.now(timezone.utc) - timedelta(days=1)).isoformat()
POD = {
    "id": "p" * 32,
    "userId": "ada",
    "name": "train",
    "status": "ACTIVE",
    "priceHr": 2.0,
    "createdAt": DAY_AGO,
}


@contextmanager
def served(pods: list[dict[str, Any]], disks: list[dict[str, Any]] | None = None) -> Iterator[None]:
    """Connect to a service with these live things and no billings."""

    def answer(asked: Asked) -> Answered:
        if asked.path.endswith("/whoami"):
            return as_json({"data": {"id": "ada", "name": "Ada"}})
        if asked.path.endswith("/wallet"):
            return as_json({"balance_usd": 100.0, "recent_billings": []})
        lists = {"/pods/": pods, "/disks/": disks or []}
        rows = next((rows for end, rows in lists.items() if asked.path.endswith(end)), [])
        return as_json({"data": rows, "total_count": len(rows)})

    with scripted(answer) as url:
        connect(settings=Settings(url, "k" * 40))
        yield


@pytest.mark.parametrize("price", [None, "free"])
def test_totals_name_the_pods_whose_price_is_not_known(shell: Any, price: Any) -> None:
    note = "price of 'train' not known, so the total may be too low"
    with served([{**POD, "priceHr": price}, {**POD, "id": "q" * 32, "name": "eval"}]):
        for line in ("%pods ls", "%pods"):
            shell.run(line)
            assert "$2.00/h" in shell.output.text
            assert shell.output.text.count(note) == 1, shell.output.text
        shell.run("%pods costs")
        assert "cost of 'train' not known: no price" in shell.output.text


def test_totals_of_known_prices_say_nothing_of_prices(shell: Any) -> None:
    with served([POD, {**POD, "id": "q" * 32, "status": "TERMINATED", "priceHr": None}]):
        for line in ("%pods ls", "%pods", "%pods costs"):
            shell.run(line)
            assert "not known" not in shell.output.text


def test_names_few_of_many_things_without_a_price(shell: Any) -> None:
    disks = [{"id": f"d{number}", "name": f"d{number}", "status": "ACTIVE"} for number in range(5)]
    with served([POD], disks):
        for line in ("%pods disks", "%pods"):
            shell.run(line)
            assert "prices of 'd0', 'd1', 'd2' and 2 more not known" in shell.output.text


@pytest.mark.parametrize(
    "line", ["%pods", "%pods costs", "%pods costs dearest", "%pods costs --since 2026-01-01"]
)
def test_the_cost_of_a_pod_without_a_beginning_is_not_known(shell: Any, line: str) -> None:
    with served([{**POD, "createdAt": None}]):
        frame = shell.run(line)
    assert shell.output.text.count("cost of 'train' ($2.00/h) not known: no creation time") == 1
    if "cost_usd" in frame:
        assert all(pd.isna(usd) for usd in frame["cost_usd"])

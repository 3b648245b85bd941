"""The history of a real sandbox, over a socket, while pods come and go and requests go wrong: row by row what
the sandbox's database has."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import PodsError
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.history import History, read_history
from primepods_magic.pods.history.table import microseconds
from primepods_magic.sandbox import start
from primepods_magic.sandbox.domain.clock import to_ms
from primepods_magic.sandbox.domain.users import ADA
from tests.sandbox.conftest import Caller
from tests.sandbox.faulty import order
from tests.support.soak import pick

from .moving import soon

__all__ = ["soon"]

pytestmark = pytest.mark.usefixtures("soon")

RUNS = pick(6, 300)
READS = 3
SPARED = {"X-Sandbox-Fault": "none"}
KINDS = (
    ["reset_before", "html", "500_before", "502_before", "503_before", "504_before"],
    ["reset_after", "html_after", "500_after", "502_after", "503_after", "504_after"],
    ["truncated", "html_ok", "wrong_type", "not_json"],
)
TEXTS = {
    "name": "name",
    "type": "type",
    "provider_type": "provider",
    "provisioned_by": "provisioned_by",
    "gpu_name": "gpu_name",
    "socket": "socket",
    "user_id": "user_id",
    "team_id": "team_id",
}


class Truth:
    """What the sandbox's database has."""

    def __init__(self, db: Path, caller: Caller) -> None:
        self._db, self._caller = db, caller

    def now_ms(self) -> int:
        date = self._caller.get("/sandbox").json()["clock"]["now"]
        return to_ms(datetime.fromisoformat(date.replace("Z", "+00:00")))

    def rows(self, now_ms: int) -> dict[str, sqlite3.Row]:
        """The rows that had ended by then, by id."""
        wallets = ADA.wallets()
        with closing(sqlite3.connect(self._db, timeout=30)) as database:
            database.row_factory = sqlite3.Row
            found = database.execute(
                "SELECT * FROM history WHERE terminated_ms <= ? ORDER BY number", (now_ms,)
            ).fetchall()
        found = [row for row in found if row["wallet_id"] in wallets]
        rows = {row["id"]: row for row in found}
        assert len(rows) == len(found)
        return rows


@contextmanager
def moving(url: str, seed: int) -> Iterator[Counter[str]]:
    """Pods that come and go, and time that passes, on threads of their own."""
    over = threading.Event()
    done: Counter[str] = Counter()
    failed: list[BaseException] = []

    def work(number: int) -> None:
        rng = random.Random(f"{seed} {number}")
        pods: list[str] = []
        try:
            with Caller(url) as caller:
                while not over.is_set():
                    kind = rng.choice(["create", "create", "delete", "advance", "leap"])
                    if kind == "create" and len(pods) < 20:
                        answer = caller.post("/api/v1/pods", headers=SPARED, json=order())
                        pods += [answer.json()["id"]] if answer.is_success else []
                    elif kind == "delete" and pods:
                        pod = pods.pop(rng.randrange(len(pods)))
                        # Some at once, and so in the same instant as others.
                        if rng.random() < 0.5:
                            caller.happen(pod, "reclaim")
                        else:
                            caller.delete(f"/api/v1/pods/{pod}", headers=SPARED)
                    elif kind == "advance":
                        caller.advance(rng.choice([1, 30, 600]))
                    elif kind == "leap" and rng.random() < 0.2:
                        caller.advance(rng.choice([3600, 30 * 3600]))
                    done[kind] += 1
                    over.wait(0.002)
        except BaseException as error:  # noqa: BLE001 - told on the thread of the test
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failed, failed


def compare(history: History, before: dict[str, Any], after: dict[str, Any], times: tuple[int, int]) -> None:
    """Whether a table is what the database had, all of it and once."""
    columns = history.table.columns
    ids = list(columns["id"])
    assert len(ids) == len(set(ids)), "twice"
    assert before.keys() <= set(ids), f"missing: {len(before.keys() - set(ids))}"
    assert set(ids) <= after.keys(), "invented"
    for place, pod_id in enumerate(ids):
        row = after[pod_id]
        told = {name: columns[name][place] for name in columns}
        assert {name: told[name] for name in TEXTS} == {
            name: row[field] or None for name, field in TEXTS.items()
        }
        assert told["created_at"] == row["created_ms"] * 1000
        assert told["terminated_at"] == row["terminated_ms"] * 1000
        assert told["gpu_count"] == row["gpu_count"]
        assert told["price_hr"] == row["price_usd_hr"]
        billed = {row["billed_usd"]} if times[0] >= row["settled_ms"] else {row["early_usd"]}
        if times[0] < row["settled_ms"] <= times[1]:
            billed |= {row["billed_usd"]}
        assert told["total_billed_price"] in billed, (pod_id, told["total_billed_price"], billed)
    assert not history.table.marks.any()
    assert list(columns["terminated_at"]) == sorted(columns["terminated_at"])


def one_run(seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    rng = random.Random(seed)
    cap = rng.choice([7, 20, 100, 300, 1000])
    count = rng.randrange(0, min(3000, 60 * cap))
    has_cache, has_faults = rng.random() < 0.6, rng.random() < 0.6
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache") if has_cache else "/proc/none")
    outcomes: Counter[str] = Counter(runs=1)
    folder.mkdir()
    with (
        start(folder / "pods.sqlite", clock="stepped", history=count, page_cap=cap, seed=seed) as sandbox,
        Caller(sandbox.url) as caller,
    ):
        truth = Truth(folder / "pods.sqlite", caller)
        if has_faults:
            share = rng.choice([0.01, 0.05])
            rules: list[dict[str, Any]] = [
                {"fault": kinds, "path": "/pods/history", "probability": share} for kinds in KINDS
            ]
            rules.append({"fault": "429", "path": "/pods/history", "probability": share, "retry_after": 0})
            rules.append({"fault": "latency", "path": "/pods/history", "probability": share, "seconds": 0.02})
            rules.append(
                {"fault": "slow_body", "path": "/pods/history", "probability": share, "seconds": 0.05}
            )
            caller.put("/sandbox/faults", json=rules).raise_for_status()
        try:
            with moving(sandbox.url, seed) as done:
                for number in range(READS):
                    connection = connect(settings=Settings(sandbox.url, "sandbox"))
                    start_ms = truth.now_ms()
                    before = truth.rows(start_ms)
                    refresh = number == READS - 1 and rng.random() < 0.3
                    try:
                        history = read_history(connection, refresh=refresh)
                    except PodsError as error:
                        if not has_faults:
                            raise AssertionError("an error without a fault") from error
                        outcomes["errors"] += 1
                        continue
                    end_ms = truth.now_ms()
                    compare(history, before, truth.rows(end_ms), (start_ms, end_ms))
                    assert microseconds(history.now) <= end_ms * 1000
                    assert has_cache or not history.kept_rows
                    outcomes["reads"] += 1
                    outcomes["rows"] += len(history.table)
                    outcomes["from the cache"] += history.kept_rows
                    outcomes["grew meanwhile"] += len(truth.rows(end_ms)) > len(before)
                    disconnect()
        finally:
            disconnect()
        outcomes.update({f"pods: {kind}": number for kind, number in done.items()})
        injected = caller.get("/sandbox/faults").json()["injected"]
        outcomes["faults"] += sum(injected.values())
    return outcomes


def test_all_that_had_ended_is_read_once_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: Counter[str] = Counter()
    begun = time.monotonic()
    for seed in range(RUNS):
        try:
            outcomes += one_run(seed, tmp_path / str(seed), monkeypatch)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    print(f"\n{time.monotonic() - begun:.0f} s: {dict(sorted(outcomes.items()))}")
    assert outcomes["errors"] <= outcomes["reads"] // 20
    assert outcomes["from the cache"]
    assert outcomes["grew meanwhile"]
    assert outcomes["faults"]

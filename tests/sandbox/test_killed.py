"""Killed at random moments under load: what was acknowledged is there afterwards."""

from __future__ import annotations

import random
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import soak
from tests.support.waiting import eventually

from .conftest import Caller, SandboxProcess, Spawn

KILLS = soak.pick(2, 50)
CLIENTS = 4

pytestmark = pytest.mark.timeout(1800)


@dataclass
class Acknowledged:
    """What the sandbox has said to be done."""

    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted_pods: set[str] = field(default_factory=set)
    unsure_pods: set[str] = field(default_factory=set)
    disks: dict[str, str] = field(default_factory=dict)
    deleted_disks: set[str] = field(default_factory=set)
    unsure_disks: set[str] = field(default_factory=set)
    history: dict[str, dict[str, Any]] = field(default_factory=dict)
    progress: dict[str, int] = field(default_factory=dict)


class Client(threading.Thread):
    """Buys, ends and reads until the sandbox is gone."""

    def __init__(self, url: str, number: int, known: Acknowledged, lock: threading.Lock) -> None:
        super().__init__(name=f"client-{number}")
        self._url = url
        self._random = random.Random(number)
        self._known = known
        self._lock = lock
        self.mistakes: list[str] = []

    def run(self) -> None:
        with Caller(self._url) as caller:
            try:
                while True:
                    self._random.choice(
                        (
                            self._buy_pod,
                            self._buy_pod,
                            self._end_pod,
                            self._buy_disk,
                            self._end_disk,
                            self._read,
                        )
                    )(caller)
            except httpx.TransportError:
                return
            except AssertionError as error:
                self.mistakes.append(str(error))

    def _buy_pod(self, caller: Caller) -> None:
        pod = caller.order("n3-CPUx1", name=f"pod-{self._random.random()}")
        with self._lock:
            self._known.pods[pod["id"]] = pod

    def _end_pod(self, caller: Caller) -> None:
        pod_id = self._claim(set(self._known.pods), self._known.unsure_pods)
        if pod_id is not None:
            caller.call("DELETE", f"pods/{pod_id}")
            with self._lock:
                self._known.deleted_pods.add(pod_id)

    def _buy_disk(self, caller: Caller) -> None:
        order = {
            "disk": {"size": 10, "name": f"disk-{self._random.random()}"},
            "provider": {"type": "runpod"},
        }
        disk = caller.call("POST", "disks", json=order)
        with self._lock:
            self._known.disks[disk["id"]] = disk["name"]

    def _end_disk(self, caller: Caller) -> None:
        disk_id = self._claim(set(self._known.disks), self._known.unsure_disks)
        if disk_id is None:
            return
        answer = caller.delete(f"/api/v1/disks/{disk_id}")
        # One that is still being made cannot be ended yet.
        assert answer.status_code in (200, 409), answer.text
        with self._lock:
            if answer.status_code == 200:
                self._known.deleted_disks.add(disk_id)
            else:
                self._known.unsure_disks.discard(disk_id)

    def _claim(self, bought: set[str], unsure: set[str]) -> str | None:
        """One that nobody has tried to end yet; from now on it may be gone."""
        with self._lock:
            left = sorted(bought - unsure)
            chosen = self._random.choice(left) if left else None
            if chosen is not None:
                unsure.add(chosen)
            return chosen

    def _read(self, caller: Caller) -> None:
        rows = caller.call("GET", "pods/history", params={"limit": 50})["data"]
        states = caller.status(*list(self._known.pods)[:50])
        with self._lock:
            self._known.history |= {row["id"]: row for row in rows}
            for row in states:
                self._known.progress[row["podId"]] = row["installationProgress"]


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_what_was_acknowledged_survives_being_killed(spawn: Spawn, tmp_path: Path, journal: str) -> None:
    chance = random.Random(11)
    db = tmp_path / "pods.sqlite"
    known, lock = Acknowledged(), threading.Lock()
    sandbox = spawn("--db", str(db), "--speed", "5")
    if journal == "delete":
        sandbox = _with_rollback_journal(sandbox, spawn, db)
    with Caller(sandbox.url) as caller:
        caller.put("/sandbox/wallet", json={"balance_usd": 1e9})
    for kill in range(KILLS):
        clients = [Client(sandbox.url, 100 * kill + number, known, lock) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        bought = len(known.pods)
        eventually(lambda bought=bought: len(known.pods) > bought + 2, "some pods are bought", within=60)
        clients[0].join(chance.uniform(0, 0.4))
        sandbox.end(signal.SIGKILL)
        for client in clients:
            client.join()
            assert not client.mistakes
        with closing(sqlite3.connect(db)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA journal_mode").fetchone() == (journal,)
        sandbox = spawn("--db", str(db))
        with Caller(sandbox.url) as caller:
            check(caller, known)
    print(
        f"{journal}: killed {KILLS} times; {len(known.pods)} pods and {len(known.disks)} disks bought, "
        f"{len(known.deleted_pods)} and {len(known.deleted_disks)} ended, {len(known.history)} rows seen"
    )


def check(caller: Caller, known: Acknowledged) -> None:
    """Everything that was acknowledged is as it was said to be."""
    live = {pod["id"]: pod for pod in pages(caller, "pods")}
    history = {row["id"]: row for row in pages(caller, "pods/history")}
    for pod_id, pod in known.pods.items():
        assert pod_id in live or pod_id in history, f"pod {pod_id} is lost"
        if pod_id in live:
            kept = ("name", "createdAt", "gpuName", "walletId")
            assert [live[pod_id][key] for key in kept] == [pod[key] for key in kept]
            assert live[pod_id]["installationProgress"] >= known.progress.get(pod_id, 0)
        if pod_id not in known.unsure_pods:
            assert pod_id in live, f"pod {pod_id} ended by itself"
    for pod_id in known.deleted_pods:
        assert pod_id in history or live[pod_id]["status"] == "DELETING", f"pod {pod_id} is back"
    disks = {disk["id"]: disk for disk in pages(caller, "disks")}
    for disk_id, name in known.disks.items():
        assert disk_id in disks or disk_id in history, f"disk {disk_id} is lost"
        if disk_id not in known.unsure_disks:
            assert disks[disk_id]["name"] == name
    for disk_id in known.deleted_disks:
        assert disk_id in history or disks[disk_id]["status"] == "DELETING", f"disk {disk_id} is back"
    for row_id, row in known.history.items():
        # What is billed late may have grown.
        unbilled = {**row, "totalBilledPrice": history[row_id]["totalBilledPrice"]}
        assert history[row_id] == unbilled
        assert history[row_id]["totalBilledPrice"] >= row["totalBilledPrice"]


def pages(caller: Caller, path: str) -> list[dict[str, Any]]:
    """Every row of a list."""
    rows: list[dict[str, Any]] = []
    while True:
        page = caller.call("GET", path, params={"offset": len(rows), "limit": 1000})
        rows += page["data"]
        if len(rows) >= page["total_count"] or not page["data"]:
            return rows


def _with_rollback_journal(
    sandbox: SandboxProcess, spawn: Callable[..., SandboxProcess], db: Path
) -> SandboxProcess:
    """The same database as it would be on a network file system."""
    sandbox.end(signal.SIGTERM)
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    return spawn("--db", str(db), "--speed", "5")

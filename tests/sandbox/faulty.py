"""A sandbox whose requests go wrong: what the client sees, and what the database holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from primepods_magic.sandbox import start

from .conftest import Caller


@dataclass(frozen=True)
class Faulty:
    """A running sandbox, and its file."""

    caller: Caller
    db: Path

    def create(self, fault: str | None = None) -> httpx.Response:
        """Send an order, perhaps asking for a fault."""
        headers = {} if fault is None else {"X-Sandbox-Fault": fault}
        return self.caller.post("/api/v1/pods", headers=headers, json=order())

    def get(self, path: str, fault: str | None = None) -> httpx.Response:
        """Read something, perhaps asking for a fault."""
        headers = {} if fault is None else {"X-Sandbox-Fault": fault}
        return self.caller.get(f"/api/v1/{path}", headers=headers)

    def bought(self) -> int:
        """How many pods there are in truth, those that have yet to begin included."""
        with closing(sqlite3.connect(self.db)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM pods").fetchone()
            return int(count)

    def listed(self) -> int:
        """How many pods the list says there are."""
        page = self.get("pods", "none").json()
        assert len(page["data"]) == page["total_count"]
        return int(page["total_count"])

    def injected(self) -> dict[str, int]:
        """How often each fault has happened."""
        counts: dict[str, int] = self.caller.get("/sandbox/faults").json()["injected"]
        return counts

    def outcome(self, method: str, path: str, **options: Any) -> object:
        """What a client sees of a request, comparable."""
        try:
            answer = self.caller.request(method, f"/api/v1/{path}", **options)
        except httpx.HTTPError as error:
            return type(error).__name__
        return answer.status_code, answer.headers["content-type"], answer.headers.get("retry-after")


@contextmanager
def faulty(folder: Path, **settings: Any) -> Iterator[Faulty]:
    """A sandbox whose clock stands still, unless told otherwise."""
    db = folder / "pods.sqlite"
    with (
        start(db, **{"clock": "stepped", "history": 5, **settings}) as sandbox,
        Caller(sandbox.url) as caller,
    ):
        yield Faulty(caller, db)


def order() -> dict[str, Any]:
    """The body that buys the specification's example."""
    pod = {
        "name": "a pod",
        "cloudId": "n3-H100x1",
        "gpuType": "H100_80GB",
        "socket": "PCIe",
        "gpuCount": 1,
        "dataCenterId": "CANADA-1",
    }
    return {"pod": pod, "provider": {"type": "hyperstack"}}

"""A service in memory whose history moves between two requests, and which keeps count of what it is asked."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.http import session as transport
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.history import History
from primepods_magic.pods.support.clock import ServiceClock

KEY = "k" * 40
NOW = datetime(2026, 9, 14, 8, tzinfo=timezone.utc)

Spoil = Callable[[int], httpx.Response | None]


def row(number: int, ended: datetime, billed: float | None = None) -> dict[str, Any]:
    """One row as the service sends it, different from all others."""
    return {
        "id": f"pod-{number}",
        "name": f"train-{number % 7}",
        "type": "Instance",
        "providerType": "hyperstack",
        "provisionedBy": "Ada",
        "createdAt": f"{ended - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}",
        "terminatedAt": f"{ended:%Y-%m-%dT%H:%M:%SZ}",
        "gpuName": "H100_80GB",
        "gpuCount": 1 + number % 8,
        "socket": "PCIe",
        "priceHr": 2.0 + number / 1000,
        "userId": "ada",
        "teamId": None,
        "totalBilledPrice": 4.0 + number / 500 if billed is None else billed,
    }


class MovingService(httpx.BaseTransport):
    """The history of one account, as a list that a test may change at any time.

    Attributes
    ----------
    rows : list of dict
        As they are listed, whatever the order is.
    cap, refuses_above : int
        The longest page, and the largest limit that is not refused.
    total : callable
        What is said of how many rows there are, by how many there are.
    spoil : callable
        Shown the number of each request; answers in place of the service unless it returns nothing.
    before : callable
        Called before each page is cut.
    asked : list of tuple
        The limit and offset of every request for pages.
    most_in_flight : int
        How many requests there were at one time.
    """

    def __init__(self, count: int = 0, *, now: datetime = NOW, user: str = "ada") -> None:
        self.now = now
        self.user = user
        self._number = 0
        self.rows: list[dict[str, Any]] = []
        self.cap, self.refuses_above = 1000, 10**9
        self.total: Callable[[int], Any] = lambda count: count
        self.spoil: Spoil = lambda number: None
        self.before: Callable[[], object] = lambda: None
        self.page: Callable[[int, list[dict[str, Any]]], list[dict[str, Any]]] = lambda number, page: page
        self.ignores_offset, self.tells_time = False, True
        self.hold: Callable[[], object] = lambda: None
        self.asked: list[tuple[int, int]] = []
        self.in_flight = self.most_in_flight = 0
        self.lock = threading.RLock()
        for _ in range(count):
            self.append(days=200 - 190 * self._number / max(1, count))

    def append(self, *, days: float | None = None) -> dict[str, Any]:
        """A pod ends, now or so many days ago."""
        ended = self.now - timedelta(days=days) if days is not None else self.now
        self.rows.append(row(self._number, ended))
        self._number += 1
        return self.rows[-1]

    def insert(self, place: int) -> None:
        """A pod turns up that had ended in between."""
        near = self.rows[min(place, len(self.rows) - 1)]["terminatedAt"] if self.rows else None
        new = self.append()
        if near:
            new["terminatedAt"] = near
        self.rows.insert(place, self.rows.pop())

    @property
    def ids(self) -> list[str]:
        return [row["id"] for row in self.rows]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if "history" not in request.url.path:
            return self._answer({"data": {"id": self.user}, "id": self.user})
        query = parse_qs(request.url.query.decode())
        limit, offset = int(query["limit"][0]), int(query["offset"][0])
        with self.lock:
            number = len(self.asked)
            self.asked.append((limit, offset))
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            self.hold()
            with self.lock:
                spoilt = self.spoil(number)
                if spoilt is not None:
                    return spoilt
                self.before()
                if limit > self.refuses_above:
                    return httpx.Response(422, json={"detail": "limit: too large"})
                begin = 0 if self.ignores_offset else offset
                page = self.page(number, self.rows[begin : begin + min(limit, self.cap)])
                total = self.total(len(self.rows))
                body = {"data": page} if total is None else {"data": page, "total_count": total}
                return self._answer(json.loads(json.dumps(body)))
        finally:
            with self.lock:
                self.in_flight -= 1

    def _answer(self, body: Any) -> httpx.Response:
        date = {"Date": format_datetime(self.now, usegmt=True)} if self.tells_time else {}
        return httpx.Response(200, json=body, headers=date)


@contextmanager
def connected(service: MovingService, *, instance: str | None = None) -> Iterator[Connection]:
    """A connection to it."""
    client = Client(Settings("https://api.example.test", f"{service.user}-{KEY}"), http=service)
    clock = ServiceClock(client.session)
    connection = Connection(client, clock, is_sandbox=instance is not None, _instance=instance)
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that fail are sent again at once, and given up soon."""
    monkeypatch.setattr(transport, "FIRST_BACKOFF_S", 0.002)
    monkeypatch.setattr(transport, "MAX_BACKOFF_S", 0.01)
    monkeypatch.setattr(transport, "RETRY_BUDGET_S", 0.5)


def ids(history: History) -> list[str]:
    return list(history.table.columns["id"])


def faults(rng: random.Random) -> Spoil:
    """Something goes wrong with one request in ten."""
    kinds: list[Callable[[], httpx.Response]] = [
        lambda: httpx.Response(500, json={"detail": "oops"}),
        lambda: httpx.Response(429, json={"detail": "busy"}, headers={"Retry-After": "0"}),
        lambda: httpx.Response(200, content=b'{"data": [{"id":'),
        lambda: httpx.Response(503, content=b"<html>"),
    ]
    return lambda number: rng.choice(kinds)() if rng.random() < 0.1 else None

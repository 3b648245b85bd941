"""A list in memory that moves between two requests, served by a service with habits of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx

from primepods_magic.api.client import Client
from primepods_magic.api.http.session import HttpSession
from primepods_magic.api.settings import Settings

KEY = "k" * 40


class MovingList(httpx.BaseTransport):
    """Answers every path with pages of one list.

    Attributes
    ----------
    rows : list of dict
        What is listed, in order.
    move : callable
        Called with the number of every request before it is answered.
    ignores_offset, ignores_limit, echoes_limit : bool
        Habits of the service.
    cap, refuses_above : int
        The longest page, and the largest limit that is not refused.
    total : callable
        What is said of how many rows there are, by how many there are and how many are on the page; nothing
        is said where it returns ``None``.
    page : callable
        May change the rows of a page.
    lag : callable
        Says how many requests ago the list was as the next page has it.
    asked : list of tuple
        The offset and limit of every request.
    """

    def __init__(self, count: int = 0) -> None:
        self.rows = [row(number) for number in range(count)]
        self.move: Callable[[int], object] = lambda number: None
        self.ignores_offset = self.ignores_limit = False
        self.echoes_limit = True
        self.cap = self.refuses_above = 10**9
        self.total: Callable[[int, int], Any] = lambda count, shown: count
        self.page: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda rows: rows
        self.lag: Callable[[], int] = lambda: 0
        self.asked: list[tuple[int, int]] = []
        self._past: list[list[dict[str, Any]]] = []

    @property
    def ids(self) -> list[str]:
        return [row["id"] for row in self.rows]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        query = parse_qs(request.url.query.decode())
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        self._past.append(list(self.rows))
        self.move(len(self.asked))
        self.asked.append((offset, limit))
        if limit > self.refuses_above:
            return httpx.Response(422, json={"detail": "limit: too large"})
        granted = min(limit, self.cap)
        begin = 0 if self.ignores_offset else offset
        listed = [*self._past, self.rows][-1 - min(self.lag(), len(self._past))]
        page = self.page(listed[begin:] if self.ignores_limit else listed[begin : begin + granted])
        body: dict[str, Any] = {"data": page, "offset": offset}
        if self.echoes_limit:
            body["limit"] = granted
        total = self.total(len(listed), len(page))
        return httpx.Response(200, json=body if total is None else {**body, "total_count": total})


def row(number: int) -> dict[str, Any]:
    return {"id": f"pod-{number}", "name": f"train-{number}", "status": "ACTIVE"}


def client_of(service: httpx.BaseTransport) -> Client:
    """A client of the service, which waits for nothing."""
    settings = Settings("https://api.example.test", KEY)
    client = Client(settings, http=service)
    client.session = HttpSession(settings, transport=service, sleep=lambda seconds: None)
    return client


class Shuffler:
    """Moves a list at random, and knows who has been in it all the time.

    Parameters
    ----------
    service : MovingList
        Whose list.
    rng : random.Random
        Decides everything.
    pace : float
        How many things happen between two requests, on average.
    """

    def __init__(self, service: MovingList, rng: random.Random, pace: float) -> None:
        self._service, self._rng, self._pace = service, rng, pace
        self._next = len(service.rows)
        self.survivors = set(service.ids)

    def move(self, number: int) -> None:
        """Let some pods end, begin, or change places."""
        rng, rows = self._rng, self._service.rows
        for _ in range(int(rng.expovariate(1 / self._pace)) if self._pace else 0):
            what = rng.choice(["end", "begin", "move"])
            if what == "begin":
                rows.insert(rng.choice([0, len(rows), rng.randint(0, len(rows))]), row(self._next))
                self._next += 1
            elif rows:
                taken = rows.pop(rng.randrange(len(rows)))
                if what == "move":
                    rows.insert(rng.choice([0, len(rows), rng.randint(0, len(rows))]), taken)
        self.survivors &= set(self._service.ids)

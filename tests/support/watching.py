"""A service whose pods a test moves, and a clock that goes only as far as the test lets it."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs

import httpx

from primepods_magic.api.client import Client
from primepods_magic.api.http.session import HttpSession
from primepods_magic.api.models import PodDetails
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.connection import Connection
from tests.support.waiting import eventually

START = datetime(2026, 11, 24, 9, tzinfo=timezone.utc)
SSH = "root@203.0.113.7 -p 22"
WATCHING = "primepods-watch"

Answer = Callable[[httpx.Request], httpx.Response | None]


def watchers() -> list[threading.Thread]:
    """The threads that look at pods in this process."""
    return [thread for thread in threading.enumerate() if thread.name == WATCHING]


class Service(httpx.BaseTransport):
    """Answers as the published service does, and keeps what it was asked.

    Attributes
    ----------
    pods : dict of str to dict
        What lives there, as JSON, by id.
    ended : list of dict
        The history, the latest end first.
    asked : list of str
        Every request: its path, and of a status how many ids it named.
    answer : callable
        Is shown every request, and answers in the place of the service unless it returns nothing.
    """

    def __init__(self, *names: str) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.ended: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.answer: Answer = lambda request: None
        self.longest_url = 0
        self.lock = threading.Lock()
        for name in names:
            self.put(name)

    def put(self, name: str, **said: Any) -> PodDetails:
        """Let a pod live there, or change it; its id is its name."""
        with self.lock:
            new = {"id": name, "name": name, "status": "PROVISIONING", "installationStatus": "PENDING"}
            self.pods[name] = {**new, **self.pods.get(name, {}), **said}
            return PodDetails.model_validate(self.pods[name])

    def make_ready(self, *names: str) -> None:
        for name in names or tuple(self.pods):
            self.put(name, status="ACTIVE", installationStatus="COMPLETE", sshConnection=SSH)

    def take(self, *names: str) -> None:
        """Let pods end."""
        with self.lock:
            for name in names:
                pod = self.pods.pop(name)
                self.ended.insert(0, {"id": pod["id"], "name": name, "terminatedAt": START.isoformat()})

    @property
    def details(self) -> list[PodDetails]:
        """What lives there now."""
        with self.lock:
            return [PodDetails.model_validate(pod) for pod in self.pods.values()]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        query = parse_qs(request.url.query.decode())
        path = request.url.path.removeprefix("/api/v1").rstrip("/")
        ids = query.get("pod_ids", [])
        self.longest_url = max(self.longest_url, len(str(request.url)))
        self.asked.append(f"{path} {len(ids)}" if path.endswith("/status") else path)
        told = self.answer(request)
        if told is not None:
            return told
        with self.lock:
            if path == "/pods/status":
                rows = [self._entry(self.pods[pod_id]) for pod_id in ids if pod_id in self.pods]
                return httpx.Response(200, json={"data": rows, "status": None})
            if path in ("/pods", "/pods/history"):
                rows = list(self.pods.values()) if path == "/pods" else self.ended
                offset, limit = int(query["offset"][0]), int(query["limit"][0])
                page = rows[offset : offset + limit]
                return httpx.Response(200, json={"data": page, "total_count": len(rows)})
            pod = self.pods.get(path.removeprefix("/pods/"))
            if pod is not None:
                return httpx.Response(200, json=pod)
        if path.endswith(("/log", "/logs")):
            return httpx.Response(200, json={"logs": "one\ntwo"})
        return httpx.Response(404, json={"detail": "nothing is here"})

    @staticmethod
    def _entry(pod: dict[str, Any]) -> dict[str, Any]:
        names = (
            "status",
            "installationStatus",
            "installationProgress",
            "installationFailure",
            "sshConnection",
        )
        return {"podId": pod["id"], **{name: pod[name] for name in names if name in pod}}


def of_status(request: httpx.Request) -> bool:
    return request.url.path.endswith("/status")


def broken(content: bytes, kind: str = "application/json", status: int = 200) -> httpx.Response:
    """An answer of these bytes."""
    return httpx.Response(status, content=content, headers={"Content-Type": kind})


class GatedClock:
    """A clock that the watching thread moves by waiting, up to where the test lets it; others wait for that.

    Parameters
    ----------
    free : bool
        It may go as far as it likes.
    consumers : int
        So many others have to wait for news before it moves at all.
    """

    def __init__(self, *, free: bool = False, consumers: int = 0) -> None:
        self._now_s = 0.0
        self._limit_s = math.inf if free else 0.0
        self._parked_at_s: float | None = None
        self.consumers = consumers
        self._waiting: dict[int, threading.Event] = {}

    def now(self) -> datetime:
        return START + timedelta(seconds=self._now_s)

    def monotonic(self) -> float:
        return self._now_s

    def sleep(self, seconds: float) -> None:
        self._now_s += seconds

    def pass_by(self, seconds: float) -> bool:
        return False

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        until_s = math.inf if seconds is None else self._now_s + seconds
        if threading.current_thread().name == WATCHING:
            return self._wait_and_move(event, until_s)
        me = threading.get_ident()
        self._waiting[me] = event
        try:
            while not event.wait(0.001):
                if self._now_s >= until_s:
                    return False
            return True
        finally:
            del self._waiting[me]

    def _wait_and_move(self, event: threading.Event, until_s: float) -> bool:
        while not event.is_set():
            limit_s = self._limit_s
            idle = [news for news in list(self._waiting.values()) if not news.is_set()]
            if until_s <= limit_s and len(idle) >= self.consumers:
                self._now_s = max(self._now_s, until_s)
                return False
            if until_s > limit_s:
                self._parked_at_s = limit_s
            event.wait(0.001)
        return True

    def let_pass(self, seconds: float) -> None:
        """Let so much time pass, and return when all that was due in it has been done."""
        target_s = self._now_s + seconds
        self._parked_at_s, self._limit_s = None, target_s
        eventually(
            lambda: self._parked_at_s == target_s or not watchers(),
            "the watching thread has come so far",
            every=0.001,
        )
        self._now_s = target_s


@contextmanager
def connected(
    service: Service, clock: Any = None, *, interval_s: float | None = 5.0, free: bool = False
) -> Iterator[Connection]:
    """A connection to the service; nobody waits in real time, neither for pods nor to try again."""
    settings = Settings("https://api.example.test", "k" * 40)
    client = Client(settings, http=service)
    client.session = HttpSession(settings, transport=service, sleep=lambda seconds: None)
    connection = Connection(client, clock or GatedClock(free=free), False, poll_interval_s=interval_s)
    try:
        yield connection
    finally:
        connection.close()


def as_json(body: Any, status: int = 200, **headers: str) -> httpx.Response:
    """An answer of JSON."""
    return httpx.Response(status, content=json.dumps(body).encode(), headers=headers)

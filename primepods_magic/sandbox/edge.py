"""What every request passes before it reaches a route: who asks, from where, and how the path is written."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .clock import http_date
from .keys import BUILT_IN_KEYS
from .store import seeded_token
from .world import World

API_PREFIX = "/api/v1"

_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_log = logging.getLogger("primepods_magic.sandbox")
_log.addHandler(logging.NullHandler())


class Edge:
    """The outermost layer of the sandbox.

    It keeps web pages out, checks the key, makes both spellings of a path one, adds the ``Date`` of the
    sandbox's clock and an ``X-Request-Id``, and turns a fault of ours into a plain 500.

    Parameters
    ----------
    app:
        What answers the requests that may pass.
    world:
        Whose clock dates the answers.
    latency_s:
        How long each request is held back.
    seed:
        What the ids of requests follow from, with the method, the path and how often they were asked for.
    """

    def __init__(self, app: ASGIApp, world: World, *, latency_s: float, seed: int) -> None:
        self._app = app
        self._world = world
        self._latency_s = latency_s
        self._seed = seed
        self._requests: Counter[tuple[str, str]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        path = scope["path"].rstrip("/") or "/"
        request_id = self._request_id(scope["method"], path)
        has_answered = False

        async def send_dated(message: Message) -> None:
            nonlocal has_answered
            if message["type"] == "http.response.start":
                has_answered = True
                headers = MutableHeaders(scope=message)
                headers["Date"] = http_date(self._world.now_ms())
                headers["X-Request-Id"] = request_id
            await send(message)

        scope = {**scope, "path": path, "raw_path": path.encode()}
        app = _refusal(scope)
        if app is None:
            app = self._app
            # Before anything is held back: what was sent is acted on, even if its sender gives up meanwhile.
            body = await _whole_body(receive)
            if body is None:
                return
            receive = _replayed(body, receive)
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        try:
            await app(scope, receive, send_dated)
        except Exception:  # noqa: BLE001 - answers for every fault of ours
            # The log gets the traceback, the client does not.
            _log.exception("%s %s failed", scope["method"], path)
            if not has_answered:
                await _answer(500, "Internal Server Error")(scope, receive, send_dated)

    def _request_id(self, method: str, path: str) -> str:
        self._requests[method, path] += 1
        return seeded_token(self._seed, "request", method, path, self._requests[method, path])


async def _whole_body(receive: Receive) -> bytes | None:
    """The body of a request; None when its sender went away in the middle of it."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives a body that has been read, and then goes on as before."""
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


def _refusal(scope: Scope) -> ASGIApp | None:
    """The answer to a request that may not pass; None when it may."""
    headers = Headers(scope=scope)
    # A page in a browser can reach loopback too. It cannot hide its origin, nor choose the Host it sends.
    if "origin" in headers:
        return _answer(403, "The sandbox does not answer web pages")
    if _hostname(headers.get("host", "")) not in _LOOPBACK_NAMES:
        return _answer(403, "The sandbox answers this computer only: the Host must be a loopback name")
    if scope["path"].startswith(API_PREFIX):
        return _key_refusal(scope, headers, scope["method"])
    return None


def _key_refusal(scope: Scope, headers: Headers, method: str) -> ASGIApp | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return _answer(403, "Not authenticated")
    found = BUILT_IN_KEYS.get(key.strip())
    if found is None:
        return _answer(401, "Invalid token")
    scope["state"] = {**scope.get("state", {}), "key": found}
    if method not in ("GET", "HEAD") and not found.writes:
        return _answer(
            403, "This key lacks the permission Instances -> Read and Write that this request needs"
        )
    return None


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _answer(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status)

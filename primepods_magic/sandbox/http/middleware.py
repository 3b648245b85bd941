"""What every request passes before it reaches a route: who asks, from where, and how the path is written."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from primepods_magic.sandbox.domain.clock import http_date
from primepods_magic.sandbox.faults.rules import route_of
from primepods_magic.sandbox.service.service import SandboxService
from primepods_magic.sandbox.storage.store import seeded_token

from .auth import LONGEST_BODY, RequestGuard, answer, too_long

_log = logging.getLogger("primepods_magic.sandbox")
_log.addHandler(logging.NullHandler())


class GatewayMiddleware:
    """The outermost layer of the sandbox.

    It lets only those pass that may, bounds what they send, makes both spellings of a path one, adds the
    ``Date`` of the sandbox's clock and an ``X-Request-Id``, and turns a fault of ours into a plain 500.

    Parameters
    ----------
    app:
        What answers the requests that may pass.
    admission:
        Which requests may pass.
    world:
        Whose clock dates the answers.
    latency_s:
        How long each request is held back.
    seed:
        What the ids of requests follow from, with the method, the path and how often they were asked for.
    """

    def __init__(
        self, app: ASGIApp, admission: RequestGuard, world: SandboxService, *, latency_s: float, seed: int
    ) -> None:
        self._app = app
        self._admission = admission
        self._world = world
        self._latency_s = latency_s
        self._seed = seed
        self._requests: Counter[tuple[str, str]] = Counter()
        self._one_by_one = asyncio.Lock()

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

        state = {**scope.get("state", {}), "world": self._world}
        scope = {**scope, "path": path, "raw_path": path.encode(), "state": state}
        app: ASGIApp | None = self._admission.refusal(scope)
        if app is None:
            app = self._app
            # Before anything is held back: what was sent is acted on, even if its sender gives up meanwhile.
            body = await _whole_body(receive)
            if body is None:
                return
            if len(body) > LONGEST_BODY:
                app = too_long()
            receive = _replayed(body, receive)
        if self._latency_s:
            await self._hold_back()
        try:
            await app(scope, receive, send_dated)
        except Exception:  # noqa: BLE001 - answers for every fault of ours
            # The log gets the traceback, the client does not.
            _log.exception("%s %s failed", scope["method"], path)
            if not has_answered:
                await answer(500, "Internal Server Error")(scope, receive, send_dated)

    async def _hold_back(self) -> None:
        await asyncio.sleep(self._latency_s)
        # Those that came together are answered with a look at the sockets between them. All in one go, what
        # arrives meanwhile would wait for the last of them before its own time began.
        async with self._one_by_one:
            await asyncio.sleep(0)

    def _request_id(self, method: str, path: str) -> str:
        route = method, route_of(path)
        self._requests[route] += 1
        return seeded_token(self._seed, "request", *route, self._requests[route])


async def _whole_body(receive: Receive) -> bytes | None:
    """The body of a request, as far as it may be read; None when its sender went away in the middle of it."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False) or len(body) > LONGEST_BODY:
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

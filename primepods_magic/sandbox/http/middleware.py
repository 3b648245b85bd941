"""The outermost middleware."""

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

from .auth import MAX_BODY_BYTES, RequestGuard, body_too_long, error_response

__all__ = ["GatewayMiddleware"]

_log = logging.getLogger("primepods_magic.sandbox")
_log.addHandler(logging.NullHandler())


class GatewayMiddleware:
    """The outermost layer: checks requests, normalizes paths, adds headers, and catches errors."""

    def __init__(
        self, app: ASGIApp, guard: RequestGuard, service: SandboxService, *, latency_s: float, seed: int
    ) -> None:
        self._app = app
        self._guard = guard
        self._service = service
        self._latency_s = latency_s
        self._seed = seed
        self._requests: Counter[tuple[str, str]] = Counter()
        self._turn_lock = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return
        path = scope["path"].rstrip("/") or "/"
        request_id = self._make_request_id(scope["method"], path)
        has_responded = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_responded
            if message["type"] == "http.response.start":
                has_responded = True
                headers = MutableHeaders(scope=message)
                headers["Date"] = http_date(self._service.now_ms())
                headers["X-Request-Id"] = request_id
            await send(message)

        state = {**scope.get("state", {}), "service": self._service}
        scope = {**scope, "path": path, "raw_path": path.encode(), "state": state}
        app: ASGIApp | None = self._guard.refusal(scope)
        if app is None:
            app = self._app
            # Read the body before any delay: the request is executed even if the client gives up meanwhile.
            body = await _read_body(receive)
            if body is None:
                return
            if len(body) > MAX_BODY_BYTES:
                app = body_too_long()
            receive = _replay_body(body, receive)
        if self._latency_s:
            await self._delay_request()
        try:
            await app(scope, receive, send_with_headers)
        except Exception:  # noqa: BLE001 - handles all internal errors
            # Log the traceback; never send it to the client.
            _log.exception("%s %s failed", scope["method"], path)
            if not has_responded:
                await error_response(500, "Internal Server Error")(scope, receive, send_with_headers)

    async def _delay_request(self) -> None:
        await asyncio.sleep(self._latency_s)
        # Poll the sockets between requests that arrived together. Otherwise a new request would wait for
        # all of them before its own delay begins.
        async with self._turn_lock:
            await asyncio.sleep(0)

    def _make_request_id(self, method: str, path: str) -> str:
        route = method, route_of(path)
        self._requests[route] += 1
        return seeded_token(self._seed, "request", *route, self._requests[route])


async def _read_body(receive: Receive) -> bytes | None:
    """Read a request body up to the limit; return None if the client disconnected."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False) or len(body) > MAX_BODY_BYTES:
            return bytes(body)


def _replay_body(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that first gives the body that was already read."""
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give

"""Middleware that applies faults to requests and responses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .disconnect import hang_up, reset
from .parsing import FAULT_HEADER, read_header
from .rules import BEFORE, Fault, FaultKind, Faults

__all__ = ["FaultMiddleware"]

_SLOW_CHUNKS = 20
_WRONG_TYPES = ("text/plain; charset=utf-8", "application/octet-stream")
_NO_OFFERS = b'{"items":[],"totalCount":0}'
# The status of a proxy's HTML page by fault.
_PAGE_STATUS: dict[FaultKind, int] = {"html": 502, "html_after": 504, "html_ok": 200}
_PAGE = """<html>
<head><title>{status} {phrase}</title></head>
<body>
<center><h1>{status} {phrase}</h1></center>
<hr><center>nginx</center>
</body>
</html>
"""


@dataclass
class FaultedResponse:
    """A buffered response of the application."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def receive(self, message: Message) -> None:
        """Receive one ASGI message of the application."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")

    def with_content_type(self, content_type: str) -> FaultedResponse:
        headers = MutableHeaders(raw=list(self.headers))
        headers["content-type"] = content_type
        return replace(self, headers=headers.raw)

    def with_body(self, body: bytes) -> FaultedResponse:
        """Return a copy with another body and its length."""
        headers = MutableHeaders(raw=list(self.headers))
        headers["content-length"] = str(len(body))
        return replace(self, headers=headers.raw, body=body)

    async def send_head(self, send: Send) -> None:
        """Send the status and the headers."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})

    async def send(self, send: Send) -> None:
        await self.send_head(send)
        await send({"type": "http.response.body", "body": self.body})


class FaultMiddleware:
    """Middleware that injects faults into requests below `prefix`."""

    def __init__(self, app: ASGIApp, faults: Faults, prefix: str) -> None:
        self._app = app
        self._faults = faults
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, whose body has been read."""
        if not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"].removeprefix(self._prefix)
        header = Headers(scope=scope).get(FAULT_HEADER)
        try:
            requested = None if header is None else read_header(header, method, path)
        except ValueError as error:
            await JSONResponse({"detail": str(error)}, 400)(scope, receive, send)
            return
        is_exempt = header is not None and requested is None
        fault = self._faults.decide(method, path, requested, is_exempt=is_exempt)
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind in BEFORE:
            await self._fail_before(fault, scope, receive, send)
        else:
            await self._fail_after(fault, scope, receive, send)

    async def _fail_before(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(fault.seconds)
        if fault.kind == "latency":
            await self._app(scope, receive, send)
        elif fault.kind == "reset_before":
            await reset(scope, receive)
        else:
            await _make_error(fault)(scope, receive, send)

    async def _fail_after(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        response = FaultedResponse()
        scope = {**scope, "state": {**scope["state"], "commit_delay": fault.commit_delay}}
        await self._app(scope, receive, response.receive)
        if fault.kind == "listed_late":
            await response.send(send)
        elif fault.kind == "commits_late":
            await reset(scope, receive)
        elif fault.kind == "slow_body":
            await _send_slowly(response, fault.seconds, send)
        else:
            await asyncio.sleep(fault.seconds)
            await self._send_spoiled(fault, response, scope, receive, send)

    async def _send_spoiled(
        self, fault: Fault, response: FaultedResponse, scope: Scope, receive: Receive, send: Send
    ) -> None:
        half = response.body[: len(response.body) // 2]
        if fault.kind == "reset_after":
            await reset(scope, receive)
        elif fault.kind == "truncated":
            await response.send_head(send)
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await hang_up(scope, receive)
        elif fault.kind == "wrong_type":
            await response.with_content_type(_WRONG_TYPES[fault.variant % len(_WRONG_TYPES)]).send(send)
        elif fault.kind == "not_json":
            await response.with_body(half).send(send)
        elif fault.kind == "empty_availability":
            await (response.with_body(_NO_OFFERS) if response.status == HTTPStatus.OK else response).send(
                send
            )
        else:
            await _make_error(fault)(scope, receive, send)


async def _send_slowly(response: FaultedResponse, seconds: float, send: Send) -> None:
    await response.send_head(send)
    size = max(1, -(-len(response.body) // _SLOW_CHUNKS))
    pieces = [response.body[first : first + size] for first in range(0, len(response.body), size)]
    for piece in pieces:
        await asyncio.sleep(seconds / len(pieces))
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _make_error(fault: Fault) -> Response:
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    if fault.kind in _PAGE_STATUS:
        status = HTTPStatus(_PAGE_STATUS[fault.kind])
        return HTMLResponse(_PAGE.format(status=status.value, phrase=status.phrase), status, headers)
    status = HTTPStatus(int(fault.kind.partition("_")[0]))
    return JSONResponse({"detail": status.phrase}, status, headers)

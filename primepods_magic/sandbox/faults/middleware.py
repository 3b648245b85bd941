"""What a fault does to a request and to its answer."""

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

_DRIPS = 20
_WRONG_TYPES = ("text/plain; charset=utf-8", "application/octet-stream")
_NO_OFFERS = b'{"items":[],"totalCount":0}'
# What a proxy says, by the fault.
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
    """What the application answered, held back."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def note(self, message: Message) -> None:
        """Take one message of the application."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")

    def of_type(self, content_type: str) -> FaultedResponse:
        """The same answer under another content type."""
        headers = MutableHeaders(raw=list(self.headers))
        headers["content-type"] = content_type
        return replace(self, headers=headers.raw)

    def holding(self, body: bytes) -> FaultedResponse:
        """The same answer with another body of the right length."""
        headers = MutableHeaders(raw=list(self.headers))
        headers["content-length"] = str(len(body))
        return replace(self, headers=headers.raw, body=body)

    async def begin(self, send: Send) -> None:
        """Send the status and the headers."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})

    async def send(self, send: Send) -> None:
        """Send everything."""
        await self.begin(send)
        await send({"type": "http.response.body", "body": self.body})


class FaultMiddleware:
    """Lets requests of the Pods API go wrong as :class:`.rules.Faults` decides, or as they ask for.

    Parameters
    ----------
    app:
        What acts on the requests.
    faults:
        What decides.
    prefix:
        The paths that are concerned begin with it.
    """

    def __init__(self, app: ASGIApp, faults: Faults, prefix: str) -> None:
        self._app = app
        self._faults = faults
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request whose body has been read."""
        if not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        method, path = scope["method"], scope["path"].removeprefix(self._prefix)
        header = Headers(scope=scope).get(FAULT_HEADER)
        try:
            asked = None if header is None else read_header(header, method, path)
        except ValueError as error:
            await JSONResponse({"detail": str(error)}, 400)(scope, receive, send)
            return
        is_exempt = header is not None and asked is None
        fault = self._faults.decide(method, path, asked, is_exempt=is_exempt)
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind in BEFORE:
            await self._before(fault, scope, receive, send)
        else:
            await self._after(fault, scope, receive, send)

    async def _before(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(fault.seconds)
        if fault.kind == "latency":
            await self._app(scope, receive, send)
        elif fault.kind == "reset_before":
            await reset(scope, receive)
        else:
            await _refusal(fault)(scope, receive, send)

    async def _after(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        answer = FaultedResponse()
        scope = {**scope, "state": {**scope["state"], "lateness": fault.lateness}}
        await self._app(scope, receive, answer.note)
        if fault.kind == "listed_late":
            await answer.send(send)
        elif fault.kind == "commits_late":
            await reset(scope, receive)
        elif fault.kind == "slow_body":
            await _drip(answer, fault.seconds, send)
        else:
            await asyncio.sleep(fault.seconds)
            await self._spoilt(fault, answer, scope, receive, send)

    async def _spoilt(
        self, fault: Fault, answer: FaultedResponse, scope: Scope, receive: Receive, send: Send
    ) -> None:
        half = answer.body[: len(answer.body) // 2]
        if fault.kind == "reset_after":
            await reset(scope, receive)
        elif fault.kind == "truncated":
            await answer.begin(send)
            await send({"type": "http.response.body", "body": half, "more_body": True})
            await hang_up(scope, receive)
        elif fault.kind == "wrong_type":
            await answer.of_type(_WRONG_TYPES[fault.variant % len(_WRONG_TYPES)]).send(send)
        elif fault.kind == "not_json":
            await answer.holding(half).send(send)
        elif fault.kind == "empty_availability":
            await (answer.holding(_NO_OFFERS) if answer.status == HTTPStatus.OK else answer).send(send)
        else:
            await _refusal(fault)(scope, receive, send)


async def _drip(answer: FaultedResponse, seconds: float, send: Send) -> None:
    await answer.begin(send)
    size = max(1, -(-len(answer.body) // _DRIPS))
    pieces = [answer.body[first : first + size] for first in range(0, len(answer.body), size)]
    for piece in pieces:
        await asyncio.sleep(seconds / len(pieces))
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _refusal(fault: Fault) -> Response:
    headers = {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}
    if fault.kind in _PAGE_STATUS:
        status = HTTPStatus(_PAGE_STATUS[fault.kind])
        return HTMLResponse(_PAGE.format(status=status.value, phrase=status.phrase), status, headers)
    status = HTTPStatus(int(fault.kind.partition("_")[0]))
    return JSONResponse({"detail": status.phrase}, status, headers)

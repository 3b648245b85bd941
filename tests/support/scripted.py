"""A service over a real socket whose every answer a test decides."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    content: bytes
    target: str


@dataclass(frozen=True)
class Answered:
    """What goes back; `content` of ``None`` breaks the connection instead."""

    status: int = 200
    content: bytes | None = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


def as_json(body: Any, status: int = 200, **headers: str) -> Answered:
    """An answer of JSON."""
    return Answered(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})


@contextmanager
def scripted(answer: Callable[[Asked], Answered]) -> Iterator[str]:
    """The address of a service that answers as `answer` says, on as many threads as it is asked from."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(
                self.command,
                parts.path,
                parse_qs(parts.query),
                {name.lower(): value for name, value in self.headers.items()},
                content,
                self.path,
            )
            answered = answer(asked)
            if answered.content is None:
                self.close_connection = True
                return
            self.send_response_only(answered.status)
            for name, value in answered.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answered.content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answered.content)
            self.close_connection = True

        do_GET = do_POST = do_DELETE = do_PATCH = do_CONNECT = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        # The default of 5 makes many clients at once wait for a second.
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):
                super().handle_error(request, client_address)  # type: ignore[arg-type]

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

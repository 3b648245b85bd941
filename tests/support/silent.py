"""A sandbox that does not say that it is one, so that a client takes it for the live service."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@contextmanager
def silent_about_itself(url: str, *, hides_user: bool = False) -> Iterator[str]:
    """The address of a stand-in that passes everything on to the sandbox at `url` but `/sandbox`, and
    perhaps whose key it is."""

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.startswith("/sandbox"):
                status, content = 404, b'{"detail": "Not Found"}'
            elif hides_user and self.path.endswith("/whoami"):
                status, content = 403, b'{"detail": "Forbidden"}'
            else:
                passed_on = ("Authorization", "Content-Type")
                headers = {name: self.headers[name] for name in passed_on if name in self.headers}
                answer = httpx.request(
                    self.command, url + self.path, content=body, headers=headers, trust_env=False
                )
                status, content = answer.status_code, answer.content
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

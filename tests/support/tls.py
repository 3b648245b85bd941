"""A proxy behind which a service answers over TLS, with a certificate of its own."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.wire import listening


def make_certificate(folder: Path, host: str) -> Path:
    """Make a certificate for a host that only who is told of it trusts; its key is beside it."""
    certificate, key = folder / f"{host}.pem", folder / f"{host}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", key, "-out", certificate, "-days", "2", "-subj", f"/CN={host}",
         "-addext", f"subjectAltName=DNS:{host}"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return certificate


def index_certificate(certificate: Path) -> Path:
    """Return a folder with a certificate, under the name by which OpenSSL looks for it."""
    asked = ["openssl", "x509", "-hash", "-noout", "-in", certificate]
    name = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    folder = certificate.with_suffix(".folder")
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.0").write_bytes(certificate.read_bytes())
    return folder


@contextmanager
def proxied(
    certificate: Path, answers: dict[str, Any], connected: list[str], login: str = ""
) -> Iterator[str]:
    """The address of a proxy that is every service at once, and notes whom it was to connect to.

    With a ``login``, it wants this user and password, and its refusal repeats what it was given.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    def serve(connection: socket.socket) -> None:
        connection.settimeout(10)
        try:
            asked = connection.recv(65_536).decode()
            connected.append(asked.split()[1])
            given = asked.partition("Basic ")[2].partition("\r")[0]
            if login and base64.b64decode(given).decode() != login:
                refusal = f"407 Who is {given} {base64.b64decode(given).decode()}?"
                connection.sendall(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n".encode())
                connection.close()
                return
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with context.wrap_socket(connection, server_side=True) as tunnel:
                while request := tunnel.recv(65_536):
                    path = request.decode().split()[1].partition("?")[0]
                    body = json.dumps(answers.get(path, {})).encode()
                    tunnel.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except (OSError, IndexError, ValueError):
            # Also what is not HTTP.
            connection.close()

    with listening(serve) as url:
        yield url


RECORD = b"\x17\x03\x03\x40\x00"
HANDSHAKE_RECORD = b"\x16\x03\x03\x40\x00"


@contextmanager
def tunneled(proxy: Path, service: Path, answer: bytes, drips: str = "") -> Iterator[str]:
    """The address of a proxy that itself speaks TLS, for one connection to a service that speaks TLS in it.

    It reads a request with a body and answers. Its "handshake", or the "record" of its answer, can come a
    byte at a time and never be complete.
    """
    outer_context, inner_context = (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2))
    outer_context.load_cert_chain(proxy, proxy.with_suffix(".key"))
    inner_context.load_cert_chain(service, service.with_suffix(".key"))

    def drip(outer: ssl.SSLSocket, start: bytes) -> None:
        outer.sendall(start)
        while True:
            outer.sendall(b"a")
            time.sleep(0.02)

    def serve() -> None:
        connection, _ = listener.accept()
        connection.settimeout(10)
        with contextlib.suppress(OSError), outer_context.wrap_socket(connection, server_side=True) as outer:
            outer.recv(65_536)
            outer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            if drips == "handshake":
                drip(outer, HANDSHAKE_RECORD)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            inner = inner_context.wrap_bio(incoming, outgoing, server_side=True)
            asked = b""
            while not asked.endswith(b"\r\n\r\n" if drips else b"}"):
                try:
                    asked += inner.read()
                except ssl.SSLWantReadError:
                    outer.sendall(outgoing.read())
                    if not incoming.write(outer.recv(65_536)):
                        return
            if drips == "record":
                drip(outer, RECORD)
            inner.write(answer)
            outer.sendall(outgoing.read())
            outer.recv(1)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(10)
        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield f"https://localhost:{listener.getsockname()[1]}"
        finally:
            serving.join()

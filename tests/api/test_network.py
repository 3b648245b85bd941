"""The limits of time and size hold over a whole exchange, whatever the other side sends."""

from __future__ import annotations

import gzip
import resource
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest

from primepods_magic.api import errors
from primepods_magic.api.http import network
from primepods_magic.api.http.session import HttpSession
from primepods_magic.api.settings import Settings
from tests.support.tls import make_certificate, tunneled
from tests.support.wire import OK, dripping, sending, whole

KEY = "pit_0123456789abcdef_secret"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TOTAL_S = 0.4

Send = Callable[[socket.socket], object]


def ask(send: Send, method: str = "GET", *, total_timeout_s: float = 20.0) -> Any:
    """Send one request to a service that answers so."""
    with sending(send) as url:
        transport = HttpSession(Settings(url, KEY), total_timeout_s=total_timeout_s)
        try:
            body = {} if method == "POST" else None
            return transport.request(method, "/api/v1/pods/", body=body, budget_s=0)
        finally:
            transport.close()


DRIPS = {
    "status line": (b"", b"H"),
    "header": (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "body": (OK + b"Content-Length: 999999\r\n\r\n", b" "),
    "chunk extension": (CHUNKED + b"1;", b"a"),
    "chunks": (CHUNKED, b"1\r\na\r\n"),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\nX: ", b"a"),
    "redirect": (b"HTTP/1.1 307 X\r\nLocation: /x\r\nContent-Length: 999999\r\n\r\n", b" "),
}


@pytest.mark.parametrize(
    ("method", "kind"), [("GET", errors.ServiceUnavailable), ("POST", errors.OutcomeUnknown)]
)
@pytest.mark.parametrize("drip", DRIPS)
def test_total_time_counts_the_whole_exchange(drip: str, method: str, kind: type[errors.PodsError]) -> None:
    began = time.monotonic()
    with pytest.raises(kind):
        ask(dripping(*DRIPS[drip]), method, total_timeout_s=TOTAL_S)
    assert time.monotonic() - began < TOTAL_S + 2


def test_total_time_counts_both_hops_of_a_redirect() -> None:
    """Each hop alone stays within the limit."""
    pause = threading.Event()

    def send(connection: socket.socket) -> None:
        pause.wait(0.35)
        connection.sendall(
            b"HTTP/1.1 307 X\r\nLocation: /x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )

    with pytest.raises(errors.OutcomeUnknown):
        ask(send, "POST", total_timeout_s=0.5)


FLOODS = {
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000),
    "chunk extension": (CHUNKED + b"1;", b"a" * 65_536),
    "chunks": (CHUNKED, b"1\r\na\r\n" * 10_000),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_ends_in_time_and_takes_no_memory(flood: str) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    with pytest.raises(errors.ServiceUnavailable):
        ask(dripping(*FLOODS[flood], every_s=0), total_timeout_s=TOTAL_S)
    assert time.monotonic() - began < TOTAL_S + 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 200_000


CODINGS_OF_NOTHING = (b"utf-8", b"UTF-8", b"none", b"binary", b"8bit", b"application/json", b"br", b"x")


@cache
def gzipped(size_mb: int) -> bytes:
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    return b"".join(compressor.compress(bytes(2**20)) for _ in range(size_mb)) + compressor.flush()


@pytest.mark.parametrize(
    "headers",
    [
        (b"Content-Encoding: gzip",),
        (b"Content-Encoding: gzip, gzip",),
        (b"Content-Encoding: gzip", b"Content-Encoding: gzip"),
        (b"Content-Encoding: deflate, gzip, br",),
        (b"Content-Encoding: zstd",),
        (b"Content-Encoding: br",),
    ],
    ids=lambda headers: b" ".join(headers).decode(),
)
def test_a_compressed_answer_grows_to_the_limit_and_no_further(headers: tuple[bytes, ...]) -> None:
    body = gzipped(400)
    if b"," in headers[0] or len(headers) > 1:
        body = gzip.compress(body)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((errors.ServiceUnavailable, errors.UnexpectedAnswer)):
        ask(whole(body, *headers))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 200_000


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"Content-Encoding: gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        (b"Content-Encoding: x-gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        (b"Content-Encoding: deflate", zlib.compress(b'{"a": 1}')),
        (b"Content-Encoding: identity", b'{"a": 1}'),
        (b"Content-Encoding: ", b'{"a": 1}'),
        *((b"Content-Encoding: " + word, b'{"a": 1}') for word in CODINGS_OF_NOTHING),
        (b"Content-Encoding: utf-8, gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        (b"X: y", b'\xef\xbb\xbf{"a": 1}'),
        (b"X: y", '{"a": 1}'.encode("utf-16")),
    ],
)
def test_reads_an_answer_in_each_form_that_may_come(header: bytes, body: bytes) -> None:
    assert ask(whole(body, header)) == {"a": 1}


@pytest.mark.parametrize("word", CODINGS_OF_NOTHING)
def test_believes_the_answer_to_a_create_whatever_its_coding_is_called(word: bytes) -> None:
    assert ask(whole(b'{"id": "p1"}', b"Content-Encoding: " + word), "POST") == {"id": "p1"}


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"utf-8"])
@pytest.mark.parametrize("status", [b"200 OK", b"202 Accepted", b"204 No Content"])
@pytest.mark.parametrize("method", ["DELETE", "PATCH", "POST"])
def test_an_empty_answer_is_not_compressed(method: str, status: bytes, coding: bytes) -> None:
    head = b"HTTP/1.1 " + status + b"\r\n"
    assert ask(whole(b"", b"Content-Encoding: " + coding, start=head), method) == {}


def test_asks_for_no_other_coding() -> None:
    seen: list[bytes] = []

    def send(connection: socket.socket) -> None:
        connection.sendall(OK + b"Content-Length: 2\r\n\r\n{}")

    with sending(send) as url:
        transport = HttpSession(Settings(url, KEY))
        transport._client.event_hooks["request"].append(
            lambda asked: seen.append(asked.headers["accept-encoding"])
        )
        transport.request("GET", "/x")
        transport.close()
    assert seen == ["gzip"]


ODD = {
    "nested": b"[" * 1_000_000,
    "very many lists": b"[" + b"[]," * 3_000_000 + b"[]]",
    "very many objects": b'[{"a": 1}' + b',{"a": 1}' * 2_000_000 + b"]",
    "invalid UTF-8": b'{"a": "\xff"}',
    "cut": b'{"a": ',
    "two values": b"{} {}",
}


@pytest.mark.parametrize("odd", ODD)
def test_an_answer_that_cannot_be_parsed_is_an_error_in_words(odd: str) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(errors.UnexpectedAnswer, match="The service"):
        ask(whole(ODD[odd]))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 300_000


@pytest.mark.parametrize("digits", [4_301, 50_000, 20_000_000])
def test_a_number_of_very_many_digits_spoils_only_itself(digits: int) -> None:
    answer = ask(whole(b'{"huge": ' + b"9" * digits + b', "a": 1}'))
    assert answer == {"huge": float("inf"), "a": 1}


@pytest.mark.parametrize(
    "charset", ["zlib", "hex", "base64", "bz2", "rot13", "idna", "undefined", "no-such", "utf-7"]
)
@pytest.mark.parametrize("start", [b"HTTP/1.1 400 Bad\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_a_charset_that_decompresses_is_no_charset(charset: str, start: bytes) -> None:
    head = start + b"Content-Type: text/plain; charset=" + charset.encode() + b"\r\n"
    with pytest.raises(errors.PodsError):
        ask(whole(b"not json", start=head))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "send",
    [
        whole(b"&#x" * 20_000_000, start=b"HTTP/1.1 402 X\r\nContent-Type: text/plain\r\n"),
        dripping(b"HTTP/1.1 402 X\r\nContent-Length: 999999\r\n\r\n", b"a"),
        whole(b"not gzip", b"Content-Encoding: gzip", start=b"HTTP/1.1 402 X\r\n"),
        whole(gzipped(100), b"Content-Encoding: gzip", start=b"HTTP/1.1 402 X\r\n"),
        lambda connection: connection.sendall(b"HTTP/1.1 402 X\r\nContent-Length: 99\r\n\r\nbroken off"),
    ],
    ids=["60 MB", "drips", "no gzip", "grows", "breaks off"],
)
def test_a_refusal_is_one_whatever_its_body(send: Send, method: str) -> None:
    began = time.monotonic()
    with pytest.raises(errors.PaymentRequired):
        ask(send, method, total_timeout_s=1.0)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 000 X\r\n\r\n",
        b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"\x16\x03\x01" * 100,
        OK + b"Content-Length: 50\r\n\r\n{}",
        OK + b"Content-Length: -1\r\n\r\n{}",
        OK + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
        b"",
    ],
)
def test_an_answer_that_is_not_http_leaves_a_create_unknown(answer: bytes) -> None:
    with pytest.raises(errors.OutcomeUnknown):
        ask(lambda connection: connection.sendall(answer), "POST")


def test_keeps_no_cookies() -> None:
    seen: list[str | None] = []
    with sending(whole(b"{}", b"Set-Cookie: a=" + b"b" * 1000 + b"; Path=/", b"Connection: close")) as url:
        transport = HttpSession(Settings(url, KEY))
        transport._client.event_hooks["request"].append(
            lambda asked: seen.append(asked.headers.get("cookie"))
        )
        transport.request("GET", "/x")
        transport.request("GET", "/x")
        transport.close()
    assert seen == [None, None]


def test_many_addresses_of_one_name_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as full:
        # Nobody accepts, and the queue is full after a few: connecting to it takes until the time-out.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = [socket.socket() for _ in range(4)]
        for one in held:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        many = [(*address, (f"127.0.0.{number}", port)) for number in range(1, 200)]
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, port, *_, **__: many if host == "many.test" else []
        )
        transport = HttpSession(Settings("https://many.test", KEY), total_timeout_s=TOTAL_S)
        began = time.monotonic()
        with pytest.raises(errors.ServiceUnavailable) as caught:
            transport.request("POST", "/x", body={}, budget_s=0, read_timeout_s=0.2)
        transport.close()
        for one in held:
            one.close()
    assert time.monotonic() - began < TOTAL_S + 2
    assert not caught.value.may_have_acted


@pytest.mark.parametrize("unit", [(b"", b"H"), (b"HTTP/1.1 200 OK\r\nX-A: ", b"a")])
def test_a_proxy_that_drips_is_given_up(unit: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    with sending(dripping(*unit)) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        transport = HttpSession(Settings("https://pods.test", KEY), total_timeout_s=TOTAL_S)
        began = time.monotonic()
        with pytest.raises(errors.ServiceUnavailable):
            transport.request("GET", "/x", budget_s=0)
        transport.close()
    assert time.monotonic() - began < TOTAL_S + 2


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    return make_certificate(folder, "localhost"), make_certificate(folder, "pods.test")


@pytest.fixture
def trusted(certificates: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "both.pem"
    bundle.write_bytes(b"".join(path.read_bytes() for path in certificates))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("size", [2, 1_000_000])
def test_reaches_a_service_through_a_proxy_that_speaks_tls(
    certificates: tuple[Path, Path], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b"{" + b" " * (size - 2) + b"}"
    answer = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with tunneled(*certificates, answer) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        transport = HttpSession(Settings("https://pods.test", KEY))
        assert transport.request("POST", "/x", body={"long": "a" * size}) == {}
        transport.close()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("drips", "method", "kind"),
    [
        ("handshake", "GET", errors.ServiceUnavailable),
        ("handshake", "POST", errors.ServiceUnavailable),
        ("record", "GET", errors.ServiceUnavailable),
        ("record", "POST", errors.OutcomeUnknown),
    ],
)
def test_total_time_counts_tls_inside_that_of_a_proxy(
    certificates: tuple[Path, Path],
    drips: str,
    method: str,
    kind: type[errors.PodsError],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Where the answer drips, both handshakes have to end in time, also on a machine that is busy.
    total_s = TOTAL_S if drips == "handshake" else TOTAL_S + 1.5
    with tunneled(*certificates, b"", drips) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        transport = HttpSession(Settings("https://pods.test", KEY), total_timeout_s=total_s)
        began = time.monotonic()
        with pytest.raises(kind) as caught:
            transport.request(method, "/x", body={} if method == "POST" else None, budget_s=0)
        transport.close()
    assert time.monotonic() - began < total_s + 2
    assert getattr(caught.value, "may_have_acted", True) == (drips == "record")


class ClosingMeanwhile(httpx.HTTPTransport):
    """A network on which the client is closed after a request has begun and before it connects."""

    def __init__(self) -> None:
        super().__init__(verify=False)
        self.close_client: Callable[[], object] = lambda: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.close_client()
        return super().handle_request(request)


def test_opens_no_connection_for_a_client_that_was_closed_meanwhile() -> None:
    http = ClosingMeanwhile()
    with sending(whole(b"{}")) as url:
        transport = HttpSession(Settings(url, KEY), transport=http)
        http.close_client = transport.close
        with pytest.raises(errors.ConnectionClosed):
            transport.request("GET", "/api/v1/pods/")


def test_closes_a_connection_that_its_client_did_not_know_when_it_was_closed() -> None:
    """A pool that is closed while a thread connects does not close what that thread gets."""
    client = httpx.Client()
    with socket.create_server(("127.0.0.1", 0)) as service:
        stream = network._BoundBackend(client).connect_tcp(*service.getsockname(), 5.0)
        connection = stream.get_extra_info("socket")
        client.close()
        with pytest.raises(httpcore.WriteError, match="the client was closed"):
            stream.write(b"GET / HTTP/1.1\r\n")
        assert connection.fileno() == -1


def test_closes_a_connection_when_no_time_is_left_for_its_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as service:
        stream = network._BoundBackend(httpx.Client()).connect_tcp(*service.getsockname(), 5.0)
        connection = stream.get_extra_info("socket")
        with network.limit_exchange(0.0, 2**20), pytest.raises(httpcore.ConnectTimeout):
            stream.start_tls(ssl.create_default_context(), "pods.test")
        assert connection.fileno() == -1


@pytest.mark.usefixtures("trusted")
def test_refuses_a_certificate_of_another_host_inside_a_proxy_that_speaks_tls(
    certificates: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with tunneled(certificates[0], certificates[0], b"") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        transport = HttpSession(Settings("https://pods.test", KEY))
        with pytest.raises(errors.ServiceUnavailable, match="certificate is not trusted") as caught:
            transport.request("POST", "/x", body={}, budget_s=0)
        transport.close()
    assert not caught.value.may_have_acted
    assert "Hostname mismatch, certificate is not valid for 'pods.test')" in str(caught.value)
    assert "Check the URL of the service" in str(caught.value)


@pytest.mark.usefixtures("trusted")
def test_goes_through_a_proxy_that_is_set_after_the_first_request(
    certificates: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = HttpSession(Settings("https://pods.test", KEY), total_timeout_s=5)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    transport.follow_environment()
    with pytest.raises(errors.ServiceUnavailable):
        transport.request("GET", "/x", budget_s=0)
    with tunneled(*certificates, OK + b"Content-Length: 2\r\n\r\n{}") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        transport.follow_environment()
        assert transport.request("POST", "/x", body={}, budget_s=0) == {}
        # One that cannot be used changes nothing.
        monkeypatch.setenv("HTTPS_PROXY", "nonsense://[")
        transport.follow_environment()
        assert transport.proxy is not None
        assert transport.proxy.place == proxy.removeprefix("https://")
        transport.close()


def test_a_proxy_that_lets_nothing_through_has_passed_no_create_on(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    asked = []

    def refuse(connection: socket.socket) -> None:
        asked.append(connection)
        connection.sendall(refusal)

    with sending(refuse) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        transport = HttpSession(Settings("https://pods.test", KEY))
        with pytest.raises(errors.ServiceUnavailable, match="the proxy refused: 407") as caught:
            transport.request("POST", "/x", body={})
        transport.close()
    # A password that is wrong several times may lock the account.
    assert len(asked) == 1
    assert not caught.value.may_have_acted


def test_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with pytest.raises(errors.ServiceUnavailable):
        ask(dripping(*DRIPS["header"]), total_timeout_s=TOTAL_S)
    assert threading.active_count() == before

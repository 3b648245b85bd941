"""Who is served: keys of one's own, permissions, how much may be sent, and what is no HTTP at all."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.sandbox import start
from primepods_magic.sandbox.domain.users import ADA
from primepods_magic.sandbox.http.api_keys import Key
from primepods_magic.sandbox.http.auth import RequestGuard

from .conftest import PROJECT, Caller

OWN_KEY = "0123456789abcdef-mine"
READ_KEY = "0123456789abcdef-look"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Keys of one's own, of which one may only read."""
    path = tmp_path / "keys"
    path.write_text(f"# mine\n{OWN_KEY}\n\n{READ_KEY} read\n")
    path.chmod(0o600)
    return path


def test_keys_of_ones_own_take_the_place_of_the_built_in_ones(key_file: Path) -> None:
    with start(clock="stepped", keys=key_file) as sandbox:
        with Caller(sandbox.url, "sandbox") as stranger:
            assert stranger.get("/api/v1/pods").status_code == 401
        with Caller(sandbox.url, OWN_KEY) as caller:
            assert caller.order()["id"]
        with Caller(sandbox.url, READ_KEY) as reader:
            assert reader.call("GET", "pods")["total_count"] == 1
            assert reader.post("/api/v1/pods", json={}).status_code == 403


def test_another_address_needs_keys_of_ones_own() -> None:
    with pytest.raises(ValueError, match="Pass your own keys with --keys FILE"):
        start(host="0.0.0.0")
    run = subprocess.run(
        [sys.executable, "-m", "primepods_magic.sandbox", "--host", "0.0.0.0"],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=60,
    )
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("is_public", "path", "headers", "client", "status"),
    [
        (True, "/api/v1/pods", {"host": "lab.example.org"}, "192.0.2.7", None),
        (False, "/api/v1/pods", {"host": "lab.example.org"}, "127.0.0.1", 403),
        (
            True,
            "/api/v1/pods",
            {"host": "lab.example.org", "origin": "http://evil.example"},
            "192.0.2.7",
            403,
        ),
        (True, "/sandbox", {"host": "lab.example.org"}, "192.0.2.7", None),
        (True, "/sandbox/clock", {"host": "lab.example.org"}, "192.0.2.7", 403),
        (True, "/sandbox/clock", {"host": "localhost"}, "127.0.0.1", None),
    ],
)
def test_other_computers_are_answered_only_when_they_may_ask(
    is_public: bool, path: str, headers: dict[str, str], client: str, status: int | None
) -> None:
    sent = {"authorization": f"Bearer {OWN_KEY}", **headers}
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        "client": (client, 50_000),
    }
    refusal = RequestGuard({OWN_KEY: Key(ADA)}, is_public=is_public).refusal(scope)
    assert (refusal.status_code if refusal else None) == status


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (OWN_KEY, 0o644, "chmod 600"),
        ("short", 0o600, "at least 16 ASCII characters"),
        (f"{OWN_KEY} write", 0o600, "only 'read' may follow a key"),
        ("# nothing", 0o600, "no key"),
        ("ключ-которого-не-бывает", 0o600, "ASCII"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_and_not_told(
    tmp_path: Path, text: str, mode: int, said: str
) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(ValueError, match=said) as refused:
        start(keys=path)
    if not text.startswith("#"):
        assert text.split()[0] not in str(refused.value)


def test_without_the_admin_surface_only_what_answers_is_told() -> None:
    with start(clock="stepped", admin=False) as sandbox, Caller(sandbox.url) as caller:
        assert caller.get("/sandbox").status_code == 200
        pod_id = caller.order()["id"]
        assert caller.happen(pod_id, "stop").status_code == 404
        for method, path in (("POST", "clock"), ("PUT", "faults"), ("PUT", "wallet"), ("PUT", "offers")):
            assert caller.request(method, f"/sandbox/{path}", json={}).status_code == 404
        assert not [path for path in caller.get("/openapi.json").json()["paths"] if "/sandbox/" in path]


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("GET", "disks", "Disks -> Read"),
        ("POST", "disks", "Disks -> Read and Write"),
        ("DELETE", "disks/disk_id_1/", "Disks -> Read and Write"),
        ("GET", "pods", None),
        ("GET", "availability/gpus", None),
        ("GET", "user/whoami", None),
        ("GET", "billing/wallet", None),
    ],
)
def test_a_permission_is_named_that_is_missing(
    caller: Caller, method: str, path: str, permission: str | None
) -> None:
    with Caller(str(caller.base_url), "sandbox-pods") as client:
        answer = client.request(method, f"/api/v1/{path}")
        if permission is None:
            assert answer.status_code == 200
        else:
            assert answer.status_code == 403
            assert f"permission {permission} that" in answer.json()["detail"]


def test_a_body_that_is_too_long_is_told_so(caller: Caller) -> None:
    answer = caller.post("/api/v1/pods", content=b" " * (2**20 + 1))
    assert (answer.status_code, "longer than 1048576" in answer.json()["detail"]) == (413, True)

    def drops() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 2**16

    assert caller.post("/api/v1/pods", content=drops()).status_code == 413
    assert caller.call("GET", "pods")["total_count"] == 0


def test_a_target_or_headers_that_are_too_long_are_told_so(caller: Caller) -> None:
    assert caller.get("/api/v1/pods/status", params={"pod_ids": ["f" * 32] * 300}).status_code == 200
    assert caller.get(f"/api/v1/pods/{'x' * 2**14}").status_code == 414
    assert caller.get("/api/v1/pods", headers={"X-Long": "x" * (2**15 + 1)}).status_code == 431
    # So much that nobody reads it to the end.
    with Caller(str(caller.base_url)) as client, suppress(httpx.TransportError):
        assert client.get("/api/v1/pods", headers={"X-Long": "x" * 2**20}).status_code == 400
    assert caller.call("GET", "pods")["total_count"] == 0


@pytest.mark.parametrize("dialect", ["spec", "published"])
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"hello",
        b"\xff\xfe{}",
        b'{"pod": NaN}',
        b"null",
        b"[]",
        b'"text"',
        b"",
    ],
)
def test_a_body_that_is_no_order_is_a_422_in_the_dialects_words(dialect: Any, body: bytes) -> None:
    with start(clock="stepped", dialect=dialect) as sandbox, Caller(sandbox.url) as caller:
        answer = caller.post("/api/v1/pods", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, answer.text
        told = json.loads(answer.text)
        assert list(told) == ["detail" if dialect == "spec" else "errors"]


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 50_000])
def test_a_body_that_is_nested_too_deeply_is_refused(caller: Caller, body: bytes) -> None:
    answer = caller.post("/api/v1/pods", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (400, {"detail": "There was an error parsing the body"})


RAW: dict[str, bytes] = {
    "garbage": b"\x00\x01\x02garbage\r\n\r\n",
    "half a line": b"GET /api/v1",
    "half a request": b"GET /api/v1/pods HTTP/1.1\r\nHost: x",
    "HTTP/0.9": b"GET /api/v1/pods\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "absurd length": b"POST /api/v1/pods HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999\r\n\r\n{}",
    "negative length": b"POST /api/v1/pods HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "bad chunks": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
    "NUL in path": b"GET /api/v1/pods/\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "percent rubbish": b"GET /api/v1/pods/%ff%00%zz?limit=%ff&offset=%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 10_000 + b"\r\n",
    "absolute target": b"GET http://evil.example/api/v1/pods HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "star": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "websocket": b"GET /api/v1/pods HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "non-ASCII key": b"GET /api/v1/pods HTTP/1.1\r\nHost: ::1\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
}


def send_raw(caller: Caller, sent: bytes) -> bytes:
    """What comes back until the sandbox closes, or has answered, or says nothing for a moment."""
    where = urlsplit(str(caller.base_url))
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        with suppress(ConnectionError):
            while piece := connection.recv(65536):
                received += piece
        return received


@pytest.mark.parametrize("kind", list(RAW))
def test_what_is_no_http_ends_its_own_connection_and_nothing_else(
    caller: Caller, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    received = send_raw(caller, RAW[kind])
    assert not received or received.startswith(b"HTTP/1.1 "), received
    assert b"HTTP/1.1 5" not in received
    assert b"Traceback" not in received
    assert caller.call("GET", "pods")["total_count"] == 0
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def lasting() -> Iterator[Caller]:
    """One sandbox for many attempts."""
    with start(clock="stepped") as sandbox, Caller(sandbox.url) as client:
        yield client


@given(sent=st.binary(max_size=300))
def test_no_bytes_disturb_it(lasting: Caller, sent: bytes) -> None:
    received = send_raw(lasting, sent)
    assert b"HTTP/1.1 5" not in received
    assert lasting.get("/sandbox").status_code == 200


FORKING = """
import atexit, os, socket, sqlite3, sys
from urllib.parse import urlsplit
import httpx
from primepods_magic.sandbox import start

db = sys.argv[1] if len(sys.argv) > 1 else None
sandbox = start(db)
client = httpx.Client(base_url=sandbox.url, headers={"Authorization": "Bearer sandbox"}, trust_env=False)
assert client.get("/api/v1/pods").status_code == 200
ready, tell = os.pipe()
done, finish = os.pipe()
child = os.fork()
if child == 0:
    sandbox.stop()
    atexit._run_exitfuncs()
    os.close(finish)
    os.write(tell, b"x")
    os.read(done, 1)
    sys.exit(0)
os.read(ready, 1)
assert client.get("/api/v1/pods").status_code == 200
assert client.get("/sandbox").json()["product"]
sandbox.stop()
# The child still lives, and holds neither the port nor a connection.
port = urlsplit(sandbox.url).port
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", port))
    probe.listen()
with sqlite3.connect(db) as connection:
    print(connection.execute("PRAGMA integrity_check").fetchone()[0])
os.write(finish, b"x")
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_leaves_the_sandbox_alone(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING, str(tmp_path / "pods.sqlite")],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=60,
    )
    assert (run.stdout.split(), run.returncode) == (["ok", "0"], 0), run.stderr

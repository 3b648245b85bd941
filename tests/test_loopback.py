"""No test leaves this computer."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.environment import guarded
from tests.support.guard import loopback_guard
from tests.support.guard.loopback_guard import LeftLoopback

# TEST-NET-1 belongs to nobody; a connection to it could only ever time out.
NOBODY = ("192.0.2.1", 443)


async def _connect_in_a_loop() -> None:
    await asyncio.open_connection(*NOBODY)


@pytest.mark.parametrize(
    "leave",
    [
        lambda: socket.create_connection(NOBODY, timeout=5),
        lambda: socket.socket().connect_ex(NOBODY),
        lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 443)),
        lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"", NOBODY),
        lambda: socket.getaddrinfo("api.example.test", 443),
        lambda: socket.gethostbyname("api.example.test"),
        lambda: socket.socket().bind(("0.0.0.0", 0)),
        lambda: http.client.HTTPConnection(*NOBODY, timeout=5).request("GET", "/"),
        lambda: asyncio.run(_connect_in_a_loop()),
    ],
    ids=["connect", "connect_ex", "ipv6", "datagram", "lookup", "old lookup", "listen", "http", "asyncio"],
)
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_guard_refuses_before_a_packet_is_sent(leave: object) -> None:
    assert callable(leave)
    with loopback_guard.expecting() as seen, pytest.raises(LeftLoopback):
        leave()
    assert len(seen) == 1


def test_guard_refuses_our_kind_of_client_too() -> None:
    with loopback_guard.expecting() as seen, pytest.raises(httpx.ConnectError):
        httpx.get("https://192.0.2.1/api/v1/pods/", trust_env=False)
    assert seen == ["socket.getaddrinfo of 192.0.2.1"]


def test_guard_lets_loopback_pass() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    assert socket.getaddrinfo("localhost", 80)


def test_guard_writes_down_what_a_process_tried_even_when_it_hides_it(tmp_path: Path) -> None:
    hides_it = "import socket\ntry: socket.create_connection(('192.0.2.1', 443))\nexcept OSError: pass"
    log = tmp_path / "attempts.log"
    subprocess.run([sys.executable, "-c", hides_it], env=guarded(os.environ, log), check=True)
    assert "192.0.2.1" in log.read_text()

"""Ctrl-C ends any wait for the service at once, and leaves no connection open."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

# Longer than the 0.2 s that are promised by as much as a busy machine may add.
SOON_S = 1.0

SCRIPT = """
import socket, sys, time
from primepods_magic.api.client import Client
from primepods_magic.api.settings import Settings

client = Client(Settings(sys.argv[1], "k" * 40))
print("asking", flush=True)
try:
    client.list_pods()
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
client.close()
"""

Behaviour = Callable[[socket.socket, threading.Event], None]


def silent(connection: socket.socket, over: threading.Event) -> None:
    over.wait()


def drips(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not over.wait(0.05):
        with contextlib.suppress(OSError):
            connection.sendall(b" ")


def fails(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
    over.wait()


def says_later(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 429 Busy\r\nRetry-After: 15\r\nContent-Length: 0\r\n\r\n")
    over.wait()


class Server:
    """Accepts connections and treats each in one way until the test is over."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.arrived, self.over = threading.Event(), threading.Event()
        self._behaviour = behaviour
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            self.arrived.set()
            self._behaviour(connection, self.over)

    def close(self) -> None:
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def serving() -> Iterator[Callable[[Behaviour], Server]]:
    servers: list[Server] = []

    def serve(behaviour: Behaviour) -> Server:
        servers.append(Server(behaviour))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def interrupted_after(url: str, is_waiting: Callable[[], object]) -> float:
    """How long a client that waits for something goes on after Ctrl-C, in seconds."""
    command = [sys.executable, "-c", SCRIPT, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "asking\n"
        is_waiting()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        said, trouble = process.communicate(timeout=30)
    assert process.returncode == 0, trouble
    return float(said) - began


@pytest.mark.parametrize("behaviour", [silent, drips, fails, says_later], ids=lambda b: b.__name__)
def test_ctrl_c_ends_every_wait_for_an_answer(
    serving: Callable[[Behaviour], Server],
    behaviour: Behaviour,
    record_property: Callable[[str, object], None],
) -> None:
    server = serving(behaviour)
    took_s = interrupted_after(server.url, lambda: server.arrived.wait(30))
    record_property("took_s", took_s)
    assert took_s < SOON_S


def test_ctrl_c_ends_the_wait_for_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as held:
        # A listener that takes no more: a further connection is neither made nor refused.
        place = full.getsockname()
        for _ in range(3):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(place)
        # Nothing tells that it has begun to wait; if it has not, Ctrl-C ends it all the same.
        took_s = interrupted_after(f"http://127.0.0.1:{place[1]}", lambda: time.sleep(0.3))
    assert took_s < SOON_S

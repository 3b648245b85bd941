"""A service that sends bytes as a test says, so that it can break every rule of HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@contextmanager
def listening(serve: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of a service that leaves each connection to `serve`, in a thread of its own."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                continue
            threads.append(threading.Thread(target=serve, args=(connection,)))
            threads[-1].start()

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.05)
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            accepting.join()
            for thread in threads:
                thread.join()


@contextmanager
def sending(send: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of a service that reads the beginning of each request and leaves the rest to `send`."""
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection:
            try:
                while connection.recv(65_536) and not over.is_set():
                    send(connection)
                    return
            except OSError:
                return

    with listening(serve) as url:
        try:
            yield url
        finally:
            over.set()


def whole(body: bytes, *headers: bytes, start: bytes = OK) -> Callable[[socket.socket], object]:
    """Send one answer that is as long as it says."""
    lines = (*headers, b"Content-Length: %d" % len(body), b"", body)
    return lambda connection: connection.sendall(start + b"\r\n".join(lines))


def dripping(start: bytes, unit: bytes, *, every_s: float = 0.02) -> Callable[[socket.socket], object]:
    """Send a beginning, and then the same bytes again and again until the other side has gone."""

    def send(connection: socket.socket) -> None:
        connection.sendall(start)
        pace = threading.Event()
        while True:
            connection.sendall(unit)
            pace.wait(every_s)

    return send

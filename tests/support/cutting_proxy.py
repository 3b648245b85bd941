"""A way to a server on loopback that can be cut: dropped, reset, or stalled in one direction or both."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Cut = Literal["drop", "reset", "stall", "stall-up", "stall-down"]
CUTS: tuple[Cut, ...] = ("drop", "reset", "stall", "stall-up", "stall-down")

_RESET = struct.pack("ii", 1, 0)
_CHUNK_BYTES = 65_536


class _Pair:
    """One connection through the proxy."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.ends = {client: server, server: client}
        self.client, self.server = client, server

    def pass_on(self, end: socket.socket) -> int:
        """Pass on what has arrived; return its size, 0 if the connection has ended."""
        try:
            data = end.recv(_CHUNK_BYTES)
            self.ends[end].sendall(data)
        except OSError:
            return 0
        return len(data)

    def close(self, *, by_reset: bool = False) -> None:
        for end in self.ends:
            if by_reset:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.close()


class CuttingProxy:
    """Passes connections on to a port, until they are cut."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.accepted = 0
        self.passed_bytes = {"up": 0, "down": 0}
        self._pairs: list[_Pair] = []
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_closed:
            for key, _ in self._selector.select(0.05):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.data in self._pairs:
                        self._pass_on(key.data, key.fileobj)

    def _pass_on(self, pair: _Pair, end: socket.socket) -> None:
        size = pair.pass_on(end)
        self.passed_bytes["up" if end is pair.client else "down"] += size
        if not size:
            self._end_pair(pair)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._target_port))
        except OSError:
            client.close()
            return
        pair = _Pair(client, server)
        self._pairs.append(pair)
        self.accepted += 1
        for end in pair.ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(end, selectors.EVENT_READ, pair)

    def _end_pair(self, pair: _Pair, *, by_reset: bool = False) -> None:
        self._pairs.remove(pair)
        for end in pair.ends:
            self._ignore(end)
        pair.close(by_reset=by_reset)

    def _ignore(self, end: socket.socket) -> None:
        with suppress(KeyError):
            self._selector.unregister(end)

    def cut(self, how: Cut) -> None:
        """Cut every connection that there is now; new ones are passed on."""
        with self._lock:
            for pair in list(self._pairs):
                if how in ("drop", "reset"):
                    self._end_pair(pair, by_reset=how == "reset")
                else:
                    # What is not read goes nowhere, and neither side learns that the other one ended.
                    if how != "stall-down":
                        self._ignore(pair.client)
                    if how != "stall-up":
                        self._ignore(pair.server)

    def close(self) -> None:
        self._is_closed = True
        self._thread.join()
        for pair in self._pairs[:]:
            self._end_pair(pair)
        self._selector.close()
        self._listener.close()


@contextmanager
def cutting_proxy(target_port: int) -> Iterator[CuttingProxy]:
    """Run a proxy in front of a port of this computer."""
    proxy = CuttingProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()

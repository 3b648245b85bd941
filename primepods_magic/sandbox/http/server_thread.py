"""The server thread, and its sockets when it stops or the process forks."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
import weakref

import uvicorn
from starlette.types import ASGIApp

from primepods_magic.sandbox.faults.disconnect import EndableProtocol

from .auth import MAX_HEADER_BYTES, MAX_TARGET_BYTES

__all__ = ["Server", "ServingThread", "listen", "make_config"]

_GRACE_S = 1
_KEEP_ALIVE_S = 75
_IDLE_POLLS = 10
_IDLE_POLL_S = 0.002
# The turns of the loop from an accepted socket to its protocol.
_ACCEPT_TURNS = 3


def make_config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        loop="asyncio",
        http=EndableProtocol,
        date_header=False,
        server_header=False,
        # More than the guard's limits, so that most oversized requests get a proper error.
        h11_max_incomplete_event_size=2 * (MAX_HEADER_BYTES + MAX_TARGET_BYTES),
        # Longer than clients keep connections, so that no request hits a closing one.
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise OSError if the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm (40 ms per response) only if the protocol is given.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


class Server(uvicorn.Server):
    """A uvicorn server that signals when it is ready and stops at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def request_stop(self) -> None:
        """Stop gracefully; safe to call from any thread."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start accepting connections."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.is_ready.set()

    async def main_loop(self) -> None:
        """Wait for the stop event; uvicorn itself polls ten times per second."""
        await self.on_tick(0)
        if not self.should_exit:
            await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listeners and connections."""
        # asyncio leaks a socket that it has accepted if the server closes before its protocol is connected.
        loop = asyncio.get_running_loop()
        for listener in [listener for server in self.servers for listener in server.sockets]:
            loop.remove_reader(listener.fileno())
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        # Idle connections close at once; uvicorn would wait for a tenth of a second.
        for _ in range(_IDLE_POLLS):
            if not state.connections and not state.tasks:
                return
            await asyncio.sleep(_IDLE_POLL_S)
        await super().shutdown(sockets)

    def release_sockets(self, listener: socket.socket) -> None:
        """Release the parent's sockets in a forked child."""
        transports = [connection.transport for connection in self.server_state.connections]
        sockets = [listener, *(transport.get_extra_info("socket") for transport in transports)]
        # Keep the descriptors in use: Python will close them, and they must not belong to another file then.
        null_fd = os.open(os.devnull, os.O_RDWR)
        for number in [held.fileno() for held in sockets if held is not None]:
            if number >= 0:
                os.dup2(null_fd, number, inheritable=False)
        os.close(null_fd)


class ServingThread(threading.Thread):
    """A thread that runs the server without logging to the process's output."""

    def __init__(self, server: Server, listener: socket.socket) -> None:
        super().__init__(name="primepods-sandbox", daemon=True)
        self.server = server
        self.listener = listener
        _threads.add(self)

    def run(self) -> None:
        """Serve until the server is stopped."""
        # uvicorn's loggers are global, so filter only the records of this thread.
        loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
        for logger in loggers:
            logger.addFilter(self._is_not_ours)
        try:
            self.server.run(sockets=[self.listener])
        finally:
            for logger in loggers:
                logger.removeFilter(self._is_not_ours)
            self.listener.close()
            self.server.is_ready.set()

    def _is_not_ours(self, record: logging.LogRecord) -> bool:
        return record.thread != self.ident


_threads: weakref.WeakSet[ServingThread] = weakref.WeakSet()


def _release_all_sockets() -> None:
    for thread in list(_threads):
        thread.server.release_sockets(thread.listener)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_all_sockets)

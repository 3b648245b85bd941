"""The thread that serves, and what becomes of its sockets when it stops or the process forks."""

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

from .auth import LONGEST_HEADERS, LONGEST_TARGET

_GRACE_S = 1
_KEEP_ALIVE_S = 75
_IDLE_LOOKS = 10
_IDLE_LOOK_S = 0.002


def configured(app: ASGIApp) -> uvicorn.Config:
    """How an application is served."""
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
        # Somewhat more than may pass, so that most of what is too long can be told so.
        h11_max_incomplete_event_size=2 * (LONGEST_HEADERS + LONGEST_TARGET),
        # Longer than clients keep theirs, so that no request meets a connection that is just closing.
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections.

    Raises
    ------
    OSError
        When the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off (40 ms per answer) only where the protocol is named.
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
    """uvicorn's server that tells when it is up (or has given up), and stops at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    def request_stop(self) -> None:
        """End, when what is being answered has been; any thread may ask."""
        self.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.is_ready.set()

    async def main_loop(self) -> None:
        """Wait for the end. uvicorn looks for it every tenth of a second."""
        await self.on_tick(0)
        if not self.should_exit:
            await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, and end the connections."""
        for server in self.servers:
            server.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        # Those that are idle are gone in a moment; uvicorn would look after a tenth of a second.
        for _ in range(_IDLE_LOOKS):
            if not state.connections and not state.tasks:
                return
            await asyncio.sleep(_IDLE_LOOK_S)
        await super().shutdown(sockets)

    def let_go(self, listener: socket.socket) -> None:
        """In a forked child: hold nothing that the parent serves with."""
        transports = [connection.transport for connection in self.server_state.connections]
        sockets = [listener, *(transport.get_extra_info("socket") for transport in transports)]
        # Their numbers stay taken, so that nobody else's file is closed when Python closes these.
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in [held.fileno() for held in sockets if held is not None]:
            if number >= 0:
                os.dup2(nowhere, number, inheritable=False)
        os.close(nowhere)


class ServingThread(threading.Thread):
    """Runs a server and its event loop, silently: the process's output belongs to somebody else."""

    def __init__(self, server: Server, listener: socket.socket) -> None:
        super().__init__(name="primepods-sandbox", daemon=True)
        self._server = server
        self._listener = listener
        _threads.add(self)

    def run(self) -> None:
        """Serve until told to stop."""
        # uvicorn's loggers are the whole process's, so only what this thread says is held back.
        loggers = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
        for logger in loggers:
            logger.addFilter(self._is_not_ours)
        try:
            self._server.run(sockets=[self._listener])
        finally:
            for logger in loggers:
                logger.removeFilter(self._is_not_ours)
            self._listener.close()
            self._server.is_ready.set()

    def let_go(self) -> None:
        """In a forked child: see :meth:`Server.let_go`."""
        self._server.let_go(self._listener)

    def _is_not_ours(self, record: logging.LogRecord) -> bool:
        return record.thread != self.ident


_threads: weakref.WeakSet[ServingThread] = weakref.WeakSet()


def _let_go_of_everything() -> None:
    for thread in list(_threads):
        thread.let_go()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_of_everything)

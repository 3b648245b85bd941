"""Resetting or closing the connection of a request."""

from __future__ import annotations

import asyncio
import socket
import struct

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["EndableProtocol", "hang_up", "reset"]

_TRANSPORT = "transport"
_NO_LINGER = struct.pack("ii", 1, 0)


class EndableProtocol(H11Protocol):
    """A protocol that gives the application access to the connection of a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Store the transport in the state that each request gets a copy of."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


async def reset(scope: Scope, receive: Receive) -> None:
    """Abort the connection with a TCP reset, as a crashed peer would."""
    transport = scope["state"][_TRANSPORT]
    if not transport.is_closing():
        # Without SO_LINGER 0 the peer would see a regular end of stream.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
    await _wait_for_disconnect(receive)


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection after the bytes sent so far."""
    scope["state"][_TRANSPORT].close()
    await _wait_for_disconnect(receive)


async def _wait_for_disconnect(receive: Receive) -> None:
    # uvicorn would log an application that returns without a response.
    while (await receive())["type"] != "http.disconnect":
        pass

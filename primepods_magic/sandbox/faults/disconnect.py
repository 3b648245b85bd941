"""Ending a connection under a client: reset, or closed in the middle of an answer."""

from __future__ import annotations

import asyncio
import socket
import struct

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "transport"
_LINGER_NOT_AT_ALL = struct.pack("ii", 1, 0)


class EndableProtocol(H11Protocol):
    """uvicorn's protocol, which lets the application reach the connection that a request came by."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection; every request on it gets a copy of this state."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


async def reset(scope: Scope, receive: Receive) -> None:
    """End the connection as a crashed peer does: with a TCP reset, whatever was to be sent.

    Parameters
    ----------
    scope, receive:
        Of a request that :class:`EndableProtocol` read.
    """
    transport = scope["state"][_TRANSPORT]
    if not transport.is_closing():
        # Without this, closing is polite: the peer reads the end of a stream.
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT_AT_ALL)
    transport.abort()
    await _gone(receive)


async def hang_up(scope: Scope, receive: Receive) -> None:
    """End the connection after what has been sent so far.

    Parameters
    ----------
    scope, receive:
        Of a request that :class:`EndableProtocol` read.
    """
    scope["state"][_TRANSPORT].close()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    # An application that returned earlier would be blamed for not having answered.
    while (await receive())["type"] != "http.disconnect":
        pass

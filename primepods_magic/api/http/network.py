"""Network limits: one clock and one byte count for a whole exchange.

httpx applies its timeout to every single read, so a service that sends a byte now and then can hold a call
for ever: with slow headers, endless interim (1xx) responses, or a proxy's handshake. Here every connect, TLS
handshake, read and write takes its time from one allowance.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import httpcore
import httpx

__all__ = ["is_host", "limit_client", "limit_exchange"]

_MAX_WRITE_BYTES = 16 * 2**10
_MAX_READ_BYTES = 16 * 2**10
_T = TypeVar("_T")


@dataclass
class _Allowance:
    """The time and bytes left for this thread's exchange."""

    ends_at: float
    bytes_left: int


_allowance: ContextVar[_Allowance | None] = ContextVar("allowance", default=None)


@contextmanager
def limit_exchange(max_duration_s: float, max_bytes: int) -> Iterator[None]:
    """Limit this thread's traffic inside the block: time in total, and bytes received on the wire."""
    token = _allowance.set(_Allowance(time.monotonic() + max_duration_s, max_bytes))
    try:
        yield
    finally:
        _allowance.reset(token)


def is_host(name: str) -> bool:
    """Return whether a name can be resolved; TLS with any other leaks its socket.

    >>> is_host("api.example"), is_host("::1"), is_host(".example"), is_host("")
    (True, True, False, False)
    """
    try:
        return bool(name.encode("idna"))
    except UnicodeError:
        return False


def limit_client(client: httpx.Client) -> None:
    """Apply `limit_exchange` to a client's connections, proxied ones included."""
    # httpx has no public way to replace the network backend of the transports that it creates.
    for transport in (client._transport, *client._mounts.values()):
        pool: Any = getattr(transport, "_pool", None)
        if hasattr(pool, "_network_backend"):
            pool._network_backend = _BoundBackend(client)


def _take_time(timeout_s: float | None, expired: type[Exception]) -> float | None:
    """Return the seconds that an operation may take; raise if none are left."""
    allowed = _allowance.get()
    if allowed is None:
        return timeout_s
    left_s = allowed.ends_at - time.monotonic()
    if left_s <= 0:
        raise expired("the exchange takes too long")
    return left_s if timeout_s is None else min(timeout_s, left_s)


class _BoundStream(httpcore.NetworkStream):
    """A connection whose operations stay within the allowance, until its client is closed."""

    def __init__(self, stream: httpcore.NetworkStream, client: httpx.Client) -> None:
        self._stream = stream
        self._client = client

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, _take_time(timeout, httpcore.ReadTimeout))
        allowed = _allowance.get()
        if allowed is not None:
            allowed.bytes_left -= len(data)
            if allowed.bytes_left < 0:
                raise httpcore.ReadError("the response is too large")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._client.is_closed:
            # A pool that was closed while this connection was being opened does not close it.
            self.close()
            raise httpcore.WriteError("the client was closed")
        # Write in pieces: one call would wait again for every few bytes that a slow peer accepts.
        for start in range(0, len(buffer), _MAX_WRITE_BYTES):
            piece = buffer[start : start + _MAX_WRITE_BYTES]
            self._stream.write(piece, _take_time(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # Close a connection whose TLS fails; no one else knows of it.
        try:
            left_s = _take_time(timeout, httpcore.ConnectTimeout)
            if self._stream.get_extra_info("ssl_object") is not None:
                return _TunneledTls(self, ssl_context, server_hostname, timeout)
            return _BoundStream(self._stream.start_tls(ssl_context, server_hostname, left_s), self._client)
        except ValueError as error:
            self.close()
            # No certificate can be issued for this host.
            raise httpcore.ConnectError(str(error)) from error
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _TunneledTls(httpcore.NetworkStream):
    """TLS inside the TLS connection to a proxy, within the allowance.

    httpcore's own keeps reading for as long as a peer sends a byte now and then.
    """

    def __init__(
        self,
        stream: _BoundStream,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None,
        timeout: float | None,
    ) -> None:
        self._stream = stream
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = ssl_context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        # Map errors to connect errors: no request leaves before the handshake is done.
        try:
            self._run_tls(self._tls.do_handshake, timeout)
        except (httpcore.ReadTimeout, httpcore.WriteTimeout) as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except (httpcore.NetworkError, OSError) as error:
            raise httpcore.ConnectError(str(error)) from error

    def _run_tls(self, operate: Callable[[], _T], timeout: float | None) -> _T:
        """Run a TLS operation with all the reads and writes that it needs."""
        while True:
            try:
                result = operate()
            except ssl.SSLWantReadError:
                self._stream.write(self._outgoing.read(), timeout)
                received = self._stream.read(_MAX_READ_BYTES, timeout)
                if received:
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()
            else:
                self._stream.write(self._outgoing.read(), timeout)
                return result

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._run_tls(lambda: self._tls.read(max_bytes), timeout)
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            while buffer:
                written = self._run_tls(partial(self._tls.write, buffer), timeout)
                buffer = buffer[written:]
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._tls if info == "ssl_object" else self._stream.get_extra_info(info)


class _BoundBackend(httpcore.NetworkBackend):
    """A backend that opens limited connections."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        # Try addresses one by one within one allowance: a name may have very many.
        failure: Exception | None = None
        for address in _resolve_host(host, port):
            left_s = _take_time(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._backend.connect_tcp(address, port, left_s, local_address, socket_options)
                return _BoundStream(stream, self._client)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = failure or error
        raise failure or httpcore.ConnectError("the host name has no address")


def _resolve_host(host: str, port: int) -> list[str]:
    """Return a host's addresses in the order in which to try them."""
    try:
        results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError) as error:
        raise httpcore.ConnectError(str(error)) from error
    addresses = []
    for _, _, _, _, address in results:
        zone = f"%{address[3]}" if len(address) > 3 and address[3] else ""
        addresses.append(f"{address[0]}{zone}")
    return list(dict.fromkeys(addresses))

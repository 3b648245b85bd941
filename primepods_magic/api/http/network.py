"""The network under a request, with one clock and one byte count for a whole exchange.

httpx times every read by itself, so a service that sends one byte now and then holds a call for ever: in
headers that drip, in interim (1xx) responses without end, in a proxy's handshake. Here each connect, TLS
handshake, read and write takes its time from what is left of one allowance.
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

__all__ = ["allow", "bound_client", "is_host", "proxy_of"]

_LARGEST_WRITE_BYTES = 16 * 2**10
_LARGEST_READ_BYTES = 16 * 2**10
_T = TypeVar("_T")


@dataclass
class _Allowance:
    """What is left for the exchange that this thread is in."""

    ends_at: float
    bytes_left: int


_allowance: ContextVar[_Allowance | None] = ContextVar("allowance", default=None)


@contextmanager
def allow(duration_s: float, size_bytes: int) -> Iterator[None]:
    """Bound all network traffic of this thread inside the block.

    Parameters
    ----------
    duration_s : float
        For everything together, from the first connect to the last byte.
    size_bytes : int
        The most that may be received, as it comes over the wire.
    """
    token = _allowance.set(_Allowance(time.monotonic() + duration_s, size_bytes))
    try:
        yield
    finally:
        _allowance.reset(token)


def is_host(name: str) -> bool:
    """Return whether a name can be looked up. TLS with another one fails without closing its socket.

    >>> is_host("api.example"), is_host("::1"), is_host(".example"), is_host("")
    (True, True, False, False)
    """
    try:
        # The error is a ValueError as well.
        return bool(name.encode("idna"))
    except UnicodeError:
        return False


def bound_client(client: httpx.Client) -> None:
    """Let the connections of a client keep to what `allow` grants, also those through its proxies.

    Raises
    ------
    httpx.InvalidURL
        A proxy has no host that can be one, as in ``http://``: requests would go to this computer.
    """
    # httpx has no public way to choose the network of a transport that it makes, proxies included.
    for transport in (client._transport, *client._mounts.values()):
        pool: Any = getattr(transport, "_pool", None)
        proxy = getattr(pool, "_proxy_url", None)
        # httpx writes a space in it as %20.
        if proxy is not None and not is_host(proxy.host.decode("ascii", "replace").replace("%20", "")):
            raise httpx.InvalidURL("the URL of a proxy has no host")
        if hasattr(pool, "_network_backend"):
            pool._network_backend = _BoundBackend(client)


def proxy_of(client: httpx.Client, url: str) -> str | None:
    """Return the host and port of the proxy through which a client sends to a URL, or ``None``."""
    pool: Any = getattr(client._transport_for_url(httpx.URL(url)), "_pool", None)
    proxy = getattr(pool, "_proxy_url", None)
    if proxy is None:
        return None
    host = proxy.host.decode("ascii", "replace")
    return f"{f'[{host}]' if ':' in host else host}{f':{proxy.port}' if proxy.port else ''}"


def _take_time(timeout_s: float | None, expired: type[Exception]) -> float | None:
    """Return how long an operation may take, or raise if nothing is left."""
    allowed = _allowance.get()
    if allowed is None:
        return timeout_s
    left_s = allowed.ends_at - time.monotonic()
    if left_s <= 0:
        raise expired("the exchange takes too long")
    return left_s if timeout_s is None else min(timeout_s, left_s)


class _BoundStream(httpcore.NetworkStream):
    """A connection whose every operation keeps to the allowance."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, _take_time(timeout, httpcore.ReadTimeout))
        allowed = _allowance.get()
        if allowed is not None:
            allowed.bytes_left -= len(data)
            if allowed.bytes_left < 0:
                raise httpcore.ReadError("the answer is too large")
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces: a peer that takes a few bytes at a time would be waited for again and again in one call.
        for start in range(0, len(buffer), _LARGEST_WRITE_BYTES):
            piece = buffer[start : start + _LARGEST_WRITE_BYTES]
            self._stream.write(piece, _take_time(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # A connection whose TLS fails is known to nobody else, so it is closed here.
        try:
            left_s = _take_time(timeout, httpcore.ConnectTimeout)
            if self._stream.get_extra_info("ssl_object") is not None:
                return _TunneledTls(self, ssl_context, server_hostname, timeout)
            return _BoundStream(self._stream.start_tls(ssl_context, server_hostname, left_s))
        except ValueError as error:
            self.close()
            # A host that no certificate can have.
            raise httpcore.ConnectError(str(error)) from error
        except BaseException:
            self.close()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _TunneledTls(httpcore.NetworkStream):
    """TLS inside the TLS connection to a proxy. That of httpcore reads from the socket for as long as a peer
    sends a byte now and then; this one reads and writes through a stream that keeps to the allowance."""

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
        # Until the handshake is over nothing of a request has left.
        try:
            self._carry_out(self._tls.do_handshake, timeout)
        except (httpcore.ReadTimeout, httpcore.WriteTimeout) as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except (httpcore.NetworkError, OSError) as error:
            raise httpcore.ConnectError(str(error)) from error

    def _carry_out(self, operate: Callable[[], _T], timeout: float | None) -> _T:
        """Carry out an operation of TLS, with all reads and writes that it takes."""
        while True:
            try:
                result = operate()
            except ssl.SSLWantReadError:
                self._stream.write(self._outgoing.read(), timeout)
                received = self._stream.read(_LARGEST_READ_BYTES, timeout)
                if received:
                    self._incoming.write(received)
                else:
                    self._incoming.write_eof()
            else:
                self._stream.write(self._outgoing.read(), timeout)
                return result

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._carry_out(lambda: self._tls.read(max_bytes), timeout)
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            while buffer:
                written = self._carry_out(partial(self._tls.write, buffer), timeout)
                buffer = buffer[written:]
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._tls if info == "ssl_object" else self._stream.get_extra_info(info)


class _BoundBackend(httpcore.NetworkBackend):
    """Opens connections that keep to the allowance, as long as the client is not closed."""

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
        # One by one: a name with very many addresses would take the time-out for each of them.
        failure: Exception | None = None
        for address in _addresses_of(host, port):
            left_s = _take_time(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._backend.connect_tcp(address, port, left_s, local_address, socket_options)
                return self._bind_stream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = failure or error
        raise failure or httpcore.ConnectError("the name has no address")

    def _bind_stream(self, stream: httpcore.NetworkStream) -> httpcore.NetworkStream:
        if self._client.is_closed:
            # A pool that was closed meanwhile would keep it open.
            stream.close()
            raise httpcore.ConnectError("the client was closed")
        return _BoundStream(stream)


def _addresses_of(host: str, port: int) -> list[str]:
    """Return the addresses of a host in the order in which they are to be tried."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError) as error:
        raise httpcore.ConnectError(str(error)) from error
    addresses = []
    for _, _, _, _, address in found:
        zone = f"%{address[3]}" if len(address) > 3 and address[3] else ""
        addresses.append(f"{address[0]}{zone}")
    return list(dict.fromkeys(addresses))

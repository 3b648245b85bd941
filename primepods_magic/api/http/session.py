"""The one request loop: the key, time limits, retries by verb.

A GET or DELETE is sent again when that may help. A POST is sent again only when it provably never
left, when the caller has looked after 429 and found that nothing was done, or following one redirect
on the same host that keeps method and body: the service knows no idempotency key, so a create that it
may have acted on must never be repeated.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from primepods_magic._version import __version__
from primepods_magic.api.errors import ConnectionClosed, InvalidRequest, NotConfigured, UnexpectedAnswer
from primepods_magic.api.settings import SANDBOX_KEYS, Settings
from primepods_magic.api.validation.bounds import check_seconds

from .body_decoding import LARGEST_BODY_BYTES, parse_body, receive_body
from .error_mapping import NEVER_LEFT, date_of, error_from_exception, error_from_response, retry_after_s
from .network import allow, bound_client, proxy_of
from .sent_secrets import SentSecrets, secrets_in

__all__ = ["HttpSession", "Params"]

Params = Mapping[str, str | int | float | Sequence[str] | None]

_PODS_PATH = "/api/v1/pods/"
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
TOTAL_TIMEOUT_S = 60.0
RETRY_BUDGET_S = 20.0
CONNECT_ATTEMPTS = 3
SPOILT_ATTEMPTS = 4
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 8.0
SHORTEST_TIMEOUT_S = 0.001
# A body within its limit, and all that may stand before and around it.
LARGEST_EXCHANGE_BYTES = 2 * LARGEST_BODY_BYTES

_CODING_HEADERS = {b"content-encoding", b"content-length", b"transfer-encoding"}
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_WAY_VARIABLES = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"),
    *_PROXY_VARIABLES,
    *map(str.lower, _PROXY_VARIABLES),
)
_RETRIED_STATUS = {429, 500, 502, 503, 504}


class _Bearer(httpx.Auth):
    """Adds the key to a request as it leaves, so that no frame of ours holds it where a traceback could
    show it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._settings.api_key}"
        yield request


class _Content(httpx.SyncByteStream):
    """A body as JSON, which no frame that it comes through can show: secrets are in it."""

    def __init__(self, body: object) -> None:
        # As ASCII: half a surrogate pair has no other form.
        self._json = json.dumps(body() if callable(body) else body).encode()

    def __len__(self) -> int:
        return len(self._json)

    def __iter__(self) -> Iterator[bytes]:
        yield self._json


class HttpSession:
    """Sends requests to one service with one key. Thread-safe; close it when done.

    Parameters
    ----------
    settings : Settings
        Where to, and with which key.
    http : httpx.BaseTransport, optional
        What carries the requests instead of the network.
    sleep : callable, optional
        Waits that many seconds before trying again.
    total_timeout_s : float
        The longest that one exchange may take, from connecting to the last byte of the answer.
    read_timeout_s : float
        The longest that the service may be silent.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        http: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] | None = None,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._total_timeout_s = total_timeout_s
        self._closing = threading.Event()
        self._sleep = sleep or self._closing.wait
        self._seen: tuple[datetime, float] | None = None
        self._read_timeout_s = max(check_seconds("read_timeout_s", read_timeout_s), SHORTEST_TIMEOUT_S)
        self._carrier = http
        self._sent = SentSecrets()
        self._http, self._process = self._new_http(), os.getpid()
        self._way = _read_way()
        self._earlier: list[httpx.Client] = []

    def _new_http(self) -> httpx.Client:
        client = httpx.Client(
            base_url=self._settings.base_url,
            transport=self._carrier,
            follow_redirects=False,
            # A proxy cannot reach this computer's own loopback, and needs no certificates for it.
            trust_env=not self._settings.is_loopback,
            verify=not self._settings.is_loopback,
            auth=_Bearer(self._settings),
            # None is kept: they would only be something that grows.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "Content-Type": "application/json",
                "User-Agent": f"primepods_magic/{__version__}",
            },
        )
        try:
            bound_client(client)
        except httpx.InvalidURL:
            client.close()
            raise
        return client

    def _open_http(self) -> httpx.Client:
        """The connections of this process: a child that was forked must not write into its parent's."""
        if self._process != os.getpid():
            self._http, self._process = self._new_http(), os.getpid()
        return self._http

    def follow_environment(self) -> None:
        """Go the way that the proxy and certificate variables say now: a proxy is often set only after the
        first request has failed. Variables that cannot be used change nothing."""
        way = _read_way()
        if way == self._way or self._closing.is_set():
            return
        self._way = way
        with contextlib.suppress(ValueError, OSError, ImportError, httpx.InvalidURL):
            http = self._new_http()
            # Other threads may be sending.
            self._earlier.append(self._http)
            self._http = http

    def close(self) -> None:
        """Close the connections, and wake whoever waits to try again; sending afterwards is an error."""
        self._closing.set()
        for http in (self._open_http(), *self._earlier):
            http.close()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closing.is_set()

    @property
    def proxy(self) -> str | None:
        """Host and port of the proxy that requests go through, if any."""
        return proxy_of(self._open_http(), self._settings.base_url)

    @property
    def service_time(self) -> tuple[datetime, float] | None:
        """The latest ``Date`` (UTC) of a successful answer in JSON and the ``time.monotonic()`` at which it
        came."""
        return self._seen

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: object = None,
        budget_s: float | None = None,
        read_timeout_s: float | None = None,
        is_log: bool = False,
        pause: Callable[[float, bool], object] | None = None,
        look: Callable[[], object] | None = None,
    ) -> Any:
        """Send one request and return the decoded JSON of its answer.

        Parameters
        ----------
        method : str
            ``GET``, ``POST``, ``PATCH`` or ``DELETE``.
        path : str
            Path on the service, from the root.
        params : mapping, optional
            Query; a list is repeated, ``None`` is left out.
        body : object, optional
            Sent as JSON. Where it is a function, what that returns, which no traceback then shows.
        budget_s : float, optional
            For how long to try again where that may help; 0 is once. 20 s unless given.
        read_timeout_s : float, optional
            The longest that the service may be silent; what all requests have unless given.
        is_log : bool
            Plain text that is not JSON is an answer too, and returned as it is. Secrets are in it, until
            `hide_end` hides them.
        pause : callable, optional
            Waits before this request is sent again: told for how many seconds at least, and whether the
            service has said that it is too much (429). What it raises ends the request.
        look : callable, optional
            Called when a POST was refused with 429 and that wait is over: return if nothing was done all the
            same, and the POST is sent again; raise, and it is not. Without it, 429 ends a POST.

        Raises
        ------
        PodsError
            The class says why; see `primepods_magic.api.errors`. ``OutcomeUnknown`` where a POST may have
            been acted on.
        """
        query = httpx.QueryParams({k: v for k, v in (params or {}).items() if v is not None})
        budget_s = RETRY_BUDGET_S if budget_s is None else budget_s
        deadline = time.monotonic() + check_seconds("budget_s", budget_s, may_be_zero=True)
        silence_s = self._read_timeout_s
        if read_timeout_s is not None:
            wanted_s = check_seconds("read_timeout_s", read_timeout_s)
            silence_s = min(silence_s, max(wanted_s, SHORTEST_TIMEOUT_S))
        timeout = httpx.Timeout(silence_s, connect=min(CONNECT_TIMEOUT_S, silence_s))
        if method == "POST":
            self._sent.remember(body)
        attempt = 0
        while True:
            attempt += 1
            if self._closing.is_set():
                raise _closed_connection()
            try:
                response = self._send(method, path, query, body, timeout)
                received_at_s = time.monotonic()
            except httpx.HTTPError as error:
                failure = error_from_exception(method, self._settings.base_url, error)
                never_left, is_too_much = isinstance(error, NEVER_LEFT), False
                may_retry = attempt < CONNECT_ATTEMPTS if never_left else method != "POST"
                delay_s = _backoff_s(attempt)
            else:
                try:
                    if response.is_success:
                        answer = parse_body(method, response, text_will_do=is_log)
                        if response.content and isinstance(answer, (dict, list)):
                            self._note_time(response, received_at_s)
                        if method == "POST":
                            self._sent.note_pod(body, answer)
                        is_hidden = path.startswith(_PODS_PATH) and not is_log
                        return self._sent.hide(answer) if is_hidden else answer
                    failure = error_from_response(method, response, self._list_secrets(body))
                except UnexpectedAnswer as unexpected:
                    failure = unexpected
                may_retry = response.status_code in _RETRIED_STATUS and (
                    method != "POST" or (response.status_code == 429 and look is not None)
                )
                if response.is_success and method != "POST":
                    # One spoilt answer may be chance; a login page stays one.
                    may_retry = attempt < SPOILT_ATTEMPTS
                delay_s = retry_after_s(response) or _backoff_s(attempt)
                is_too_much = response.status_code == 429
            if not may_retry or time.monotonic() + delay_s > deadline:
                raise failure
            began = time.monotonic()
            if pause is None:
                self._sleep(delay_s)
                began = time.monotonic() - delay_s
            else:
                pause(delay_s, is_too_much)
            if look is not None and is_too_much:
                if self._closing.is_set():
                    raise failure
                look()
            # Waiting for one's turn, or looking, is not trying.
            deadline += max(0.0, time.monotonic() - began - delay_s)

    def hide_end(self, log: str, size: int) -> str:
        """Return the last characters of a log, without the secrets that were sent."""
        return self._sent.hide_end(log, size)

    def _list_secrets(self, body: object) -> list[str]:
        """What was sent and is nobody else's business, which a refusal may repeat: the key, and the secret
        values of creates."""
        keys = [] if self._settings.api_key in SANDBOX_KEYS else [self._settings.api_key]
        return [*keys, *self._sent.values, *(value for _, value in secrets_in(body))]

    def _send(
        self, method: str, path: str, query: httpx.QueryParams, body: object, timeout: httpx.Timeout
    ) -> httpx.Response:
        if not self._settings.api_key:
            raise NotConfigured(
                "there is no API key, so nothing was sent. Set PRIME_API_KEY, or run 'prime login', or use "
                "'%pods connect --sandbox' to try without one"
            )
        content = None if body is None else _Content(body)
        ends_at = time.monotonic() + self._total_timeout_s
        with allow(self._total_timeout_s, LARGEST_EXCHANGE_BYTES):
            response = self._receive(method, path, query, content, timeout, ends_at)
            if response.status_code in (307, 308):
                target = _same_origin(str(response.request.url), response.headers.get("location", ""))
                if target is not None:
                    query = httpx.QueryParams()
                    try:
                        response = self._receive(method, target, query, content, timeout, ends_at)
                    except NEVER_LEFT as error:
                        # Not this one, but the one that was redirected has left.
                        raise httpx.NetworkError(str(error)) from None
        return response

    def _receive(
        self,
        method: str,
        path: str,
        query: httpx.QueryParams,
        content: _Content | None,
        timeout: httpx.Timeout,
        ends_at: float,
    ) -> httpx.Response:
        http = self._open_http()
        headers = None if content is None else {"Content-Length": str(len(content))}
        try:
            request = http.build_request(
                method, path, params=query or None, content=content, headers=headers, timeout=timeout
            )
        except (httpx.InvalidURL, ValueError):
            raise InvalidRequest("An id or a name cannot be part of an address. Nothing was sent") from None
        try:
            with contextlib.closing(http.send(request, stream=True)) as response:
                received = receive_body(response, ends_at)
        except httpx.HTTPError:
            raise
        except Exception as error:  # noqa: BLE001 - a proxy's handshake, say, has errors of its own
            if self._closing.is_set():
                raise _closed_connection() from None
            # The words may repeat what was sent.
            raise httpx.NetworkError(type(error).__name__) from None
        # As bytes: not every header is ASCII.
        head = [(name, value) for name, value in response.headers.raw if name.lower() not in _CODING_HEADERS]
        return httpx.Response(response.status_code, headers=head, content=received, request=response.request)

    def _note_time(self, response: httpx.Response, received_at_s: float) -> None:
        """Note the service's time; an error page is often a proxy's, whose clock may be wrong by days."""
        moment = date_of(response)
        if moment is not None:
            self._seen = (moment, received_at_s)


def _read_way() -> tuple[str | None, ...]:
    """Return what the environment says of proxies and certificates."""
    return tuple(map(os.environ.get, _WAY_VARIABLES))


def _closed_connection() -> ConnectionClosed:
    return ConnectionClosed("This connection has been closed. '%pods show NAME' finds a pod again")


def _backoff_s(attempt: int) -> float:
    longest_s = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** (attempt - 1))
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


def _same_origin(url: str, location: str) -> str | None:
    """Where a redirect leads, if that is the same service; neither key nor body goes anywhere else."""
    try:
        target = urljoin(url, location)
        here, there = urlsplit(url), urlsplit(target)
        same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
        httpx.URL(target)
    except (ValueError, httpx.InvalidURL):
        return None
    return target if same else None

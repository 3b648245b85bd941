"""HTTP requests to one service: the key, timeouts, retries and a debug log.

GET and DELETE are retried if that may help. A POST is sent again only if it provably never left, or to follow
one redirect on the same host that keeps method and body. The service has no idempotency keys, so a create
that it may have acted on is never repeated.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from primepods_magic._version import __version__
from primepods_magic.api.errors import (
    NO_API_KEY,
    ConnectionClosed,
    InvalidRequest,
    NotConfigured,
    UnexpectedAnswer,
)
from primepods_magic.api.secrets.redaction import hide_secrets
from primepods_magic.api.settings import Settings
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.api.validation.bounds import check_seconds

from .body_decoding import MAX_BODY_BYTES, parse_body, receive_body
from .error_mapping import (
    NOT_SENT_ERRORS,
    error_from_exception,
    error_from_response,
    read_request_id,
    read_response_time,
    retry_after_s,
)
from .hidden_parts import BearerAuth, JsonBody
from .network import limit_client, limit_exchange
from .parsing import raise_reported_error
from .route.certificates import ADDED_VARIABLES, CERTIFICATE_VARIABLES, create_tls_context
from .route.failures import is_login_refused
from .route.proxies import PROXY_VARIABLES, Proxy, choose_proxy
from .sent_secrets import SentSecrets, secrets_in

__all__ = ["HttpSession", "Params"]

_log = logging.getLogger(__name__)

Params = Mapping[str, str | int | float | Sequence[str] | None]

_PODS_PATH = "/api/v1/pods/"
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
TOTAL_TIMEOUT_S = 60.0
RETRY_BUDGET_S = 20.0
CONNECT_ATTEMPTS = 3
DECODE_ATTEMPTS = 4
FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 8.0
MIN_TIMEOUT_S = 0.001
# A body within its limit, and its headers and framing.
MAX_EXCHANGE_BYTES = 2 * MAX_BODY_BYTES

_CODING_HEADERS = {b"content-encoding", b"content-length", b"transfer-encoding"}
_NETWORK_VARIABLES = (
    *CERTIFICATE_VARIABLES,
    *ADDED_VARIABLES,
    *PROXY_VARIABLES,
    *map(str.lower, PROXY_VARIABLES),
)
_MAX_LOGGED_PATH = 200
_RETRIED_STATUS = {429, 500, 502, 503, 504}


class HttpSession:
    """Thread-safe requests to one service with one key; close it when done.

    ``transport`` replaces the network and ``sleep`` the backoff, for tests. ``total_timeout_s`` limits one
    exchange from connecting to the last byte, ``read_timeout_s`` the silence of the service.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] | None = None,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self._settings = settings
        self._total_timeout_s = total_timeout_s
        self._closing = threading.Event()
        self._sleep = sleep or self._closing.wait
        self._service_time: tuple[datetime, float] | None = None
        self._read_timeout_s = max(check_seconds("read_timeout_s", read_timeout_s), MIN_TIMEOUT_S)
        self._transport = transport
        self._sent = SentSecrets()
        self._proxy = self._choose_proxy()
        self._client, self._client_pid = self._new_client(self._proxy), os.getpid()
        self._network_variables = _read_network_variables()
        self._replaced_clients: list[httpx.Client] = []

    def _choose_proxy(self) -> Proxy | None:
        # A proxy cannot reach this computer's loopback.
        is_direct = self._settings.is_loopback or self._transport is not None
        return None if is_direct else choose_proxy(self._settings.base_url)

    def _new_client(self, proxy: Proxy | None) -> httpx.Client:
        # This computer's loopback needs no certificates.
        context = None if self._settings.is_loopback else create_tls_context()
        client = httpx.Client(
            base_url=self._settings.base_url,
            transport=self._transport,
            proxy=proxy.to_httpx(context) if proxy and context else None,
            follow_redirects=False,
            # Its rules for proxies and certificates differ from ours.
            trust_env=False,
            verify=context or False,
            auth=BearerAuth(self._settings),
            # Store no cookies: they would only grow.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "Content-Type": "application/json",
                "User-Agent": f"primepods_magic/{__version__}",
            },
        )
        limit_client(client)
        return client

    def _open_client(self) -> httpx.Client:
        """Return this process's client: a forked child must not write to its parent's connections."""
        if self._client_pid != os.getpid():
            self._client, self._client_pid = self._new_client(self._proxy), os.getpid()
        return self._client

    def follow_environment(self) -> None:
        """Apply changed proxy and certificate variables, which are often set only after a first failure.

        Variables that cannot be used change nothing.
        """
        variables = _read_network_variables()
        if variables == self._network_variables or self._closing.is_set():
            return
        self._network_variables = variables
        with contextlib.suppress(ValueError, OSError, ImportError, httpx.InvalidURL):
            proxy = self._choose_proxy()
            client = self._new_client(proxy)
            # Other threads may still be sending through the old one.
            self._replaced_clients.append(self._client)
            self._client, self._proxy = client, proxy

    def close(self) -> None:
        """Close the connections and wake threads that wait to retry; later requests fail."""
        self._closing.set()
        for client in (self._open_client(), *self._replaced_clients):
            client.close()

    @property
    def is_closed(self) -> bool:
        """Return whether `close` was called."""
        return self._closing.is_set()

    @property
    def proxy(self) -> Proxy | None:
        """The proxy for this service, if any."""
        return self._proxy

    @property
    def service_time(self) -> tuple[datetime, float] | None:
        """The ``Date`` (UTC) of the last successful JSON response, with its ``time.monotonic()``."""
        return self._service_time

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
        wait_before_retry: Callable[[float, bool], object] | None = None,
    ) -> Any:
        """Send one request and return the decoded JSON of its response.

        A ``body`` that is a function is called late, so that no traceback shows its result. ``budget_s`` is
        how long to keep retrying (0: send once; 20 s by default). ``is_log`` also accepts plain text, which
        holds secrets until `hide_end` removes them. ``wait_before_retry`` receives the minimum wait in
        seconds and whether the status was 429; it may raise. A POST that was sent is never sent again.
        """
        query = httpx.QueryParams({k: v for k, v in (params or {}).items() if v is not None})
        budget_s = RETRY_BUDGET_S if budget_s is None else budget_s
        deadline = time.monotonic() + check_seconds("budget_s", budget_s, may_be_zero=True)
        timeout = self._make_timeout(read_timeout_s)
        if method == "POST":
            self._sent.remember(body)
        attempt = 0
        while True:
            attempt += 1
            if self._closing.is_set():
                raise _closed_connection()
            sent_at_s = time.monotonic()
            try:
                response = self._send_request(method, path, query, body, timeout)
                received_at_s = time.monotonic()
                self._log_attempt(method, path, sent_at_s, attempt, response, body)
            except httpx.HTTPError as error:
                self._log_attempt(method, path, sent_at_s, attempt, error, body)
                failure = error_from_exception(method, self._settings.base_url, error, self._proxy)
                never_left, is_too_much = isinstance(error, NOT_SENT_ERRORS), False
                may_retry = attempt < CONNECT_ATTEMPTS if never_left else method != "POST"
                may_retry = may_retry and not is_login_refused(error)
                delay_s = _backoff_s(attempt)
            else:
                try:
                    if response.is_success:
                        answer = parse_body(method, response, allow_text=is_log, key=self._settings.real_key)
                        if method == "GET" and not is_log:
                            raise_reported_error(answer, self._list_secrets(body))
                        if response.content and isinstance(answer, (dict, list)):
                            self._note_time(response, received_at_s)
                        if method == "POST":
                            self._sent.note_pod(body, answer)
                        is_hidden = path.startswith(_PODS_PATH) and not is_log
                        return self._sent.hide(answer) if is_hidden else answer
                    failure = error_from_response(method, response, self._list_secrets(body))
                except UnexpectedAnswer as unexpected:
                    failure = unexpected
                is_too_much = response.status_code == 429
                may_retry = response.status_code in _RETRIED_STATUS and method != "POST"
                if response.is_success and method != "POST":
                    # One undecodable response may be chance; a login page stays one.
                    may_retry = attempt < DECODE_ATTEMPTS
                delay_s = retry_after_s(response) or _backoff_s(attempt)
            if not may_retry or time.monotonic() + delay_s > deadline:
                raise failure
            began_s = time.monotonic()
            if wait_before_retry is None:
                self._sleep(delay_s)
                began_s = time.monotonic() - delay_s
            else:
                wait_before_retry(delay_s, is_too_much)
            # Time spent waiting for a turn does not count as retrying.
            deadline += max(0.0, time.monotonic() - began_s - delay_s)

    def _make_timeout(self, read_timeout_s: float | None) -> httpx.Timeout:
        silence_s = self._read_timeout_s
        if read_timeout_s is not None:
            silence_s = min(silence_s, max(check_seconds("read_timeout_s", read_timeout_s), MIN_TIMEOUT_S))
        return httpx.Timeout(silence_s, connect=min(CONNECT_TIMEOUT_S, silence_s))

    def _log_attempt(
        self,
        method: str,
        path: str,
        sent_at_s: float,
        attempt: int,
        result: httpx.Response | httpx.HTTPError,
        body: object,
    ) -> None:
        """Log one line; never the query, a body, the key or another secret."""
        if not _log.isEnabledFor(logging.DEBUG):
            return
        duration_ms = (time.monotonic() - sent_at_s) * 1000
        secrets = self._list_secrets(body)
        status: object = type(result).__name__
        request_id = None
        if isinstance(result, httpx.Response):
            status, request_id = result.status_code, read_request_id(result, secrets)
        # Ids in the path come from the service.
        shown_path = shorten(sanitize(hide_secrets(path, dict.fromkeys(secrets, "***"))), _MAX_LOGGED_PATH)
        _log.debug(
            "%s %s %s in %.0f ms (attempt %d, request %s)",
            *(method, shown_path, status, duration_ms, attempt, request_id or "-"),
        )

    def hide_end(self, log: str, size: int) -> str:
        """Return the last ``size`` characters of a log without the secrets that were sent."""
        return self._sent.hide_end(log, size)

    def _list_secrets(self, body: object) -> list[str]:
        """Return what a refusal may repeat and must not show: keys, passwords and the secrets of creates."""
        keys = [self._settings.real_key] if self._settings.real_key else []
        keys += self._proxy.passwords if self._proxy else ()
        return [*keys, *self._sent.values, *(value for _, value in secrets_in(body))]

    def _send_request(
        self, method: str, path: str, query: httpx.QueryParams, body: object, timeout: httpx.Timeout
    ) -> httpx.Response:
        if not self._settings.api_key:
            raise NotConfigured(NO_API_KEY)
        content = None if body is None else JsonBody(body)
        ends_at = time.monotonic() + self._total_timeout_s
        with limit_exchange(self._total_timeout_s, MAX_EXCHANGE_BYTES):
            response = self._exchange_once(method, path, query, content, timeout, ends_at)
            if response.status_code in (307, 308):
                target = _same_origin(str(response.request.url), response.headers.get("location", ""))
                if target is not None:
                    query = httpx.QueryParams()
                    try:
                        response = self._exchange_once(method, target, query, content, timeout, ends_at)
                    except NOT_SENT_ERRORS as error:
                        # The request that was redirected did leave.
                        raise httpx.NetworkError(str(error)) from None
        return response

    def _exchange_once(
        self,
        method: str,
        path: str,
        query: httpx.QueryParams,
        content: JsonBody | None,
        timeout: httpx.Timeout,
        ends_at: float,
    ) -> httpx.Response:
        client = self._open_client()
        headers = None if content is None else {"Content-Length": str(len(content))}
        try:
            request = client.build_request(
                method, path, params=query or None, content=content, headers=headers, timeout=timeout
            )
        except (httpx.InvalidURL, ValueError):
            raise InvalidRequest("The id or name cannot be part of a URL. Nothing was sent") from None
        try:
            with contextlib.closing(client.send(request, stream=True)) as response:
                received = receive_body(response, ends_at)
        except httpx.HTTPError:
            raise
        except Exception as error:  # noqa: BLE001 - a proxy's handshake raises errors of its own
            if self._closing.is_set():
                raise _closed_connection() from None
            # Its message may repeat what was sent.
            raise httpx.NetworkError(type(error).__name__) from None
        # Bytes, because not every header is ASCII.
        head = [(name, value) for name, value in response.headers.raw if name.lower() not in _CODING_HEADERS]
        return httpx.Response(response.status_code, headers=head, content=received, request=response.request)

    def _note_time(self, response: httpx.Response, received_at_s: float) -> None:
        """Store the service's time. Error pages do not count: a proxy's clock may be wrong by days."""
        moment = read_response_time(response)
        if moment is not None:
            self._service_time = (moment, received_at_s)


def _read_network_variables() -> int:
    """Return a hash of the variables that changes with them; their values may hold a password."""
    return hash(tuple(map(os.environ.get, _NETWORK_VARIABLES)))


def _closed_connection() -> ConnectionClosed:
    return ConnectionClosed("This connection has been closed. Use '%pods show NAME' to look a pod up again")


def _backoff_s(attempt: int) -> float:
    max_s = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** (attempt - 1))
    return max_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


def _same_origin(url: str, location: str) -> str | None:
    """Return a redirect's target if it is on the same service; key and body go nowhere else."""
    try:
        target = urljoin(url, location)
        here, there = urlsplit(url), urlsplit(target)
        same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
        httpx.URL(target)
    except (ValueError, httpx.InvalidURL):
        return None
    return target if same else None

"""The one request loop: the key, time limits, retries by verb.

A GET or DELETE is sent again when that may help. A POST is sent again only when it provably never
left, after 429, or following one redirect on the same host that keeps method and body: the service
knows no idempotency key, so a create that it may have acted on must never be repeated.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from primepods_magic import __version__

from .answers import read_error
from .errors import (
    REFUSALS,
    ConnectionClosed,
    NotConfigured,
    OutcomeUnknown,
    OutOfStock,
    PodsError,
    RateLimited,
    ServiceUnavailable,
    UnexpectedAnswer,
    error_class,
)
from .settings import Settings
from .text import clean

__all__ = ["Params", "Transport"]

Params = Mapping[str, str | int | float | Sequence[str] | None]

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
TOTAL_TIMEOUT_S = 60.0
RETRY_BUDGET_S = 20.0
CONNECT_ATTEMPTS = 3
SPOILT_ATTEMPTS = 4
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 8.0
LARGEST_BODY_BYTES = 64 * 2**20

_RETRIED_STATUS = {429, 500, 502, 503, 504}
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_CAPACITY_WORDS = ("capacity", "out of stock", "no stock", "sold out")
_LONGEST_REQUEST_ID = 100
# As the service's website names them; those that are not here are nowhere named.
_PERMISSIONS = {"pods": "Instances", "availability": "Availability", "disks": "Disks"}


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


class Transport:
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
        The longest that one answer may take to be read.
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
        self._http = httpx.Client(
            base_url=settings.base_url,
            transport=http,
            timeout=httpx.Timeout(read_timeout_s, connect=min(CONNECT_TIMEOUT_S, read_timeout_s)),
            follow_redirects=False,
            # A proxy cannot reach this computer's own loopback, and needs no certificates for it.
            trust_env=not settings.is_loopback,
            verify=not settings.is_loopback,
            auth=_Bearer(settings),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "User-Agent": f"primepods_magic/{__version__}",
            },
        )

    def close(self) -> None:
        """Close the connections, and wake whoever waits to try again; sending afterwards is an error."""
        self._closing.set()
        self._http.close()

    @property
    def service_time(self) -> tuple[datetime, float] | None:
        """The latest ``Date`` of the service (UTC) and the ``time.monotonic()`` at which it came."""
        return self._seen

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: object = None,
        budget_s: float | None = None,
        text_will_do: bool = False,
    ) -> Any:
        """Send one request and return the decoded JSON of its answer.

        Parameters
        ----------
        method : str
            ``GET``, ``POST`` or ``DELETE``.
        path : str
            Path on the service, from the root.
        params : mapping, optional
            Query; a list is repeated, ``None`` is left out.
        body : object, optional
            Sent as JSON. Where it is a function, what that returns, which no traceback then shows.
        budget_s : float, optional
            For how long to try again where that may help; 0 is once. 20 s unless given.
        text_will_do : bool
            Plain text that is no JSON is an answer too, and returned as it is.

        Raises
        ------
        PodsError
            The class says why; see `primepods_magic.api.errors`. ``OutcomeUnknown`` where a POST may have
            been acted on.
        """
        query = httpx.QueryParams({k: v for k, v in (params or {}).items() if v is not None})
        deadline = time.monotonic() + (RETRY_BUDGET_S if budget_s is None else budget_s)
        attempt = 0
        while True:
            attempt += 1
            if self._closing.is_set():
                raise ConnectionClosed(
                    "this belongs to a connection that was closed since. '%pods show NAME' finds a pod again"
                )
            try:
                response = self._send(method, path, query, body)
            except httpx.HTTPError as error:
                failure = self._unreachable(method, error)
                never_left = isinstance(error, _NEVER_LEFT)
                may_retry = attempt < CONNECT_ATTEMPTS if never_left else method != "POST"
                delay_s = _backoff_s(attempt)
            else:
                try:
                    if response.is_success:
                        return _decode(response, text_will_do)
                    failure = self._refused(method, response, body)
                except UnexpectedAnswer as unexpected:
                    failure = unexpected
                may_retry = response.status_code in _RETRIED_STATUS and (
                    method != "POST" or response.status_code == 429
                )
                if response.is_success and method != "POST":
                    # One spoilt answer may be chance; a login page stays one.
                    may_retry = attempt < SPOILT_ATTEMPTS
                delay_s = _retry_after_s(response) or _backoff_s(attempt)
            if not may_retry or time.monotonic() + delay_s > deadline:
                raise failure
            self._sleep(delay_s)

    def _send(self, method: str, path: str, query: httpx.QueryParams, body: object) -> httpx.Response:
        if not self._settings.api_key:
            raise NotConfigured(
                "there is no API key, so nothing was sent. Set PRIME_API_KEY, or run 'prime login', or use "
                "'%pods connect --sandbox' to try without one"
            )
        response = self._receive(method, path, query, body)
        if response.status_code in (307, 308):
            target = _same_origin(str(response.request.url), response.headers.get("location", ""))
            if target is not None:
                response = self._receive(method, target, httpx.QueryParams(), body)
        return response

    def _receive(self, method: str, path: str, query: httpx.QueryParams, body: object) -> httpx.Response:
        content = None if body is None else _Content(body)
        headers = None if content is None else {"Content-Length": str(len(content))}
        with self._http.stream(
            method, path, params=query or None, content=content, headers=headers
        ) as response:
            received = bytearray()
            deadline = time.monotonic() + self._total_timeout_s
            for chunk in response.iter_bytes():
                received += chunk
                if len(received) > LARGEST_BODY_BYTES:
                    raise httpx.ReadError("the answer is too large", request=response.request)
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer takes too long", request=response.request)
            self._note_time(response)
            head = {
                key: value
                for key, value in response.headers.items()
                if key not in ("content-encoding", "content-length", "transfer-encoding")
            }
            return httpx.Response(
                response.status_code, headers=head, content=bytes(received), request=response.request
            )

    def _note_time(self, response: httpx.Response) -> None:
        moment = _date(response)
        if moment is not None:
            self._seen = (moment, time.monotonic())

    def _unreachable(self, method: str, error: httpx.HTTPError) -> PodsError:
        where = self._settings.base_url
        if isinstance(error, _NEVER_LEFT):
            unreachable = ServiceUnavailable(
                f"cannot reach {where} ({_words(error)}); nothing was done. Check the network and try again"
            )
            unreachable.may_have_acted = False
            return unreachable
        if method == "POST":
            return OutcomeUnknown(
                f"the connection to {where} broke after the request had left ({_words(error)}); it may have "
                "been acted on and was not sent again"
            )
        return ServiceUnavailable(f"{where} did not answer properly ({_words(error)}); try again later")

    def _refused(self, method: str, response: httpx.Response, body: object) -> PodsError:
        status = response.status_code
        secrets = (self._settings.api_key, *_secrets_in(body))
        said = read_error(response.text, response.headers.get("content-type", ""), secrets)
        kind = error_class(status)
        if status == 503 and said and any(word in said.casefold() for word in _CAPACITY_WORDS):
            kind = OutOfStock
        elif method == "POST" and status >= 400 and status not in REFUSALS:
            kind = OutcomeUnknown
        message = _message(kind, status, said, method, response)
        request_id = _request_id(response)
        if status >= 500 and request_id:
            message += f" (request {request_id})"
        if kind is OutcomeUnknown:
            message += "; it may have been acted on and was not sent again"
        return kind(message, status_code=status, request_id=request_id, said=said)


def _message(
    kind: type[PodsError], status: int, said: str | None, method: str, response: httpx.Response
) -> str:
    words = said or response.reason_phrase or "no reason given"
    if status == 401:
        return f"the service does not accept this key ({words}). Check PRIME_API_KEY or run 'prime login'"
    if status == 403 and method == "GET":
        return f"this key may not read that ({words}). {_permission_needed(response, 'Read')}"
    if status == 403:
        needed = _permission_needed(response, "Read and Write")
        return f"this key may not do that ({words}); nothing was done. {needed}"
    if status == 402:
        return f"the wallet cannot pay for this ({words}); nothing was created"
    wait_s = _retry_after_s(response)
    later = f"; try again in {wait_s:.0f} s" if wait_s else ""
    if kind is RateLimited:
        return f"too many requests ({words}){later}"
    if 300 <= status < 400:
        return f"the service redirected the request elsewhere ({status}); it was not followed"
    undone = "; nothing was done" if method != "GET" and status in REFUSALS else ""
    return f"{words} (HTTP {status}){undone}{later}"


def _permission_needed(response: httpx.Response, right: str) -> str:
    room = response.request.url.path.removeprefix("/api/v1/").partition("/")[0]
    if room not in _PERMISSIONS:
        return "'%pods doctor' shows what it may do"
    return f"It needs the permission {_PERMISSIONS[room]} -> {right}"


def _decode(response: httpx.Response, text_will_do: bool) -> Any:
    if not response.content:
        return {}
    content_type = response.headers.get("content-type", "")
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        if text_will_do and content_type.startswith("text/plain"):
            return response.text
    kind = content_type.split(";")[0]
    what = "something that is no JSON" if kind in ("", "application/json") else f"{kind} where JSON belongs"
    raise UnexpectedAnswer(f"the service answered with {what}; a proxy or a login page may be in between")


def _date(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("date", "")).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def _request_id(response: httpx.Response) -> str | None:
    """The id under which the service, or the edge before it, can find this request."""
    for name in ("x-request-id", "cf-ray", "x-amzn-requestid"):
        if name in response.headers:
            return clean(response.headers[name])[:_LONGEST_REQUEST_ID]
    return None


def _backoff_s(attempt: int) -> float:
    longest_s = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** (attempt - 1))
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret


def _retry_after_s(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    # By the clock that the service itself goes by, where it says what that is.
    wait = moment - (_date(response) or datetime.now(timezone.utc))
    return max(wait, timedelta()).total_seconds()


def _same_origin(url: str, location: str) -> str | None:
    """Where a redirect leads, if that is the same service; neither key nor body goes anywhere else."""
    try:
        target = urljoin(url, location)
        here, there = urlsplit(url), urlsplit(target)
        same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
    except ValueError:
        return None
    return target if same else None


def _secrets_in(body: object) -> list[str]:
    """The secret values of a create, which a refusal may repeat."""
    body = body() if callable(body) else body
    pod = body.get("pod") if isinstance(body, dict) else None
    if not isinstance(pod, dict):
        return []
    values = [pod.get("jupyterPassword"), *(env.get("value") for env in pod.get("envVars") or [])]
    # A value of a letter or two is in every sentence, and no secret.
    return [value for value in values if isinstance(value, str) and len(value) > 2]


def _words(error: httpx.HTTPError) -> str:
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return "its certificate is not trusted here"
    # The errors of looking up a name are the negative ones.
    if isinstance(error, httpx.ConnectError) and said.startswith("[Errno -"):
        return "its name is not known here"
    return {
        "ConnectError": "connection refused or no route",
        "ConnectTimeout": f"no connection within {CONNECT_TIMEOUT_S:.0f} s",
        "ReadTimeout": f"no answer within {READ_TIMEOUT_S:.0f} s",
    }.get(type(error).__name__, type(error).__name__)

"""Failed and missing HTTP responses, mapped to exceptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import httpx

from primepods_magic.api.errors import (
    AuthenticationError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    OutOfStock,
    PaymentRequired,
    PermissionDenied,
    PodsError,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
)
from primepods_magic.api.secrets.redaction import hide_secrets
from primepods_magic.api.text.sanitize import sanitize

from .body_decoding import read_text
from .parsing import read_error
from .route.failures import advise, describe_exception
from .route.proxies import Proxy
from .sold_out import names_capacity

__all__ = [
    "NOTHING_DONE",
    "NOT_SENT_ERRORS",
    "error_from_exception",
    "error_from_response",
    "find_error_class",
    "read_request_id",
    "read_response_time",
    "retry_after_s",
]

NOT_SENT_ERRORS = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""Errors raised before any of a request leaves; the last is a proxy that refuses it."""

NOTHING_DONE = "Nothing was done"
"""The sentence of an error for a request that never left; what to do follows it."""

_MAYBE_DONE = "It may have been acted on and was not sent again"
_CREATE_PATH = "/api/v1/pods"
_MAX_REQUEST_ID = 100
_MAX_HEADER = 64
_MAX_RETRY_AFTER_S = 365 * 24 * 3600.0
_BY_STATUS: Mapping[int, type[PodsError]] = {
    401: AuthenticationError,
    402: PaymentRequired,
    403: PermissionDenied,
    404: NotFound,
    409: OutOfStock,
    422: InvalidRequest,
    429: RateLimited,
}
# Statuses that mean the request was not acted on; others, such as a proxy's 408, leave it open.
_REFUSALS = frozenset({400, 401, 402, 403, 404, 405, 409, 410, 411, 413, 414, 415, 422, 429, 431})
# Statuses of a create that found no machine; a 409 without a reason means the same.
_CAPACITY_STATUSES = frozenset({400, 404, 409, 410, 422, 500, 503})
# Names on the service's website; it names no others.
_PERMISSIONS = {
    "pods": "Instances",
    "availability": "Availability",
    "disks": "Disks",
    "ssh_keys": "SSH Keys",
    "billing": "Billing",
}


def find_error_class(status_code: int) -> type[PodsError]:
    """Return the error class for an HTTP status.

    >>> find_error_class(402).__name__
    'PaymentRequired'
    """
    if status_code >= 500:
        return ServiceUnavailable
    return _BY_STATUS.get(status_code, RequestRefused)


def error_from_exception(
    method: str, origin: str, error: httpx.HTTPError, proxy: Proxy | None = None
) -> PodsError:
    """Return the error for a request without a response; a POST that was sent may have been acted on."""
    reason = describe_exception(error, proxy)
    if isinstance(error, NOT_SENT_ERRORS):
        never_left = ServiceUnavailable(
            f"Cannot reach {origin} ({reason}). {NOTHING_DONE}. {advise(error, proxy)}"
        )
        never_left.may_have_acted = False
        return never_left
    if method == "POST":
        return OutcomeUnknown(
            f"The connection to {origin} broke after the request was sent ({reason}). {_MAYBE_DONE}"
        )
    return ServiceUnavailable(f"{origin} did not return a usable response ({reason}). Try again later")


def error_from_response(method: str, response: httpx.Response, secrets: Iterable[str]) -> PodsError:
    """Return the error for a response that is not a success, without the secrets that were sent."""
    status = response.status_code
    secrets = list(secrets)
    text, content_type = read_text(response), response.headers.get("content-type", "")
    detail = read_error(text, content_type, secrets)
    is_create = method == "POST" and response.request.url.path.rstrip("/") == _CREATE_PATH
    kind = find_error_class(status)
    if status == 409:
        # The conflict may be with this create's own pod, if a proxy sent it twice.
        kind = OutcomeUnknown if is_create else RequestRefused
    # Classify the unmasked text: a secret may be one of the words that matter.
    if is_create and _lacks_capacity(status, read_error(text, content_type)):
        kind = OutOfStock
    elif method == "POST" and status not in _REFUSALS:
        kind = OutcomeUnknown
    message = _build_message(kind, status, detail, method, response)
    request_id = read_request_id(response, secrets)
    if status >= 500 and request_id:
        message += f" (request {request_id})"
    if kind is OutcomeUnknown:
        message += f". {_MAYBE_DONE}"
    return kind(
        message,
        status_code=status,
        request_id=request_id,
        detail=detail,
        retry_after_s=retry_after_s(response),
    )


def _lacks_capacity(status: int, detail: str | None) -> bool:
    """Return whether a refused create found no machine."""
    if status not in _CAPACITY_STATUSES:
        return False
    if status == 409 and detail in (None, "Conflict"):
        return True
    return detail is not None and names_capacity(detail, status)


def retry_after_s(response: httpx.Response) -> float | None:
    """Return the seconds that the service asks to wait, at most a year."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0")
        return _MAX_RETRY_AFTER_S if len(digits) > 9 else min(float(digits or 0), _MAX_RETRY_AFTER_S)
    moment = _read_date(text)
    if moment is None:
        return None
    # Measured by the service's own clock, if it reports one.
    wait = moment - (read_response_time(response) or datetime.now(timezone.utc))
    return min(max(wait, timedelta()).total_seconds(), _MAX_RETRY_AFTER_S)


def read_response_time(response: httpx.Response) -> datetime | None:
    """Return the ``Date`` of a response in UTC."""
    return _read_date(response.headers.get("date", ""))


def _read_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text[:_MAX_HEADER])
        # `-0000` also means UTC.
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def read_request_id(response: httpx.Response, secrets: Iterable[str]) -> str | None:
    """Return the id by which the service, or its edge, can find this request."""
    for name in ("x-request-id", "cf-ray", "x-amzn-requestid"):
        if name in response.headers:
            text = sanitize(response.headers[name])
            return hide_secrets(text, dict.fromkeys(secrets, "***"))[:_MAX_REQUEST_ID]
    return None


def _build_message(
    kind: type[PodsError], status: int, detail: str | None, method: str, response: httpx.Response
) -> str:
    reason = detail or response.reason_phrase or "no reason given"
    if status == 401:
        return f"The service does not accept this key ({reason}). Check PRIME_API_KEY or run 'prime login'"
    if status == 403 and method == "GET":
        return f"This key may not read that ({reason}). {_describe_permission(response, 'Read')}"
    if status == 403:
        needed = _describe_permission(response, "Read and Write")
        return f"This key may not do that ({reason}). Nothing was done. {needed}"
    if status == 402:
        return (
            f"The wallet cannot pay for this ({reason}). Nothing was done. '%pods wallet' shows the balance"
        )
    wait_s = retry_after_s(response)
    later = f". Try again in {wait_s:.0f} s" if wait_s else ""
    if kind is RateLimited:
        return f"Too many requests ({reason}){later}"
    if 300 <= status < 400:
        return f"The service redirected the request elsewhere ({status}). The redirect was not followed"
    is_undone = method != "GET" and status in _REFUSALS and kind is not OutcomeUnknown
    undone = ". Nothing was done" if is_undone else ""
    return f"{reason} (HTTP {status}){undone}{later}"


def _describe_permission(response: httpx.Response, right: str) -> str:
    resource = response.request.url.path.removeprefix("/api/v1/").partition("/")[0]
    if resource not in _PERMISSIONS:
        return "'%pods doctor' shows what it may do"
    return f"It needs the permission {_PERMISSIONS[resource]} -> {right}"

"""What an answer that is no success means, and an answer that did not come: as errors, in words."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import httpx

from .answers import read_error
from .errors import (
    REFUSALS,
    OutcomeUnknown,
    OutOfStock,
    PodsError,
    RateLimited,
    ServiceUnavailable,
    error_class,
)
from .text import clean

__all__ = ["NEVER_LEFT", "date_of", "refused", "retry_after_s", "unreachable"]

NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""What breaks a request off before anything of it has left."""

_CAPACITY_WORDS = ("capacity", "out of stock", "no stock", "sold out")
_LONGEST_REQUEST_ID = 100
# As the service's website names them; those that are not here are nowhere named.
_PERMISSIONS = {"pods": "Instances", "availability": "Availability", "disks": "Disks"}


def unreachable(method: str, where: str, error: httpx.HTTPError) -> PodsError:
    """The error for a request that got no answer.

    Parameters
    ----------
    method : str
        Of the request; a POST that has left may have been acted on.
    where : str
        The service's origin.
    error : httpx.HTTPError
        What happened.
    """
    if isinstance(error, NEVER_LEFT):
        never_left = ServiceUnavailable(
            f"cannot reach {where} ({_words(error)}); nothing was done. Check the network and try again"
        )
        never_left.may_have_acted = False
        return never_left
    if method == "POST":
        return OutcomeUnknown(
            f"the connection to {where} broke after the request had left ({_words(error)}); it may have been "
            "acted on and was not sent again"
        )
    return ServiceUnavailable(f"{where} did not answer properly ({_words(error)}); try again later")


def refused(method: str, response: httpx.Response, secrets: Iterable[str]) -> PodsError:
    """The error for an answer that is no success.

    Parameters
    ----------
    method : str
        Of the request.
    response : httpx.Response
        The answer.
    secrets : iterable of str
        What was sent and must not be repeated.
    """
    status = response.status_code
    hidden = [form for secret in secrets for form in _forms(secret)]
    said = read_error(response.text, response.headers.get("content-type", ""), hidden)
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
    return kind(
        message,
        status_code=status,
        request_id=request_id,
        said=said,
        retry_after_s=retry_after_s(response),
    )


def retry_after_s(response: httpx.Response) -> float | None:
    """How long the service asks to wait, in seconds."""
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
    wait = moment - (date_of(response) or datetime.now(timezone.utc))
    return max(wait, timedelta()).total_seconds()


def date_of(response: httpx.Response) -> datetime | None:
    """The service's time (UTC) when it answered."""
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
    wait_s = retry_after_s(response)
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


def _forms(secret: str) -> list[str]:
    """A secret as it may be repeated: as it is, and as it looks quoted within something else."""
    ascii_json, json_text = json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]
    return [ascii_json, json_text, repr(secret)[1:-1], quote(secret, safe=""), secret]


def _words(error: httpx.HTTPError) -> str:
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return "its certificate is not trusted here"
    # The errors of looking up a name are the negative ones.
    if isinstance(error, httpx.ConnectError) and said.startswith("[Errno -"):
        return "its name is not known here"
    return {
        "ConnectError": "connection refused or no route",
        "ConnectTimeout": "no connection in time",
        "ReadTimeout": "no answer in time",
    }.get(type(error).__name__, type(error).__name__)

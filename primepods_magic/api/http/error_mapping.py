"""What an answer that is no success means, and an answer that did not come: as errors, in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import httpx

from primepods_magic.api.errors import (
    REFUSALS,
    OutcomeUnknown,
    OutOfStock,
    PodsError,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
    error_class,
)
from primepods_magic.api.secrets.redaction import hide_secrets
from primepods_magic.api.text.sanitize import sanitize

from .body_decoding import read_text
from .parsing import read_error
from .sold_out import names_capacity

__all__ = ["NEVER_LEFT", "date_of", "error_from_exception", "error_from_response", "retry_after_s"]

NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""What breaks a request off before anything of it has left; the last is a proxy that lets nothing through."""

_CREATE_PATH = "/api/v1/pods"
_LONGEST_REQUEST_ID = 100
_LONGEST_HEADER = 64
_LONGEST_RETRY_AFTER_S = 365 * 24 * 3600.0
# Statuses with which a create that found no machine is refused; 409 without words says so as well.
_CAPACITY_STATUSES = frozenset({400, 404, 409, 410, 422, 500, 503})
# As the service's website names them; those that are not here are nowhere named.
_PERMISSIONS = {
    "pods": "Instances",
    "availability": "Availability",
    "disks": "Disks",
    "ssh_keys": "SSH Keys",
    "billing": "Billing",
}


def error_from_exception(method: str, where: str, error: httpx.HTTPError) -> PodsError:
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


def error_from_response(method: str, response: httpx.Response, secrets: Iterable[str]) -> PodsError:
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
    secrets = list(secrets)
    text, content_type = read_text(response), response.headers.get("content-type", "")
    said = read_error(text, content_type, secrets)
    is_create = method == "POST" and response.request.url.path.rstrip("/") == _CREATE_PATH
    kind = error_class(status)
    if status == 409:
        # A conflict may be with the pod of this very create, which something in between has sent twice.
        kind = OutcomeUnknown if is_create else RequestRefused
    # A secret may be a word that tells what kind of refusal it is.
    if is_create and _lacks_capacity(status, read_error(text, content_type)):
        kind = OutOfStock
    elif method == "POST" and status not in REFUSALS:
        kind = OutcomeUnknown
    message = _message(kind, status, said, method, response)
    request_id = _request_id(response, secrets)
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


def _lacks_capacity(status: int, said: str | None) -> bool:
    """Return whether the refusal of a create says that there is no machine for what was asked."""
    if status not in _CAPACITY_STATUSES:
        return False
    if status == 409 and said in (None, "Conflict"):
        return True
    return said is not None and names_capacity(said, status)


def retry_after_s(response: httpx.Response) -> float | None:
    """Return how long the service asks to wait, in seconds; a year at most."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0")
        return _LONGEST_RETRY_AFTER_S if len(digits) > 9 else min(float(digits or 0), _LONGEST_RETRY_AFTER_S)
    moment = _read_date(text)
    if moment is None:
        return None
    # By the clock that the service itself goes by, where it says what that is.
    wait = moment - (date_of(response) or datetime.now(timezone.utc))
    return min(max(wait, timedelta()).total_seconds(), _LONGEST_RETRY_AFTER_S)


def date_of(response: httpx.Response) -> datetime | None:
    """Return the service's time (UTC) when it answered."""
    return _read_date(response.headers.get("date", ""))


def _read_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text[:_LONGEST_HEADER])
        # `-0000` is UTC as well.
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _request_id(response: httpx.Response, secrets: Iterable[str]) -> str | None:
    """Return the id under which the service, or the edge before it, can find this request."""
    for name in ("x-request-id", "cf-ray", "x-amzn-requestid"):
        if name in response.headers:
            text = sanitize(response.headers[name])
            return hide_secrets(text, dict.fromkeys(secrets, "***"))[:_LONGEST_REQUEST_ID]
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
        return f"the wallet cannot pay for this ({words}); nothing was done. '%pods wallet' shows the balance"
    wait_s = retry_after_s(response)
    later = f"; try again in {wait_s:.0f} s" if wait_s else ""
    if kind is RateLimited:
        return f"too many requests ({words}){later}"
    if 300 <= status < 400:
        return f"the service redirected the request elsewhere ({status}); it was not followed"
    is_undone = method != "GET" and status in REFUSALS and kind is not OutcomeUnknown
    undone = "; nothing was done" if is_undone else ""
    return f"{words} (HTTP {status}){undone}{later}"


def _permission_needed(response: httpx.Response, right: str) -> str:
    room = response.request.url.path.removeprefix("/api/v1/").partition("/")[0]
    if room not in _PERMISSIONS:
        return "'%pods doctor' shows what it may do"
    return f"It needs the permission {_PERMISSIONS[room]} -> {right}"


def _words(error: httpx.HTTPError) -> str:
    said = str(error)
    if said.startswith(("the answer ", "the exchange ")):
        return said
    if isinstance(error, httpx.ProxyError):
        # Such as 407 Proxy Authentication Required.
        return f"the proxy refused: {sanitize(said)[:_LONGEST_REQUEST_ID]}"
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

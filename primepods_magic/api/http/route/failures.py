"""Why a request got no response, and what to do about it, in words."""

from __future__ import annotations

import re

import httpx

from primepods_magic.api.secrets.redaction import hide_secrets
from primepods_magic.api.text.sanitize import sanitize

from .proxies import Proxy

__all__ = ["advise", "describe_exception", "is_login_refused"]

_MAX_REASON = 100
_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED\] certificate verify failed: (?P<reason>.*) \(_ssl")
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_EOF")
_REASONS = {
    "ConnectError": "connection refused or no route",
    "ConnectTimeout": "connection timed out",
    "ReadTimeout": "response timed out",
}


def describe_exception(error: httpx.HTTPError, proxy: Proxy | None) -> str:
    """Describe why there is no response; a text of the proxy is shown without its user and password."""
    text = str(error)
    if text.startswith(("the response ", "the exchange ")):
        return text
    if isinstance(error, httpx.ProxyError):
        # Such as 407 Proxy Authentication Required.
        hidden = hide_secrets(text, dict.fromkeys(proxy.secrets, "***")) if proxy else text
        return f"the proxy refused: {sanitize(hidden)[:_MAX_REASON]}"
    if _is_untrusted(error):
        other = f", or that of the proxy {proxy.place}" if proxy and proxy.scheme == "https" else ""
        return f"its certificate is not trusted here{other}{_read_reason(text)}"
    if _lacks_tls(error):
        return "no TLS there"
    # Name resolution errors have negative numbers.
    is_unknown = isinstance(error, httpx.ConnectError) and text.startswith("[Errno -")
    reason = "unknown host name" if is_unknown else _REASONS.get(type(error).__name__, type(error).__name__)
    is_far = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
    return f"{reason}: the proxy {proxy.place}" if proxy and is_far else reason


def advise(error: httpx.HTTPError, proxy: Proxy | None) -> str:
    """Return what to do about a request that never left, without the last full stop."""
    if _is_untrusted(error) and "mismatch" in str(error):
        return "Check the URL of the service, and whether another server answers for it in this network"
    if _is_untrusted(error) and any(word in str(error) for word in ("expired", "not yet valid")):
        return "Check this computer's clock. If it is right, the certificate has to be renewed"
    if _is_untrusted(error):
        return "If your network inspects TLS, set SSL_CERT_FILE to a file with its certificates (PEM)"
    if proxy is None:
        return "Check the network and try again"
    if is_login_refused(error):
        if proxy.has_password:
            kind = "" if proxy.scheme.startswith("socks") else ". Only basic authentication is possible"
            return f"Correct the user and password in {proxy.variable}{kind}"
        return f"Give {proxy.variable} a user and password: {proxy.scheme}://USER:PASSWORD@{proxy.place}"
    if proxy.scheme == "https" and _lacks_tls(error):
        return f"Begin {proxy.variable} with http://, as most proxies need for https services as well"
    return f"Check {proxy.variable} and the network, and try again"


def is_login_refused(error: httpx.HTTPError) -> bool:
    """Return whether a proxy wants a user and password, or others: trying again may lock the account."""
    words = ("407", "Invalid username/password", "Requested NO AUTHENTICATION")
    return isinstance(error, httpx.ProxyError) and str(error).startswith(words)


def _is_untrusted(error: httpx.HTTPError) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _lacks_tls(error: httpx.HTTPError) -> bool:
    return isinstance(error, httpx.ConnectError) and any(word in str(error) for word in _NO_TLS)


def _read_reason(text: str) -> str:
    match = _CERTIFICATE.search(text)
    return f": {sanitize(match['reason'])[:_MAX_REASON].rstrip('.')}" if match else ""

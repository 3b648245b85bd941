"""The proxy that the environment names for a service.

`httpx` would fail for a variable that concerns other services, and its errors may repeat a password.
"""

from __future__ import annotations

import base64
import os
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote
from urllib.request import getproxies

import httpx

from primepods_magic.api.http.network import is_host
from primepods_magic.api.text.sanitize import sanitize

from .no_proxy import find_exclusion

__all__ = ["PROXY_VARIABLES", "Proxy", "UnusableProxy", "choose_proxy", "describe_proxy"]

PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
"""In upper case; lower case counts as well."""

_KINDS = ("http", "https", "socks5", "socks5h")
# Desktops set this, for version 5.
_ANY_SOCKS = "socks"
_QUOTES = ("'", '"')
_NOT_A_URL = "it is not a URL"
_NOT_A_KIND = f"it is not the URL of a supported kind of proxy: {', '.join(_KINDS)}"
_NOT_ENCODED = "write #, / and ? of its user or password as %23, %2F and %3F"
_QUOTED = "it has quotation marks around it"


class UnusableProxy(ValueError):
    """A proxy variable cannot be used; the text is the reason and holds no part of the value."""


@dataclass(frozen=True)
class Proxy:
    """A proxy in use, the variable that names it, and its host and port for messages."""

    place: str
    variable: str
    scheme: str
    has_password: bool
    _url: httpx.URL = field(repr=False)

    def to_httpx(self, context: ssl.SSLContext) -> httpx.Proxy:
        """Return it for a client; its own certificate is verified as that of a service."""
        return httpx.Proxy(self._url, ssl_context=context if self.scheme == "https" else None)

    @property
    def secrets(self) -> tuple[str, ...]:
        """User and password in the forms in which a proxy may repeat them."""
        user = self._url.username
        return (*self.passwords, user) if user else self.passwords

    @property
    def passwords(self) -> tuple[str, ...]:
        """The password in the forms in which anything on the way may repeat it."""
        password = self._url.password
        pair = f"{self._url.username}:{password}"
        return (pair, base64.b64encode(pair.encode()).decode(), password) if password else ()


def choose_proxy(base_url: str) -> Proxy | None:
    """Return the proxy for a service, or None if there is none or ``NO_PROXY`` excludes the service.

    Raises UnusableProxy if it cannot be used.
    """
    url = httpx.URL(base_url)
    proxies = getproxies()
    scheme = next((name for name in (url.scheme, "all") if proxies.get(name)), None)
    if scheme is None or find_exclusion(url, proxies.get("no", "")):
        return None
    value = proxies[scheme]
    proxy_url = _parse_proxy(value)
    return Proxy(
        place=_name_place(proxy_url),
        variable=_find_variable(f"{scheme}_proxy", value),
        scheme=proxy_url.scheme,
        has_password=bool(proxy_url.password),
        _url=proxy_url,
    )


def describe_proxy(value: str) -> str:
    """Return host and port of a proxy without user and password, or why it cannot be used.

    >>> describe_proxy("http://ada:hunter2@proxy.example:3128/"), describe_proxy("http://ada:1#2@proxy.example")
    ('proxy.example:3128', 'not a URL')
    """
    try:
        return _name_place(_parse_proxy(value, kinds=()))
    except UnusableProxy:
        return "not a URL"


def _parse_proxy(value: str, kinds: tuple[str, ...] = _KINDS) -> httpx.URL:
    text = value.strip()
    if text.startswith(_QUOTES) and text.endswith(text[0]):
        raise UnusableProxy(_QUOTED)
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    scheme = scheme.lower()
    authority = rest
    for end in "/?#":
        authority = authority.partition(end)[0]
    if "@" in rest[len(authority) :]:
        # Everything before the first of them would be taken for the host, shown and looked up.
        raise UnusableProxy(_NOT_ENCODED)
    if kinds and scheme not in (*kinds, _ANY_SOCKS):
        raise UnusableProxy(_NOT_A_KIND)
    try:
        url = httpx.URL(f"{'socks5' if scheme == _ANY_SOCKS else scheme}://{authority}")
    except (httpx.InvalidURL, UnicodeError):
        raise UnusableProxy(_NOT_A_URL) from None
    # Without a host, requests would go to this computer; httpx encodes what no host has.
    host = unquote(url.raw_host.decode("ascii", "replace"))
    if not is_host(host) or (any(char in host for char in "[]%\"' ") and ":" not in host):
        raise UnusableProxy(_NOT_A_URL)
    return url


def _name_place(url: httpx.URL) -> str:
    host = url.raw_host.decode("ascii", "replace")
    return sanitize(f"{f'[{host}]' if ':' in host else host}{f':{url.port}' if url.port else ''}")


def _find_variable(name: str, value: str) -> str:
    """Return how a variable is spelled in the environment, or a description if it is a system's setting."""
    spellings = (name, name.upper(), *os.environ)
    found = (each for each in spellings if each.lower() == name and os.environ.get(each) == value)
    return next(found, "the proxy setting of this computer")

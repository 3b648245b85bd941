"""URLs and addresses without the parts that may hold a password or a token."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

__all__ = ["bare_address", "bare_addresses", "bare_urls", "read_web_url"]

_URL = re.compile(r"//[^\s\"'<>]+")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_WHOLE_WEB = re.compile(r"https?://[!#-&(-;=?-\[\]_a-z~]+", re.IGNORECASE | re.ASCII)
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]*\]|[^\[\]:]*)(?::[0-9]*)?")


def read_web_url(text: str | None) -> str | None:
    """Return a text that is a URL of a web page and nothing else, which is safe as a link; else ``None``.

    >>> read_web_url("https://h.example/lab"), read_web_url("javascript:alert(1)"), read_web_url("http://")
    ('https://h.example/lab', None, None)
    """
    if text is None or not _WHOLE_WEB.fullmatch(text):
        return None
    try:
        parts = urlsplit(text)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return text if is_complete else None


def bare_urls(text: str) -> str:
    """Strip user, query and fragment from the URLs in a text.

    >>> bare_urls("open HTTPS://ada:pw@h.example/lab?token=x now")
    'open HTTPS://h.example/lab now'
    """
    return _URL.sub(lambda url: "//" + _strip_url(url[0][2:]), text) if "//" in text else text


def bare_address(text: str) -> str:
    """Strip query, fragment and user from an address; keep an SSH user without a password.

    >>> bare_address(" h.example:8888/lab?token=x"), bare_address("https://ada@h.example")
    ('h.example:8888/lab', 'https://h.example')
    >>> bare_address("ubuntu@h.example:2200"), bare_address("22")
    ('ubuntu@h.example:2200', '22')
    """
    text = text.strip()
    scheme, separator, rest = text.partition("//") if "//" in text else ("", "", text)
    if _WEB.match(text):
        return scheme + separator + _strip_url(rest)
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority, has_path, path = rest.partition("/")
    user, has_user, host = authority.rpartition("@")
    return scheme + separator + (host if ":" in user else user + has_user + host) + has_path + path


def bare_addresses(value: object) -> object:
    """Apply `bare_address` to one address or to each of a list."""
    if isinstance(value, list):
        return [bare_address(item) if isinstance(item, str) else item for item in value]
    return bare_address(value) if isinstance(value, str) else None


def _strip_url(rest: str) -> str:
    """Return host, port and path of the part of a URL after ``//``."""
    authority, has_path, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    authority = authority.rpartition("@")[2]
    # A password that is not encoded may hold characters that end an authority.
    return authority + has_path + path if _AUTHORITY.fullmatch(authority) else ""

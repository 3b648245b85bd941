"""URLs as they may be shown: without what often holds a password or a token."""

from __future__ import annotations

import re

__all__ = ["bare_address", "bare_addresses", "bare_urls"]

_URL = re.compile(r"//[^\s\"'<>]+")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]*\]|[^\[\]:]*)(?::[0-9]*)?")


def bare_urls(text: str) -> str:
    """Return a text with its URLs without user, query and fragment.

    >>> bare_urls("open HTTPS://ada:pw@h.example/lab?token=x now")
    'open HTTPS://h.example/lab now'
    """
    return _URL.sub(lambda url: "//" + _bare_rest(url[0][2:]), text) if "//" in text else text


def bare_address(text: str) -> str:
    """Return where a port is reached, with or without a scheme, without query and fragment, and without a
    user, unless that is one of SSH without a password.

    >>> bare_address(" h.example:8888/lab?token=x"), bare_address("https://ada@h.example")
    ('h.example:8888/lab', 'https://h.example')
    >>> bare_address("ubuntu@h.example:2200"), bare_address("22")
    ('ubuntu@h.example:2200', '22')
    """
    text = text.strip()
    scheme, separator, rest = text.partition("//") if "//" in text else ("", "", text)
    if _WEB.match(text):
        return scheme + separator + _bare_rest(rest)
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority, has_path, path = rest.partition("/")
    user, has_user, host = authority.rpartition("@")
    return scheme + separator + (host if ":" in user else user + has_user + host) + has_path + path


def bare_addresses(said: object) -> object:
    """Return what a service says of one address or a list of them, each as `bare_address` returns it."""
    if isinstance(said, list):
        return [bare_address(item) if isinstance(item, str) else item for item in said]
    return bare_address(said) if isinstance(said, str) else None


def _bare_rest(rest: str) -> str:
    """Return host, port and path of what follows the ``//`` of a URL."""
    authority, has_path, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    authority = authority.rpartition("@")[2]
    # In a password that is not encoded may be the signs that end an authority.
    return authority + has_path + path if _AUTHORITY.fullmatch(authority) else ""

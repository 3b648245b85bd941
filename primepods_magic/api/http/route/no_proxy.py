"""The hosts that ``NO_PROXY`` excludes from a proxy.

httpx does not read networks, ports and bracketed addresses as other programs do, and fails for some of them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TypeAlias

import httpx

__all__ = ["find_exclusion", "find_unread_entries"]

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_SEPARATORS = re.compile(r"[,\s]+")
_PORT = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*):(?P<port>[0-9]+)")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_EVERY_SCHEME = ("", "all")


def find_exclusion(url: httpx.URL, no_proxy: str) -> str | None:
    """Return the entry of ``NO_PROXY`` that a URL matches, or None if there is none.

    A name stands for its subdomains as well, also with a dot before it, and for these alone with ``*.``. An
    address or a network in CIDR notation stands for hosts that the URL gives as an address; no name is
    resolved. A port limits an entry to that port.

    >>> find_exclusion(httpx.URL("https://api.example"), "localhost, .example")
    '.example'
    >>> find_exclusion(httpx.URL("https://[fd00::5]"), "10.0.0.0/8 fd00::/8")
    'fd00::/8'
    """
    return next((entry for entry in _split_entries(no_proxy) if _matches_url(entry, url)), None)


def find_unread_entries(no_proxy: str) -> list[str]:
    """Return the entries of ``NO_PROXY`` that exclude no host, for they cannot be parsed.

    >>> find_unread_entries("localhost, [fe80::1, 10.*, 10.0.0.0/99, fd00::/8")
    ['[fe80::1', '10.*', '10.0.0.0/99']
    """
    return [entry for entry in _split_entries(no_proxy) if entry != "*" and not _is_read(entry)]


def _split_entries(no_proxy: str) -> list[str]:
    return [entry for entry in _SEPARATORS.split(no_proxy) if entry]


def _is_read(entry: str) -> bool:
    rest, _ = _split_port(_split_scheme(entry)[1])
    return _read_network(rest) is not None or _read_name(rest) is not None


def _matches_url(entry: str, url: httpx.URL) -> bool:
    scheme, rest = _split_scheme(entry)
    if scheme not in (*_EVERY_SCHEME, url.scheme):
        return False
    if rest == "*":
        return True
    rest, port = _split_port(rest)
    if port is not None and port != (url.port or _DEFAULT_PORTS.get(url.scheme)):
        return False
    host = url.raw_host.decode("ascii", "replace").casefold().rstrip(".")
    address = _read_address(host)
    if address is not None:
        network = _read_network(rest)
        return network is not None and address in network
    name = _read_name(rest)
    if name is None:
        return False
    return host.endswith(f".{name}") or (host == name and not rest.startswith("*."))


def _split_scheme(entry: str) -> tuple[str, str]:
    scheme, separator, rest = entry.casefold().partition("://")
    return (scheme, rest.removesuffix("/")) if separator else ("", entry.casefold())


def _split_port(entry: str) -> tuple[str, int | None]:
    match = _PORT.fullmatch(entry)
    return (match["host"], int(match["port"])) if match else (entry, None)


def _read_address(host: str) -> _Address | None:
    try:
        # The name of an interface is local to this computer.
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _read_network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    address, slash, length = entry.partition("/")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    try:
        return ipaddress.ip_network(f"{address}{slash}{length}", strict=False)
    except ValueError:
        return None


def _read_name(entry: str) -> str | None:
    """Return the domain of an entry as it is in a URL, or None if it is not one."""
    name = entry.removeprefix("*.").strip(".")
    if not name or any(char in name for char in "*:/[]@?#"):
        return None
    try:
        return httpx.URL(f"https://{name}").raw_host.decode("ascii").casefold()
    except (httpx.InvalidURL, UnicodeError):
        return None

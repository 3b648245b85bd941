"""Which requests may pass: whose key they bring, from where they come, and how long they are."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Scope

from .api_keys import Area, Key, find_key

API_PREFIX = "/api/v1"
LONGEST_BODY = 2**20
LONGEST_TARGET = 2**14
LONGEST_HEADERS = 2**15

_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_AREAS: dict[str, Area] = {"pods": "instances", "availability": "availability", "disks": "disks"}


class RequestGuard:
    """Decides whether a request may pass.

    Parameters
    ----------
    keys:
        The keys that exist.
    is_public:
        Other computers may ask too. They do so by whatever name this one has for them, so the ``Host`` tells
        nothing; and what the service does not have stays with this computer.
    """

    def __init__(self, keys: Mapping[str, Key], *, is_public: bool = False) -> None:
        self._keys = keys
        self._is_public = is_public

    def refusal(self, scope: Scope) -> JSONResponse | None:
        """The answer to a request that may not pass; None when it may, and then its key is in the state."""
        headers = Headers(scope=scope)
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_TARGET:
            return answer(414, f"The path and its parameters are longer than {LONGEST_TARGET} bytes")
        if sum(len(name) + len(value) for name, value in scope["headers"]) > LONGEST_HEADERS:
            return answer(431, f"The headers are longer than {LONGEST_HEADERS} bytes")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > LONGEST_BODY:
            return too_long()
        # A page in a browser can reach loopback too. It cannot hide its origin, nor choose the Host it sends.
        if "origin" in headers:
            return answer(403, "The sandbox does not answer web pages")
        if not self._is_public and _hostname(headers.get("host", "")) not in _LOOPBACK_NAMES:
            return answer(403, "The sandbox answers this computer only: the Host must be a loopback name")
        path: str = scope["path"]
        if path == API_PREFIX or path.startswith(f"{API_PREFIX}/"):
            return self._key_refusal(scope, headers, path.removeprefix(API_PREFIX))
        if path.startswith("/sandbox/") and self._is_public and not _is_loopback(scope.get("client")):
            return answer(403, "This can only be asked for on the sandbox's own computer")
        return None

    def _key_refusal(self, scope: Scope, headers: Headers, path: str) -> JSONResponse | None:
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not sent.strip():
            return answer(403, "Not authenticated")
        key = find_key(self._keys, sent.strip())
        if key is None:
            return answer(401, "Invalid token")
        permission = _missing_permission(key, scope["method"], path)
        if permission:
            return answer(403, f"This key lacks the permission {permission} that this request needs")
        scope["state"] = {**scope.get("state", {}), "key": key}
        return None


def _missing_permission(key: Key, method: str, path: str) -> str | None:
    area = _AREAS.get(path.strip("/").partition("/")[0])
    # Nothing can be changed about what is available, whoever asks.
    if method in _READING or area == "availability":
        return f"{area.title()} -> Read" if area and area not in key.reads else None
    if area is None:
        return None if key.writes else "Instances -> Read and Write"
    return None if area in key.writes else f"{area.title()} -> Read and Write"


def too_long() -> JSONResponse:
    """The answer to a body that is too long."""
    return answer(413, f"The body is longer than {LONGEST_BODY} bytes")


def answer(status: int, detail: str) -> JSONResponse:
    """A refusal, as the service words its own."""
    return JSONResponse({"detail": detail}, status)


def _is_loopback(client: tuple[str, int] | None) -> bool:
    return client is not None and ipaddress.ip_address(client[0]).is_loopback


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None

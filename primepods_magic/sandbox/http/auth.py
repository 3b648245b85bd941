"""Request checks: size, origin, API key and permission."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Scope

from .api_keys import Area, Key, find_key

__all__ = [
    "API_PREFIX",
    "MAX_BODY_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_TARGET_BYTES",
    "RequestGuard",
    "body_too_long",
    "error_response",
]

API_PREFIX = "/api/v1"
MAX_BODY_BYTES = 2**20
MAX_TARGET_BYTES = 2**14
MAX_HEADER_BYTES = 2**15

_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_AREAS: dict[str, Area] = {"pods": "instances", "availability": "availability", "disks": "disks"}


class RequestGuard:
    """Checks of size, origin, key and permission that every request must pass."""

    def __init__(self, keys: Mapping[str, Key], *, is_public: bool = False) -> None:
        self._keys = keys
        self._is_public = is_public

    def refusal(self, scope: Scope) -> JSONResponse | None:
        """Return the error response of a rejected request; otherwise store its key in the state."""
        headers = Headers(scope=scope)
        if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET_BYTES:
            return error_response(
                414, f"The path and its parameters are longer than {MAX_TARGET_BYTES} bytes"
            )
        if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
            return error_response(431, f"The headers are longer than {MAX_HEADER_BYTES} bytes")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > MAX_BODY_BYTES:
            return body_too_long()
        # Web pages can reach loopback too, but cannot hide their Origin or choose the Host.
        if "origin" in headers:
            return error_response(403, "The sandbox rejects requests from web pages")
        if not self._is_public and _parse_hostname(headers.get("host", "")) not in _LOOPBACK_NAMES:
            return error_response(
                403, "The sandbox accepts requests from this computer only: the Host must be a loopback name"
            )
        path: str = scope["path"]
        if path == API_PREFIX or path.startswith(f"{API_PREFIX}/"):
            return self._check_key(scope, headers, path.removeprefix(API_PREFIX))
        if path.startswith("/sandbox/") and self._is_public and not _is_loopback(scope.get("client")):
            return error_response(403, "This is available on the sandbox's own computer only")
        return None

    def _check_key(self, scope: Scope, headers: Headers, path: str) -> JSONResponse | None:
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not sent.strip():
            return error_response(403, "Not authenticated")
        key = find_key(self._keys, sent.strip())
        if key is None:
            return error_response(401, "Invalid token")
        permission = _find_missing_permission(key, scope["method"], path)
        if permission:
            return error_response(403, f"This key lacks the permission {permission} that this request needs")
        scope["state"] = {**scope.get("state", {}), "key": key}
        return None


def _find_missing_permission(key: Key, method: str, path: str) -> str | None:
    area = _AREAS.get(path.strip("/").partition("/")[0])
    # Availability is read-only for every key.
    if method in _SAFE_METHODS or area == "availability":
        return f"{area.title()} -> Read" if area and area not in key.reads else None
    if area is None:
        return None if key.writes else "Instances -> Read and Write"
    return None if area in key.writes else f"{area.title()} -> Read and Write"


def body_too_long() -> JSONResponse:
    return error_response(413, f"The body is longer than {MAX_BODY_BYTES} bytes")


def error_response(status: int, detail: str) -> JSONResponse:
    """Return an error response in the service's format."""
    return JSONResponse({"detail": detail}, status)


def _is_loopback(client: tuple[str, int] | None) -> bool:
    return client is not None and ipaddress.ip_address(client[0]).is_loopback


def _parse_hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None

"""The parts of a request that hold secrets, kept out of the frames that a traceback shows."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from primepods_magic.api.settings import Settings

__all__ = ["BearerAuth", "JsonBody"]


class BearerAuth(httpx.Auth):
    """Add the key as a request leaves, so that no frame of this package exposes it in a traceback."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._settings.api_key}"
        yield request


class JsonBody(httpx.SyncByteStream):
    """A JSON request body, kept out of the frames that pass it on: it holds secrets."""

    def __init__(self, body: object) -> None:
        # ASCII, because a lone surrogate has no UTF-8 form.
        self._json = json.dumps(body() if callable(body) else body).encode()

    def __len__(self) -> int:
        return len(self._json)

    def __iter__(self) -> Iterator[bytes]:
        yield self._json

"""One sandbox seen from a test: where it is, its clock, and what can be made to happen to its pods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

KEY = "sandbox"
READ_KEY = "sandbox-read"


@dataclass(frozen=True)
class SandboxControl:
    """`api` is a plain HTTP client with the key set; paths begin with `/api/v1` or `/sandbox`."""

    url: str
    api: httpx.Client
    key: str = KEY

    def state(self) -> dict[str, Any]:
        return self._answer(self.api.get("/sandbox"))

    def advance(self, seconds: float) -> dict[str, Any]:
        """Let so many seconds of a stepped clock go by."""
        return self._answer(self.api.post("/sandbox/clock", json={"advance_s": seconds}))

    def event(self, pod_id: str, name: str) -> dict[str, Any]:
        """Let `stop`, `start`, `reclaim`, `error`, `lose` or `fail_installation` happen to a pod."""
        return self._answer(self.api.post(f"/sandbox/pods/{pod_id}/events", json={"event": name}))

    @staticmethod
    def _answer(response: httpx.Response) -> dict[str, Any]:
        assert response.is_success, f"{response.request.url.path}: {response.status_code} {response.text}"
        body: dict[str, Any] = response.json()
        return body


@contextmanager
def controlled(**settings: Any) -> Iterator[SandboxControl]:
    """A sandbox of one's own; `settings` are those of `primepods_magic.sandbox.start`."""
    from primepods_magic.sandbox import start

    with start(**settings) as running, control(running.url) as handle:
        yield handle


@contextmanager
def control(url: str, key: str = KEY) -> Iterator[SandboxControl]:
    """A handle on a sandbox that is already running."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=10, trust_env=False, verify=False) as api:
        yield SandboxControl(url, api, key)

"""A way to the sandbox for a client whose key the sandbox does not know, and which can be told to refuse.

`POST /relay/MODE` chooses what happens from then on: ``fine``, or ``all-WHAT`` and ``post-WHAT`` for every
request and for creates alone, where WHAT is a status, ``422-input``, ``html`` or ``broken``. Refusals repeat
whatever was sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.scripted import Answered, Asked, as_json, scripted

# Nobody waits for so long, so a refusal is final at once.
_FINAL = {"Retry-After": "3600"}


@dataclass
class Relay:
    """Where it answers, and what it has been told to do."""

    sandbox_url: str
    key: str = field(repr=False)
    known_key: str
    http: httpx.Client
    url: str = ""
    mode: str = "fine"
    creates: int = 0

    def __call__(self, asked: Asked) -> Answered:
        if asked.path.startswith("/relay/"):
            self.mode = asked.path.removeprefix("/relay/")
            return as_json({})
        is_create = asked.method == "POST" and asked.path.startswith("/api/v1/pods")
        self.creates += is_create
        which, _, what = self.mode.partition("-")
        if (which == "all" and asked.path.startswith("/api/")) or (which == "post" and is_create):
            return _refusal(what, asked)
        return self._pass_on(asked)

    def _pass_on(self, asked: Asked) -> Answered:
        headers = {"Content-Type": "application/json"}
        if asked.headers.get("authorization") == f"Bearer {self.key}":
            headers["Authorization"] = f"Bearer {self.known_key}"
        answer = self.http.request(
            asked.method, self.sandbox_url + asked.target, content=asked.content, headers=headers
        )
        kept = {name: answer.headers[name] for name in ("Content-Type", "Date") if name in answer.headers}
        return Answered(answer.status_code, answer.content, kept)


def _refusal(what: str, asked: Asked) -> Answered:
    if what == "broken":
        return Answered(content=None)
    sent: Any = json.loads(asked.content) if asked.content else None
    told = f"refused: {asked.headers.get('authorization')} {asked.content.decode()} {sent}"
    if what == "html":
        page = f"<html><body>{told}</body></html>".encode()
        return Answered(502, page, {"Content-Type": "text/html", **_FINAL})
    if what == "422-input":
        problem = {"loc": ["body", "pod"], "msg": "Value error", "input": sent, "ctx": {"error": told}}
        return as_json({"detail": [problem]}, 422)
    if what == "422":
        return as_json({"errors": [{"param": "body.pod", "details": told}]}, 422)
    return as_json({"detail": told}, int(what), **_FINAL)


@contextmanager
def relayed(sandbox_url: str, key: str, *, known_key: str = "sandbox") -> Iterator[Relay]:
    """A relay to the sandbox at `sandbox_url`, which takes `key` for the sandbox's own."""
    with httpx.Client(trust_env=False, verify=False, timeout=30) as http:
        relay = Relay(sandbox_url, key, known_key, http)
        with scripted(relay) as relay.url:
            yield relay

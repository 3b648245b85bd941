"""A way to the sandbox on which any field of an answer can say something that wants to be evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import httpx

from tests.support.scripted import Answered, Asked, scripted

FORGED = "forged-line"
HOSTILE = (
    "<script>window.x=1</script><img src=x onerror=alert(1)>\"'&"
    "\x1b]0;title\x07\x1b[2J\x9b2J\x9d0;t\x9c\x08\x00\x7f"
    f"\u202e\u2066\u200f\u061c\u200b\u2060\U000e0041\ufeff\u2028{FORGED} 1\u2029{FORGED} 2\x85{FORGED} 3"
    f"\r{FORGED} 4\n{FORGED} 5\r\n{FORGED} 6\x0b{FORGED} 7\x0c{FORGED} 8\x1c{FORGED} 9\n"
    "{__import__('builtins').__dict__.setdefault('was_evaluated', 1)}${HOME}$HOME{0}%s%(x)s%n"
    "$(touch was-touched)`touch was-touched`;touch was-touched|x&&y #"
    "[red]b[/red][link=http://x]l[/link]:smile:$x^2$$$y$$\\(z\\)\\[w\\]\\begin{equation}"
    "\ud800=cmd|' /C calc'!A0"
)
"""Everything that some display, shell or template would act on."""

Spoils = Callable[[str, str], bool]


class Hostile:
    """Passes everything on to a sandbox, and changes those texts of its answers that `spoils` names.

    Parameters
    ----------
    sandbox_url : str
        The sandbox.
    http : httpx.Client
        Asks it.
    spoils : callable
        Is given an endpoint and the place of a text in the answer, such as ``data.name``, and says whether it
        is changed.

    Attributes
    ----------
    seen : set of str
        Every place of a text, the changed and the others.
    """

    def __init__(self, sandbox_url: str, http: httpx.Client, spoils: Spoils) -> None:
        self._sandbox_url = sandbox_url
        self._http = http
        self.spoils = spoils
        self.seen: set[str] = set()
        self._originals: dict[str, str] = {}
        self._refusal: Answered | None = None

    def refuse_with(
        self, status: int | None, body: Any = None, headers: dict[str, str] | None = None
    ) -> None:
        """Refuse whatever is asked from now on; without a status, pass it on again."""
        content = json.dumps(body).encode()
        told = {"Content-Type": "application/json", **(headers or {})}
        self._refusal = Answered(status, content, told) if status else None

    def __call__(self, asked: Asked) -> Answered:
        if self._refusal is not None:
            return self._refusal
        place = urlsplit(asked.target)
        path = "/".join(quote(self._restored(unquote(part)), safe="") for part in place.path.split("/"))
        query = urlencode([(key, self._restored(value)) for key, value in parse_qsl(place.query)])
        content = asked.content and json.dumps(self._restored(json.loads(asked.content))).encode()
        headers = {
            "Content-Type": "application/json",
            "Authorization": asked.headers.get("authorization", ""),
        }
        answer = self._http.request(
            asked.method, f"{self._sandbox_url}{path}?{query}", content=content, headers=headers
        )
        kept = {name: answer.headers[name] for name in ("Content-Type", "Date") if name in answer.headers}
        body = answer.content
        if "json" in kept.get("Content-Type", ""):
            body = json.dumps(self._changed(answer.json(), place.path, "")).encode()
        return Answered(answer.status_code, body, kept)

    def _changed(self, value: Any, endpoint: str, place: str) -> Any:
        if isinstance(value, dict):
            return {key: self._changed(item, endpoint, f"{place}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self._changed(item, endpoint, place) for item in value]
        if not isinstance(value, str):
            return value
        self.seen.add(place.lstrip("."))
        if not self.spoils(endpoint, place.lstrip(".")):
            return value
        changed = f"{HOSTILE}{len(value)}{value[:4]}{hash(value)}"
        self._originals[changed] = value
        return changed

    def _restored(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._restored(item) for key, item in value.items()}
        if isinstance(value, list):
            return list(map(self._restored, value))
        return self._originals.get(value, value) if isinstance(value, str) else value


@contextmanager
def hostile(sandbox_url: str, spoils: Spoils) -> Iterator[tuple[str, Hostile]]:
    """A stand-in for the sandbox at `sandbox_url`, and where it answers."""
    with httpx.Client(trust_env=False, verify=False, timeout=30) as http:
        service = Hostile(sandbox_url, http, spoils)
        with scripted(service) as url:
            yield url, service

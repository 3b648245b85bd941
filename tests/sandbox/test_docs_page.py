"""The page that people read: all of the document, nothing from elsewhere, and nothing unescaped."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser

import httpx
import pytest

from primepods_magic.sandbox import start
from primepods_magic.sandbox.docs.page import render_page
from primepods_magic.sandbox.schemas.enums import DIALECTS

from .conftest import Caller

VOID = {"meta", "wbr"}


class Reader(HTMLParser):
    """Notes ids, links, tags, text, and whether everything that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in ("wbr", "i"):
            self.words += " "
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "src"):
                self.links.append(value or "")
            assert not name.startswith("on")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(params=DIALECTS)
def served(request: pytest.FixtureRequest) -> Iterator[Caller]:
    with start(clock="stepped", dialect=request.param) as sandbox, Caller(sandbox.url, key=None) as caller:
        yield caller


def test_the_page_tells_every_operation_and_every_shape(served: Caller) -> None:
    document = served.get("/openapi.json").json()
    read = Reader(served.get("/docs").text)
    for path, operations in document["paths"].items():
        assert path in read.words
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                assert parameter["name"] in read.words
    for name, shape in document["components"]["schemas"].items():
        assert f"shape-{name}" in read.ids
        assert set(shape["properties"]) <= set(re.findall(r"\w+", read.words))
    for told in ("sandbox-read", "--dialect", "/sandbox/clock", "X-Sandbox-Fault"):
        assert told in read.words


def test_every_link_of_the_page_leads_somewhere_on_it(served: Caller) -> None:
    read = Reader(served.get("/docs").text)
    assert read.links
    assert {f"#{name}" for name in read.ids} >= set(read.links)
    assert len(read.ids) == len(set(read.ids))


def test_the_page_loads_and_runs_nothing(served: Caller) -> None:
    answer = served.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert not Reader(answer.text).tags & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
    }
    assert "url(" not in answer.text
    assert "@import" not in answer.text


def test_what_the_document_holds_is_text_and_not_markup() -> None:
    evil = "<script>alert(1)</script>\"'&`<b>`"
    field = {"type": "string", "description": evil, "default": evil, "enum": [evil], "pattern": evil}
    refused = {"description": evil, "content": {"application/json": {"schema": {"type": "object"}}}}
    document = {
        "info": {"title": evil, "description": f"{evil}\n\n**{evil}** {evil}"},
        "tags": [{"name": evil, "description": evil}],
        "paths": {
            f"/{evil}": {
                "post": {
                    "tags": [evil],
                    "summary": evil,
                    "description": evil,
                    "security": [],
                    "parameters": [{"name": evil, "in": evil, "required": True, "schema": field}],
                    "requestBody": {"content": {"application/json": {"schema": field, "example": evil}}},
                    "responses": {"200": refused, "400": refused},
                }
            }
        },
        "components": {"schemas": {evil: {"description": evil, "properties": {evil: field}}}},
    }
    read = Reader(render_page(document, f"http://{evil}"))
    assert not read.tags & {"script"}
    assert "<script>alert(1)</script>" in read.words


def test_the_commands_of_the_page_can_be_copied() -> None:
    with start(clock="stepped") as sandbox:
        text = httpx.get(f"{sandbox.url}/docs", trust_env=False).text
        commands = [
            unescape(found) for found in re.findall(r"<pre><code>(.*?)</code></pre>", text, re.DOTALL)
        ]
        plain = [command for command in commands if "_ID" not in command]
        assert len(plain) > 15
        for command in plain:
            quiet = "--silent --noproxy '*' --write-out '%{http_code}' --output /dev/null"
            done = subprocess.run(
                f"{command} {quiet}", shell=True, capture_output=True, text=True, timeout=30
            )
            if "/sandbox/faults" in command:
                httpx.put(f"{sandbox.url}/sandbox/faults", json="none", trust_env=False)
            assert done.stdout == "200", command

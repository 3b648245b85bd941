"""The OpenAPI document as one page of HTML to read: without scripts, and nothing is loaded from elsewhere."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from .schema_text import kind_html, shape_id

CONTENT_SECURITY_POLICY = "; ".join(
    ["default-src 'none'", "style-src 'unsafe-inline'"]
    + [f"{what} 'none'" for what in ("base-uri", "form-action", "frame-ancestors")]
)
"""The page may have its own style, and nothing else."""

_KEY = "sandbox"
_SHAPES = "#/components/schemas/"

# Example ids, for the commands of the page.
_IDS = {"pod_id": "POD_ID", "disk_id": "disk_id_1", "team_id": "team_id", "key_id": "KEY_ID"}

Document = Mapping[str, Any]


def page(document: Document, base_url: str) -> str:
    """The page.

    Parameters
    ----------
    document:
        What is served, as OpenAPI.
    base_url:
        Where it is served: the commands on the page can be copied.
    """
    groups = _groups(document)
    info = document["info"]
    shapes = document["components"]["schemas"]
    top = f"<h1>{escape(info['title'])}</h1>{_introduction(info['description'], base_url)}"
    main = "".join(_group(document, tag, operations, base_url) for tag, operations in groups)
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(info['title'])}</title><style>{_style()}</style></head>\n"
        f"<body>{_contents(info['title'], groups)}\n"
        f'<main><header id="top">{top}</header>\n{main}{_shapes(shapes)}</main></body></html>\n'
    )


@cache
def _style() -> str:
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def _groups(document: Document) -> list[tuple[Mapping[str, str], list[tuple[str, str, Document]]]]:
    """The operations by tag, in the order of the tags."""
    found: dict[str, list[tuple[str, str, Document]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            found[operation["tags"][0]].append((method, path, operation))
    return [(tag, found[tag["name"]]) for tag in document["tags"] if found[tag["name"]]]


def _contents(title: str, groups: Iterable[tuple[Mapping[str, str], list[tuple[str, str, Document]]]]) -> str:
    parts = [f'<nav aria-label="Contents"><a class="home" href="#top">{escape(title)}</a>']
    for tag, operations in groups:
        rows = "".join(
            f'<li><a href="#{_anchor(method, path)}">{_badge(method)}'
            f"<span>{_path_html(_short(path))}</span></a></li>"
            for method, path, _ in operations
        )
        parts.append(
            f'<div><a class="tag" href="#{_slug(tag["name"])}">{escape(tag["name"])}</a><ol>{rows}</ol></div>'
        )
    return "".join([*parts, '<div><a class="tag" href="#shapes">Shapes</a></div></nav>'])


def _introduction(text: str, base_url: str) -> str:
    """The description's paragraphs: those that begin in bold become cards."""
    first, *others = text.strip().split("\n\n")
    cards = []
    for paragraph in others:
        heading, _, rest = paragraph.removeprefix("**").partition("**")
        cards.append(f"<div><h3>{escape(heading.rstrip('.'))}</h3><p>{_marked(rest.strip())}</p></div>")
    address = f'<p class="address"><code>{escape(base_url)}/api/v1</code></p>'
    return f'<p class="lead">{_marked(first)}</p>{address}<div class="cards">{"".join(cards)}</div>'


def _group(
    document: Document, tag: Mapping[str, str], operations: list[tuple[str, str, Document]], base_url: str
) -> str:
    articles = "".join(
        _operation(document, method, path, operation, base_url) for method, path, operation in operations
    )
    name = escape(tag["name"])
    return (
        f'<section><h2 id="{_slug(tag["name"])}">{name}</h2>'
        f'<p class="about">{_marked(tag["description"])}</p>{articles}</section>\n'
    )


def _operation(document: Document, method: str, path: str, operation: Document, base_url: str) -> str:
    anchor = _anchor(method, path)
    return (
        f'<article id="{anchor}"><h3><a href="#{anchor}">{_badge(method)}'
        f"<code>{_path_html(path)}</code></a></h3>"
        f"<p>{_marked(operation.get('description') or operation['summary'])}</p>"
        f"{_parameters(operation)}{_body(document, operation)}{_answers(document, operation)}"
        f"<h4>For example</h4><pre><code>{escape(_command(method, path, operation, base_url))}</code></pre>"
        "</article>\n"
    )


def _parameters(operation: Document) -> str:
    rows = [
        (
            _name(parameter["name"], is_required=parameter["required"]),
            kind_html(parameter["schema"]) + _default(parameter["schema"]),
            escape(parameter["in"]),
        )
        for parameter in operation.get("parameters", ())
    ]
    return "<h4>Parameters</h4>" + _table(("name", "type", "in"), rows) if rows else ""


def _body(document: Document, operation: Document) -> str:
    if "requestBody" not in operation:
        return ""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return f"<h4>Body</h4>{_content(document, schema, is_open=True)}"


def _answers(document: Document, operation: Document) -> str:
    answers = dict(operation["responses"])
    ((media, content),) = answers.pop("200")["content"].items()
    is_json = media == "application/json"
    body = _content(document, content["schema"]) if is_json else f'<p class="type">{escape(media)}</p>'
    refused = "".join(
        f"<li><b>{escape(status)}</b> {_marked(answer['description'])} "
        f'<span class="type">{kind_html(answer["content"]["application/json"]["schema"])}</span></li>'
        for status, answer in sorted(answers.items())
    )
    return f'<h4>Answer</h4>{body}<h4>Errors</h4><ul class="errors">{refused}</ul>'


def _content(document: Document, schema: Document, *, is_open: bool = False) -> str:
    """What a body is; the fields of an object can be unfolded."""
    if "$ref" not in schema:
        return f'<p class="type">{kind_html(schema)}</p>'
    name = schema["$ref"].removeprefix(_SHAPES)
    shape = document["components"]["schemas"][name]
    opened = " open" if is_open else ""
    return f"<details{opened}><summary>{escape(name)}</summary>{_fields(shape)}</details>"


def _fields(schema: Document) -> str:
    required = schema.get("required", ())
    rows = [
        (
            _name(name, is_required=name in required),
            kind_html(field) + _default(field),
            _marked(field.get("description", "")),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    return _table(("field", "type", ""), rows)


def _shapes(shapes: Mapping[str, Document]) -> str:
    articles = "".join(
        f'<article class="shape" id="{shape_id(name)}">'
        f'<h3><a href="#{shape_id(name)}">{escape(name)}</a></h3>'
        f"<p>{_marked(shape.get('description', ''))}</p>{_fields(shape)}</article>"
        for name, shape in shapes.items()
    )
    about = "What bodies are made of. Everything that is marked by a dot is always there."
    return f'<section><h2 id="shapes">Shapes</h2><p class="about">{about}</p>{articles}</section>'


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _command(method: str, path: str, operation: Document, base_url: str) -> str:
    """A call of the operation, to be copied into a shell."""
    address = base_url + re.sub(r"\{(\w+)\}", lambda found: _IDS.get(found[1], found[1].upper()), path)
    words = ["curl"] if method == "get" else ["curl", "-X", method.upper()]
    lines = [shlex.join([*words, address])]
    if "security" in operation:
        lines.append(f"-H 'Authorization: Bearer {_KEY}'")
    if "requestBody" in operation:
        lines.append("-H 'Content-Type: application/json'")
        example = operation["requestBody"]["content"]["application/json"].get("example", {})
        lines.append(f"-d {shlex.quote(json.dumps(example, indent=2))}")
    return " \\\n  ".join(lines)


def _name(name: str, *, is_required: bool) -> str:
    mark = ' class="required" title="always there"' if is_required else ""
    return f"<code{mark}>{escape(name)}</code>"


def _default(schema: Document) -> str:
    if schema.get("default") is None:
        return ""
    return f' <span class="default">default <code>{escape(json.dumps(schema["default"]))}</code></span>'


def _badge(method: str) -> str:
    return f'<b class="method {escape(method)}">{escape(method.upper())}</b>'


def _path_html(path: str) -> str:
    return re.sub(r"(\{\w+\})", r"<i>\1</i>", escape(path).replace("/", "/<wbr>"))


def _short(path: str) -> str:
    return path.removeprefix("/api/v1")


def _anchor(method: str, path: str) -> str:
    return f"{method}-{_slug(path)}"


def _slug(text: str) -> str:
    return "-".join(_words(text))


def _words(text: str) -> Iterator[str]:
    return (found[0] for found in re.finditer(r"\w+", text.lower()))


def _marked(text: str) -> str:
    """Text whose ``code`` is set apart; everything else in it is literal."""
    parts = re.split(r"`{1,2}([^`]+)`{1,2}", text)
    return "".join(f"<code>{escape(part)}</code>" if i % 2 else escape(part) for i, part in enumerate(parts))

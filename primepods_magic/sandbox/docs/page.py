"""The OpenAPI document as one HTML page without scripts or external resources."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["CONTENT_SECURITY_POLICY", "render_page"]

CONTENT_SECURITY_POLICY = "; ".join(
    ["default-src 'none'", "style-src 'unsafe-inline'"]
    + [f"{name} 'none'" for name in ("base-uri", "form-action", "frame-ancestors")]
)

_KEY = "sandbox"
_SHAPES = "#/components/schemas/"
_STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
_SAMPLE_IDS = {"pod_id": "POD_ID", "disk_id": "disk_id_1", "team_id": "team_id", "key_id": "KEY_ID"}
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} long",
    "maxLength": "at most {} long",
    "minItems": "at least {}",
    "pattern": "matching {}",
}
_MAX_INLINE_VALUES = 8

Schema = Mapping[str, Any]


def render_page(document: Schema, base_url: str) -> str:
    """Render the document; the commands on the page use `base_url`."""
    title = escape(document["info"]["title"])
    shapes = document["components"]["schemas"]
    navigation = [f'<a class="home" href="#top">{title}</a>']
    sections = []
    for tag in document["tags"]:
        operations = [
            (method, path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if operation["tags"] == [tag["name"]]
        ]
        slug, name = _make_slug(tag["name"]), escape(tag["name"])
        links = "".join(
            f'<li><a href="#{method}-{_make_slug(path)}">{_render_method(method)}'
            f"<span>{_render_path(path.removeprefix('/api/v1'))}</span></a></li>"
            for method, path, _ in operations
        )
        navigation.append(f'<div><a class="tag" href="#{slug}">{name}</a><ol>{links}</ol></div>')
        articles = "\n".join(_render_operation(shapes, *row, base_url) for row in operations)
        about = _render_text(tag["description"])
        sections.append(
            f'<section><h2 id="{slug}">{name}</h2><p class="about">{about}</p>{articles}</section>'
        )
    navigation.append('<div><a class="tag" href="#shapes">Shapes</a></div>')
    sections.append(
        '<section><h2 id="shapes">Shapes</h2><p class="about">The objects in bodies. A dot marks required '
        f"fields.</p>{''.join(_render_shape(name, shape) for name, shape in shapes.items())}</section>"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n"
        f'<body><nav aria-label="Contents">{"".join(navigation)}</nav>\n'
        f'<main><header id="top"><h1>{title}</h1>'
        f"{_render_introduction(document['info']['description'], base_url)}</header>\n"
        + "\n".join(sections)
        + "</main></body></html>\n"
    )


def _render_introduction(text: str, base_url: str) -> str:
    """Render the first paragraph, and each of the others as a card titled by its bold beginning."""
    first, *others = text.strip().split("\n\n")
    cards = [paragraph.removeprefix("**").partition("**") for paragraph in others]
    return (
        f'<p class="lead">{_render_text(first)}</p>'
        f'<p class="address"><code>{escape(base_url)}/api/v1</code></p><div class="cards">'
        + "".join(
            f"<div><h3>{escape(heading.rstrip('.'))}</h3><p>{_render_text(rest.strip())}</p></div>"
            for heading, _, rest in cards
        )
        + "</div>"
    )


def _render_operation(shapes: Schema, method: str, path: str, operation: Schema, base_url: str) -> str:
    anchor = f"{method}-{_make_slug(path)}"
    parts = [
        f'<article id="{anchor}"><h3><a href="#{anchor}">{_render_method(method)}'
        f"<code>{_render_path(path)}</code></a></h3>"
        f"<p>{_render_text(operation.get('description') or operation['summary'])}</p>"
    ]
    rows = [
        (_render_name(row["name"], row["required"]), _render_field(row["schema"]), escape(row["in"]))
        for row in operation.get("parameters", ())
    ]
    if rows:
        parts.append("<h4>Parameters</h4>" + _render_table(("name", "type", "in"), rows))
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        parts.append(f"<h4>Body</h4>{_render_body(shapes, schema, ' open')}")
    responses = dict(operation["responses"])
    ((media, content),) = responses.pop("200")["content"].items()
    is_json = media == "application/json"
    body = _render_body(shapes, content["schema"]) if is_json else f'<p class="type">{escape(media)}</p>'
    errors = "".join(
        f"<li><b>{escape(status)}</b> {_render_text(response['description'])} <span class="
        f'"type">{_render_type(response["content"]["application/json"]["schema"])}</span></li>'
        for status, response in sorted(responses.items())
    )
    command = escape(_make_command(method, path, operation, base_url))
    parts.append(
        f'<h4>Response</h4>{body}<h4>Errors</h4><ul class="errors">{errors}</ul>'
        f"<h4>Example</h4><pre><code>{command}</code></pre></article>"
    )
    return "".join(parts)


def _render_body(shapes: Schema, schema: Schema, is_open: str = "") -> str:
    name = schema.get("$ref", "").removeprefix(_SHAPES)
    if not name:
        return f'<p class="type">{_render_type(schema)}</p>'
    return f"<details{is_open}><summary>{escape(name)}</summary>{_render_fields(shapes[name])}</details>"


def _render_shape(name: str, shape: Schema) -> str:
    anchor = f"shape-{escape(name)}"
    return (
        f'<article class="shape" id="{anchor}"><h3><a href="#{anchor}">{escape(name)}</a></h3>'
        f"<p>{_render_text(shape.get('description', ''))}</p>{_render_fields(shape)}</article>"
    )


def _render_fields(shape: Schema) -> str:
    required = shape.get("required", ())
    rows = [
        (
            _render_name(name, name in required),
            _render_field(field),
            _render_text(field.get("description", "")),
        )
        for name, field in shape.get("properties", {}).items()
    ]
    return _render_table(("field", "type", ""), rows)


def _render_table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _render_field(schema: Schema) -> str:
    default = schema.get("default")
    if default is None:
        return _render_type(schema)
    text = f' <span class="default">default {_render_value(default)}</span>'
    return _render_type(schema) + text


def _render_type(schema: Schema) -> str:
    """Describe a type as HTML.

    >>> _render_type({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}})
    'list of (text or null)'
    >>> _render_type({"type": "integer", "minimum": 0})
    'integer ≥ 0'
    """
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(_SHAPES))
        return f'<a href="#shape-{name}">{name}</a>'
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(map(_render_type, choices))
    if "const" in schema:
        return _render_value(schema["const"])
    if values := schema.get("enum"):
        text = f'<span class="values">{" ".join(map(_render_value, values))}</span>'
        if len(values) <= _MAX_INLINE_VALUES:
            return text
        return f"<details><summary>one of {len(values)}</summary>{text}</details>"
    kind = schema.get("type", "anything")
    inner = schema.get("items", schema.get("additionalProperties"))
    if isinstance(inner, Mapping):
        text = _render_type(inner)
        text = f"({text})" if len(inner.get("anyOf", ())) > 1 else text
        kind = f"list of {text}" if kind == "array" else f"object of {text} by name"
    elif kind == "string":
        kind = "time" if schema.get("format") == "date-time" else "text"
    limits = [text.format(_format_limit(schema[key])) for key, text in _LIMITS.items() if key in schema]
    return " ".join([kind, escape(", ".join(limits), quote=False)]).strip()


def _format_limit(limit: Any) -> str:
    """Format a limit; powers of two are technical limits and read better as such."""
    if not isinstance(limit, int | float):
        return str(limit)
    exponent = int(abs(limit)).bit_length() - 1
    if exponent >= 31 and abs(limit) == 2**exponent:
        return f"{'-' if limit < 0 else ''}2^{exponent}"
    return str(int(limit) if limit == int(limit) else limit)


def _render_value(value: Any) -> str:
    return f"<code>{escape(value if isinstance(value, str) else json.dumps(value))}</code>"


def _render_name(name: str, is_required: bool) -> str:
    mark = ' class="required" title="required"' if is_required else ""
    return f"<code{mark}>{escape(name)}</code>"


def _render_method(method: str) -> str:
    return f'<b class="method {escape(method)}">{escape(method.upper())}</b>'


def _render_path(path: str) -> str:
    return re.sub(r"(\{\w+\})", r"<i>\1</i>", escape(path).replace("/", "/<wbr>"))


def _render_text(text: str) -> str:
    """Escape text, with `code` in backticks."""
    parts = re.split(r"`+([^`]+)`+", text)
    return "".join(f"<code>{escape(part)}</code>" if i % 2 else escape(part) for i, part in enumerate(parts))


def _make_slug(text: str) -> str:
    return "-".join(re.findall(r"\w+", text.lower()))


def _make_command(method: str, path: str, operation: Schema, base_url: str) -> str:
    """Build a curl command that can be pasted into a shell."""
    url = base_url + re.sub(r"\{(\w+)\}", lambda match: _SAMPLE_IDS.get(match[1], match[1].upper()), path)
    parts = [shlex.join(["curl", url] if method == "get" else ["curl", "-X", method.upper(), url])]
    if "security" in operation:
        parts.append(f"-H 'Authorization: Bearer {_KEY}'")
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"].get("example", {})
        parts += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(example, indent=2))}"]
    return " \\\n  ".join(parts)

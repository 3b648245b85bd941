"""JSON schemas in a few words, for the page of :mod:`.page`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

_SHAPES = "#/components/schemas/"
_FEW = 8

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

Schema = Mapping[str, Any]


def shape_id(name: str) -> str:
    """The anchor of a shape."""
    return f"shape-{name}"


def kind_html(schema: Schema) -> str:
    """What a value is, as HTML.

    Example
    -------
    >>> kind_html({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}})
    'list of (text or null)'
    >>> kind_html({"type": "integer", "minimum": 0})
    'integer ≥ 0'
    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_SHAPES)
        return f'<a href="#{escape(shape_id(name))}">{escape(name)}</a>'
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " or ".join(kind_html(choice) for choice in schema[word])
    if "const" in schema:
        return _value(schema["const"])
    if "enum" in schema:
        return _one_of(schema["enum"])
    return _basic(schema) + _limits(schema)


def _basic(schema: Schema) -> str:
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_grouped(schema.get('items', {}))}"
    if kind == "object":
        values = schema.get("additionalProperties")
        if isinstance(values, Mapping):
            return f"object of {_grouped(values)} by name"
        return "object"
    if kind == "string":
        return "instant" if schema.get("format") == "date-time" else "text"
    return {None: "anything", "boolean": "true or false"}.get(kind, str(kind))


def _grouped(schema: Schema) -> str:
    text = kind_html(schema)
    return f"({text})" if len(schema.get("anyOf", ())) > 1 else text


def _one_of(values: list[Any]) -> str:
    text = " ".join(map(_value, values))
    if len(values) <= _FEW:
        return f'<span class="values">{text}</span>'
    return f'<details><summary>one of {len(values)}</summary><span class="values">{text}</span></details>'


def _value(value: Any) -> str:
    return f"<code>{escape(value if isinstance(value, str) else json.dumps(value))}</code>"


def _limits(schema: Schema) -> str:
    found = [text.format(_number(schema[word])) for word, text in _LIMITS.items() if word in schema]
    return escape(" " + ", ".join(found), quote=False) if found else ""


def _number(limit: Any) -> str:
    """Powers of two are limits of what holds the number, not of what it means; they read better as such."""
    if isinstance(limit, int | float) and abs(limit) >= 2**31:
        exponent = int(abs(limit)).bit_length() - 1
        if abs(limit) == 2**exponent:
            return f"{'-' if limit < 0 else ''}2^{exponent}"
    return str(limit)

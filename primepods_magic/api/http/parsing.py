"""The shapes that answers come in: lists, status replies, logs and error bodies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from primepods_magic.api.errors import UnexpectedAnswer
from primepods_magic.api.fields.lenient_types import ApiModel, rows_of, text_in
from primepods_magic.api.models import Page, PodDetails, PodStatusEntry
from primepods_magic.api.secrets.redaction import Hider
from primepods_magic.api.text.sanitize import sanitize

from .body_decoding import parse_json

__all__ = [
    "read_created_pod",
    "read_error",
    "read_logs",
    "read_model",
    "read_page",
    "read_rows",
    "read_status",
]

A = TypeVar("A", bound=ApiModel)
_LONGEST_MESSAGE = 300
# So much of an error's words is looked at. The end of it may hold a part of a secret, and is never shown.
_MOST_ROWS = 50_000


def read_model(model: type[A], payload: object) -> A:
    """Read one object.

    Raises
    ------
    UnexpectedAnswer
        The payload is not an object, or not this one.
    """
    if not isinstance(payload, dict):
        raise UnexpectedAnswer(f"the service answered with {_kind(payload)} where an object belongs")
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        fields = ", ".join(sorted({str(problem["loc"][0]) for problem in error.errors(include_input=False)}))
        raise UnexpectedAnswer(f"the service's {model.__name__} cannot be read ({fields})") from None
    except RecursionError:
        raise UnexpectedAnswer(f"the service's {model.__name__} is nested too deeply to be read") from None


def read_created_pod(payload: object) -> PodDetails:
    """Read the pod of a create's answer; beside a ``podId``, the ``id`` is another thing's. Errors as
    `read_model`."""
    pod = read_model(PodDetails, payload)
    extra = pod.model_extra or {}
    pod_id = next((text for name in ("podId", "pod_id") if (text := text_in(extra.get(name)))), pod.id)
    return pod if pod_id == pod.id else pod.model_copy(update={"id": pod_id})


def read_page(model: type[A], payload: object) -> Page[A]:
    """Read a list: ``{data, total_count}``, ``{items, totalCount}``, a bare list, or lists by GPU type."""
    rows, total = _list_in(payload)
    items = [read_model(model, row) for row in _objects(rows)]
    return Page(items, _told_total(total, items))


def read_rows(payload: object) -> Page[dict[str, Any]]:
    """Read a list as `read_page` does, with its rows as they came. What is no object is an empty one: a row
    has its place in the list."""
    rows, total = _list_in(payload)
    _objects(rows)
    items = [row if isinstance(row, dict) else {} for row in rows]
    return Page(items, _told_total(total, items))


def _list_in(payload: object) -> tuple[Any, object]:
    """The list in an answer, and what it says of how many rows there are in all."""
    if not isinstance(payload, dict):
        return ([] if payload is None else payload), None
    total = payload.get("total_count", payload.get("totalCount"))
    for key in ("data", "items"):
        if key in payload:
            return ([] if payload[key] is None else payload[key]), total
    rows = [row for rows in payload.values() if isinstance(rows, list) for row in rows]
    if not rows and payload and total is None:
        raise UnexpectedAnswer("the service answered with an object where a list belongs")
    return rows, total


def _told_total(total: object, items: list[Any]) -> int | None:
    # The published default is 0, so a total below what is here says nothing.
    if isinstance(total, int) and not isinstance(total, bool) and total >= len(items):
        return total
    return None


def read_status(payload: object) -> list[PodStatusEntry]:
    """Read a status reply: the page's one object, a list, or either of them under ``data``.

    Raises
    ------
    UnexpectedAnswer
        The payload is something else.
    """
    if isinstance(payload, dict):
        if payload.get("data") is not None:
            payload = payload["data"]
        elif "podId" not in payload and "id" not in payload:
            if payload and payload.keys().isdisjoint(("data", "status")):
                raise UnexpectedAnswer("the service answered with an object that is no status")
            payload = []
    if not isinstance(payload, (dict, list)):
        raise UnexpectedAnswer(f"the service answered with {_kind(payload)} where a status belongs")
    rows = [payload] if isinstance(payload, dict) else payload
    return [read_model(PodStatusEntry, row) for row in _objects(rows)]


def _objects(rows: object) -> list[Any]:
    """The objects in a list. One that holds something, and no object, is not an empty list: whoever took it
    for one would think that everything is gone."""
    found = rows_of(rows)
    if len(found) > _MOST_ROWS:
        raise UnexpectedAnswer("the service returned more rows than any list has")
    if not isinstance(rows, list) or (rows and not found):
        raise UnexpectedAnswer(f"the service answered with {_kind(rows)} where a list of objects belongs")
    return found


def read_logs(payload: object) -> str:
    """Read logs in any JSON form, or as plain text, into lines of text.

    Raises
    ------
    UnexpectedAnswer
        They are nested too deeply.
    """
    try:
        return _join_logs(payload)
    except RecursionError:
        raise UnexpectedAnswer("the service's logs are nested too deeply to be read") from None


def _join_logs(payload: object) -> str:
    if payload is None:
        return ""
    if isinstance(payload, str):
        return payload
    if isinstance(payload, list):
        return "\n".join(_join_logs(item).rstrip("\n") for item in payload)
    if isinstance(payload, dict):
        for key in ("logs", "data", "log", "lines"):
            if key in payload:
                return _join_logs(payload[key])
        words = (payload.get(key) for key in ("timestamp", "time", "level", "message", "msg", "text"))
        line = " ".join(str(word) for word in words if word is not None)
        return line or json.dumps(payload, ensure_ascii=False)
    return str(payload)


def read_error(text: str, content_type: str, secrets: Iterable[str] = ()) -> str | None:
    """What an error body says, on one line, or ``None``. Never what the caller had sent: a framework's
    validation error repeats its ``input``, which may be a password.

    >>> read_error('{"errors": [{"param": "body.pod.gpuCount", "details": "Input should be > 0"}]}', "json")
    'pod.gpuCount: Input should be > 0'
    """
    try:
        body = parse_json(text)
        said = sanitize(_error_text(body))
    except RecursionError:
        return None
    except ValueError:
        # Of JSON that breaks off nothing is shown: it repeats what was sent.
        is_page = "html" in content_type or text.lstrip()[:1] in ("<", "{", "[")
        said = "" if is_page else sanitize(text)
    # Before it is cut short: of a secret, no beginning is left either.
    said = Hider(dict.fromkeys(secrets, "***")).hide_beginning(said)
    if not said:
        return None
    return said if len(said) <= _LONGEST_MESSAGE else said[: _LONGEST_MESSAGE - 1] + "…"


def _error_text(body: Any) -> str | None:
    if isinstance(body, str):
        return body
    if not isinstance(body, Mapping):
        return None
    fields = [_field(row.get("param"), row.get("details")) for row in rows_of(body.get("errors"))]
    if fields:
        return "; ".join(fields)
    detail = body.get("detail")
    if isinstance(detail, list) and rows_of(detail):
        return "; ".join(_field(row.get("loc"), row.get("msg")) for row in rows_of(detail))
    for said in (detail, body.get("message"), body.get("error"), body.get("title")):
        if isinstance(said, str) and said:
            return said
        if isinstance(said, Mapping):
            inner = said.get("message") or said.get("msg")
            if isinstance(inner, str):
                return inner
    return None


def _field(place: object, problem: object) -> str:
    parts = place.split(".") if isinstance(place, str) else place if isinstance(place, list) else []
    words = [str(part) for part in parts if isinstance(part, (str, int))]
    path = ".".join(word for word in words if word not in ("body", "query", "path"))
    text = str(problem) if isinstance(problem, (str, int, float)) else "is not valid"
    return f"{path}: {text}" if path else text


def _kind(payload: object) -> str:
    return {list: "a list", str: "a text", dict: "an object", type(None): "nothing"}.get(
        type(payload), "a number"
    )

"""Response shapes: lists, status responses, logs and error bodies."""

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
    "raise_reported_error",
    "read_created_pod",
    "read_error",
    "read_logs",
    "read_model",
    "read_page",
    "read_rows",
    "read_status",
]

A = TypeVar("A", bound=ApiModel)
_MAX_ERROR_CHARS = 300
_MAX_ROWS = 50_000
_FAILURE_WORDS = frozenset({"error", "errored", "fail", "failed", "failure"})


def read_model(model: type[A], payload: object) -> A:
    """Read one object; raise UnexpectedAnswer if the payload is not one."""
    if not isinstance(payload, dict):
        raise UnexpectedAnswer(f"The service returned {_name_type(payload)} instead of an object")
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        # A key that is no text has no place.
        places = (problem["loc"] for problem in error.errors(include_input=False))
        fields = ", ".join(sorted({sanitize(str(place[0])) if place else "a name" for place in places}))
        raise UnexpectedAnswer(f"Cannot read the service's {model.__name__} ({fields})") from None
    except RecursionError:
        raise UnexpectedAnswer(
            f"Cannot read the service's {model.__name__}: it is nested too deeply"
        ) from None


def read_created_pod(payload: object) -> PodDetails:
    """Read the pod that a create returns; if there is a ``podId``, the ``id`` is not the pod's."""
    pod = read_model(PodDetails, payload)
    extra = pod.model_extra or {}
    pod_id = next((text for name in ("podId", "pod_id") if (text := text_in(extra.get(name)))), pod.id)
    return pod if pod_id == pod.id else pod.model_copy(update={"id": pod_id})


def read_page(model: type[A], payload: object) -> Page[A]:
    """Read a list: ``{data, total_count}``, ``{items, totalCount}``, a bare list, or lists by GPU type."""
    rows, total = _find_list(payload)
    items = [read_model(model, row) for row in _list_objects(rows)]
    return Page(items, _check_total(total, items))


def read_rows(payload: object) -> Page[dict[str, Any]]:
    """Read a list like `read_page` but keep raw rows; a row that is not an object becomes an empty one."""
    rows, total = _find_list(payload)
    _list_objects(rows)
    items = [row if isinstance(row, dict) else {} for row in rows]
    return Page(items, _check_total(total, items))


def _find_list(payload: object) -> tuple[Any, object]:
    """Return the list in a response and the total that it reports."""
    if not isinstance(payload, dict):
        return ([] if payload is None else payload), None
    total = payload.get("total_count", payload.get("totalCount"))
    for key in ("data", "items"):
        if key in payload:
            return ([] if payload[key] is None else payload[key]), total
    rows = [row for rows in payload.values() if isinstance(rows, list) for row in rows]
    if not rows and payload and total is None:
        raise UnexpectedAnswer("The service returned an object instead of a list")
    return rows, total


def _check_total(total: object, items: list[Any]) -> int | None:
    # The published default is 0, so a total below the number of rows means nothing.
    if isinstance(total, int) and not isinstance(total, bool) and total >= len(items):
        return total
    return None


def read_status(payload: object) -> list[PodStatusEntry]:
    """Read a status response: one object, a list, or either of them under ``data``."""
    if isinstance(payload, dict):
        if payload.get("data") is not None:
            payload = payload["data"]
        elif "podId" not in payload and "id" not in payload:
            if payload and payload.keys().isdisjoint(("data", "status")):
                raise UnexpectedAnswer("The service returned an object that is not a status")
            payload = []
    if not isinstance(payload, (dict, list)):
        raise UnexpectedAnswer(f"The service returned {_name_type(payload)} instead of a status")
    rows = [payload] if isinstance(payload, dict) else payload
    return [read_model(PodStatusEntry, row) for row in _list_objects(rows)]


def _list_objects(rows: object) -> list[Any]:
    """Return the objects in a list.

    A list of anything else is an error, not an empty list; otherwise callers would conclude that everything
    is gone.
    """
    objects = rows_of(rows)
    if len(objects) > _MAX_ROWS:
        raise UnexpectedAnswer(f"The service returned a list of more than {_MAX_ROWS:,} rows")
    if not isinstance(rows, list) or (rows and not objects):
        raise UnexpectedAnswer(f"The service returned {_name_type(rows)} instead of a list of objects")
    return objects


def read_logs(payload: object) -> str:
    """Read logs in any JSON form, or as plain text, into lines of text."""
    try:
        return _join_logs(payload)
    except RecursionError:
        raise UnexpectedAnswer("Cannot read the service's logs: they are nested too deeply") from None


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
        parts = (payload.get(key) for key in ("timestamp", "time", "level", "message", "msg", "text"))
        line = " ".join(str(part) for part in parts if part is not None)
        return line or json.dumps(payload, ensure_ascii=False)
    return str(payload)


def raise_reported_error(payload: object, secrets: Iterable[str]) -> None:
    """Raise UnexpectedAnswer for a response that reports an error beside an empty list."""
    # A status response may hold the fields of its one pod beside a list; its status is the pod's.
    if not isinstance(payload, dict) or "podId" in payload or "id" in payload:
        return
    if payload.get("data", payload.get("items")) != []:
        return
    status = payload.get("status")
    is_failure = isinstance(status, str) and status.strip().casefold() in _FAILURE_WORDS
    if is_failure or payload.get("success") is False or payload.get("error") or payload.get("errors"):
        reason = _clean_error(sanitize(_find_reason(payload)), secrets) or "no reason given"
        raise UnexpectedAnswer(f"The service returned an error instead of a list ({reason}). Try again later")


def read_error(text: str, content_type: str, secrets: Iterable[str] = ()) -> str | None:
    """Return the reason in an error body on one line, or ``None``.

    Never a value that was sent: validation errors of some frameworks repeat their ``input``, perhaps a
    password.

    >>> read_error('{"errors": [{"param": "body.pod.gpuCount", "details": "Input should be > 0"}]}', "json")
    'pod.gpuCount: Input should be > 0'
    """
    try:
        reason = sanitize(_find_reason(parse_json(text)))
    except RecursionError:
        return None
    except ValueError:
        # Truncated JSON is never shown: it may repeat what was sent.
        is_page = "html" in content_type or text.lstrip()[:1] in ("<", "{", "[")
        reason = "" if is_page else sanitize(text)
    return _clean_error(reason, secrets)


def _clean_error(reason: str, secrets: Iterable[str]) -> str | None:
    # Hide before shortening, so that no beginning of a secret remains.
    reason = Hider(dict.fromkeys(secrets, "***")).hide_beginning(reason)
    if not reason:
        return None
    return reason if len(reason) <= _MAX_ERROR_CHARS else reason[: _MAX_ERROR_CHARS - 1] + "…"


def _find_reason(body: Any) -> str | None:
    if isinstance(body, str):
        return body
    if not isinstance(body, Mapping):
        return None
    fields = [_format_field(row.get("param"), row.get("details")) for row in rows_of(body.get("errors"))]
    if fields:
        return "; ".join(fields)
    detail = body.get("detail")
    if isinstance(detail, list) and rows_of(detail):
        return "; ".join(_format_field(row.get("loc"), row.get("msg")) for row in rows_of(detail))
    for value in (detail, body.get("message"), body.get("error"), body.get("title")):
        if isinstance(value, str) and value:
            return value
        if isinstance(value, Mapping):
            inner = value.get("message") or value.get("msg")
            if isinstance(inner, str):
                return inner
    return None


def _format_field(location: object, problem: object) -> str:
    parts = location.split(".") if isinstance(location, str) else location
    names = [str(part) for part in parts if isinstance(part, (str, int))] if isinstance(parts, list) else []
    path = ".".join(name for name in names if name not in ("body", "query", "path"))
    text = str(problem) if isinstance(problem, (str, int, float)) else "is not valid"
    return f"{path}: {text}" if path else text


def _name_type(payload: object) -> str:
    return {list: "a list", str: "text", dict: "an object", type(None): "nothing"}.get(
        type(payload), "a number"
    )

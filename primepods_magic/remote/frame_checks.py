"""Checks of the frames of an agent: a pod is an untrusted machine, and may send anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from primepods_magic.api.text.sanitize import replace_surrogates

from .agent.frames import BadFrame, Header

__all__ = ["UNNUMBERED", "check_frame", "clean_header", "read_number"]

UNNUMBERED = ("input_wanted", "unknown")
"""Types of frames of a job that are not among its numbered ones."""

_TYPES = {
    "type": str, "id": str, "job": str, "text": str, "title": str, "parent": str, "behind": str, "to": str,
    "state": str, "content": dict, "metadata": dict, "n": int, "dropped": int, "new_files": dict,
    # Of answers about files.
    "is_end": bool, "problem": str, "path": str, "failures": dict, "kind": str, "free_bytes": int,
    "has_home": bool, "next": int,
}  # fmt: skip
_REQUIRED = {
    "reply": ("id",),
    "to": ("to",),
    "note": ("text",),
    "setup_failed": ("text",),
    "queued": ("behind",),
    "input_wanted": ("n",),
    "gap": ("n", "dropped"),
    "done": ("state",),
}
# Types in the contents of a kernel's messages. The data of a comm may be anything: some libraries send text.
_CONTENT_TYPES: dict[str, dict[str, type]] = {
    "stream": {"name": str, "text": str},
    "display_data": {"data": dict},
    "update_display_data": {"data": dict},
    "execute_result": {"data": dict},
    "error": {"ename": str, "evalue": str, "traceback": list},
    "execute_input": {"execution_count": int},
    "execute_reply": {"status": str},
    "input_request": {"prompt": str},
    "comm_open": {"comm_id": str, "target_name": str},
    "comm_msg": {"comm_id": str},
    "comm_close": {"comm_id": str},
}
_OPTIONAL_TYPES: dict[str, type] = {"ename": str, "evalue": str, "traceback": list, "metadata": dict}
_MAX_NUMBER = 1 << 53
_MAX_FIGURE = 1e12
# Far more than outputs need, and far less than what exhausts the stack of what handles them.
_MAX_DEPTH = 100


def clean_header(header: Header) -> None:
    """Replace lone surrogates in its texts, which cannot be written, and empty what is nested too deep."""
    level: list[Any] = [header]
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for part in level:
            if isinstance(part, dict) and not all(map(str.isascii, part)):
                values = [(replace_surrogates(name), value) for name, value in part.items()]
                part.clear()
                part.update(values)
            for place, value in part.items() if isinstance(part, dict) else enumerate(part):
                if type(value) is str:
                    if not value.isascii():
                        part[place] = replace_surrogates(value)
                elif isinstance(value, (dict, list)):
                    below.append(value)
        level = below
        if not level:
            return
    for part in level:
        part.clear()


def check_frame(header: Header) -> None:
    """Raise BadFrame if a frame is not one that an agent sends; leave out what odd code may put into one."""
    kind = header.get("type")
    if type(kind) is not str:
        raise BadFrame("a frame without a type")
    for name, expected in _TYPES.items():
        # The content of a reply may be missing.
        is_none = (kind, name) == ("reply", "content") and header.get(name) is None
        if name in header and type(header[name]) is not expected and not is_none:
            raise BadFrame(f"{kind} whose {name} is of another type")
    for name in _REQUIRED.get(kind, ()):
        if name not in header:
            raise BadFrame(f"{kind} without {name}")
    number, dropped = header.get("n", 0), header.get("dropped", 1)
    if not (0 <= number < _MAX_NUMBER and 0 < dropped < _MAX_NUMBER) or (dropped != 1 and kind != "gap"):
        raise BadFrame(f"{kind} with a number out of bounds")
    jobs = header.get("jobs", [])
    if not isinstance(jobs, list) or not all(isinstance(facts, dict) for facts in jobs):
        raise BadFrame(f"{kind} whose jobs are not objects")
    _check_content(kind, header.get("content") or {})


def _check_content(kind: str, content: dict[str, Any]) -> None:
    required = _CONTENT_TYPES.get(kind, {})
    for name, expected in {**_OPTIONAL_TYPES, **required}.items():
        if (name in content or name in required) and type(content.get(name)) is not expected:
            raise BadFrame(f"{kind} whose {name} is of another type")
    if not all(isinstance(line, str) for line in content.get("traceback", [])):
        raise BadFrame(f"{kind} whose traceback is not text")
    if "transient" in content and not isinstance(content["transient"], dict):
        del content["transient"]
    if kind == "execute_reply":
        if type(content.get("execution_count")) is not int:
            content["execution_count"] = None
        parts = content.get("payload")
        content["payload"] = list(filter(_is_payload, parts)) if isinstance(parts, list) else []


def _is_payload(part: object) -> bool:
    """Return whether this is a payload of the protocol: a text for the pager or the next cell, or an exit."""
    if not isinstance(part, dict):
        return False
    source, data, text = part.get("source"), part.get("data"), part.get("text")
    return (
        (source == "page" and isinstance(data, dict))
        or (source == "set_next_input" and isinstance(text, str))
        or source == "ask_exit"
    )


def read_number(
    facts: Mapping[str, Any], name: str, *, lowest: float = -_MAX_FIGURE, highest: float = _MAX_FIGURE
) -> float | None:
    """Return a number from an agent, or None if it is missing, not a number, or out of bounds.

    >>> read_number({"a": 5, "b": float("nan")}, "a"), read_number({"a": -5}, "a", lowest=0)
    (5.0, None)
    """
    value: Any = facts.get(name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and lowest <= value <= highest else None

"""Checks of the frames of an agent: a pod is an untrusted machine, and may send anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .agent.frames import BadFrame, Header

__all__ = ["check_frame", "read_number"]

_TYPES = {
    "type": str, "id": str, "job": str, "text": str, "title": str, "parent": str, "behind": str, "to": str,
    "content": dict, "metadata": dict, "n": int, "dropped": int, "new_files": dict,
    # Of answers about files.
    "is_end": bool, "problem": str, "path": str, "failures": dict, "kind": str, "free_bytes": int,
}  # fmt: skip
_REQUIRED = {
    "reply": ("id",),
    "to": ("to",),
    "setup": ("text",),
    "setup_failed": ("text",),
    "gap": ("n", "dropped"),
}
# Types in the contents of a kernel's messages.
_CONTENT_TYPES: dict[str, dict[str, type]] = {
    "stream": {"name": str, "text": str},
    "display_data": {"data": dict},
    "update_display_data": {"data": dict},
    "execute_result": {"data": dict},
    "error": {"ename": str, "evalue": str, "traceback": list},
    "execute_reply": {"status": str},
    "input_request": {"prompt": str},
    "comm_open": {"comm_id": str, "target_name": str},
    "comm_msg": {"comm_id": str},
    "comm_close": {"comm_id": str},
}
_MAX_NUMBER = 1 << 53
_MAX_FIGURE = 1e12


def check_frame(header: Header) -> None:
    """Raise BadFrame if a frame is not one that an agent sends."""
    kind = header.get("type")
    if type(kind) is not str:
        raise BadFrame("a frame without a type")
    for name, expected in _TYPES.items():
        if name in header and type(header[name]) is not expected and not _is_reply_content(kind, name):
            raise BadFrame(f"{kind} whose {name} is of another type")
    for name in _REQUIRED.get(kind, ()):
        if name not in header:
            raise BadFrame(f"{kind} without {name}")
    number, dropped = header.get("n", 0), header.get("dropped", 1)
    if not (0 <= number < _MAX_NUMBER and 0 < dropped < _MAX_NUMBER):
        raise BadFrame(f"{kind} with a number out of bounds")
    content = header.get("content") or {}
    for name, expected in _CONTENT_TYPES.get(kind, {}).items():
        if type(content.get(name)) is not expected:
            raise BadFrame(f"{kind} whose {name} is of another type")
    jobs = header.get("jobs", [])
    if not isinstance(jobs, list) or not all(isinstance(facts, dict) for facts in jobs):
        raise BadFrame(f"{kind} whose jobs are not objects")
    if not isinstance(content.get("metadata", {}), dict):
        raise BadFrame(f"{kind} whose metadata is of another type")


def _is_reply_content(kind: str, name: str) -> bool:
    """Return whether this is the content of a reply, which may be None."""
    return kind == "reply" and name == "content"


def read_number(facts: Mapping[str, Any], name: str) -> float | None:
    """Return a number from an agent, or None if it is missing, not a number, or out of bounds."""
    value = facts.get(name)
    return float(value) if isinstance(value, (int, float)) and abs(value) < _MAX_FIGURE else None

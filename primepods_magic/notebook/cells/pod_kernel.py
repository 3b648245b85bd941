"""Completion and inspection in a ``%%pod`` cell, by the pod's kernel, in time or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from primepods_magic.api.errors import PodsError

if TYPE_CHECKING:
    from primepods_magic.remote.link import PodLink

__all__ = ["answer_pod_cells", "complete_code", "is_pod_cell"]

_ANSWER_S = 0.3


def is_pod_cell(lines: Sequence[str]) -> bool:
    """Return whether the lines are a cell that runs on a pod."""
    return bool(lines) and lines[0].split(None, 1)[:1] == ["%%pod"]


def complete_code(lines: Sequence[str], line_number: int, before: str) -> tuple[str, list[str]]:
    """Return the fragment before the cursor and its completions there, both empty without an answer."""
    code = "\n".join(lines[1:])
    position = len("\n".join([*lines[1:line_number], before]))
    answer = _ask_kernel(lines[0], "complete_request", {"code": code, "cursor_pos": position})
    begin, words = answer.get("cursor_start"), answer.get("matches")
    if not isinstance(begin, int) or not 0 <= begin <= position or not isinstance(words, list):
        return "", []
    return code[begin:position], [word for word in words if isinstance(word, str)]


def _ask_kernel(first_line: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """Ask the kernel that the cell would run in; return an empty dict if it does not answer in time."""
    words = first_line.split()[1:]
    session = words[words.index("--session") + 1] if "--session" in words[:-1] else "main"
    name = words[0] if words and not words[0].startswith("-") else None
    link = _find_link(name)
    if link is None or not link.connected.is_set():
        return {}
    # A front end waits for a reply, whatever the pod answers.
    with suppress(PodsError, FutureTimeoutError):
        answer = link.request("ask", session=session, type=kind, content=content).result(_ANSWER_S)
        return _read_object(answer, "content")
    return {}


def _read_object(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object in an answer of a pod; an empty one for anything else."""
    value = answer.get(name)
    return value if isinstance(value, dict) else {}


def _find_link(name: str | None) -> PodLink | None:
    """Return the open connection to a pod, by default to that of the last cell."""
    in_use = getattr(sys.modules.get("primepods_magic.pods.connection.current"), "in_use", None)
    links = sys.modules.get("primepods_magic.remote.links")
    connection = in_use() if in_use else None
    if connection is None or links is None:
        return None
    find: Callable[..., PodLink | None] = links.find_link
    if name is None:
        return find(connection, links.find_last_pod_id(connection))
    pods = connection.completion_cache.list_running()
    return find(connection, next((pod.id for pod in pods if name in (pod.name, pod.id)), None))


def answer_pod_cells(kernel: Any) -> Callable[[], None]:
    """Make a kernel ask the pod about names in a ``%%pod`` cell; return a function that undoes this.

    IPython's completers cannot keep it from suggesting names of this kernel.
    """
    inspect_here, complete_here = kernel.do_inspect, kernel.do_complete

    def do_inspect(code: str, cursor_pos: int, *args: Any, **named: Any) -> Any:
        lines = code.split("\n")
        position = cursor_pos - len(lines[0]) - 1
        if not is_pod_cell(lines) or position < 0:
            return inspect_here(code, cursor_pos, *args, **named)
        content = {"code": "\n".join(lines[1:]), "cursor_pos": position, "detail_level": 0}
        answer = _ask_kernel(lines[0], "inspect_request", content)
        return {
            "status": "ok",
            "found": answer.get("found") is True,
            "data": _read_object(answer, "data"),
            "metadata": _read_object(answer, "metadata"),
        }

    def do_complete(code: str, cursor_pos: int) -> Any:
        lines, above = code.split("\n"), code[:cursor_pos].split("\n")
        if not is_pod_cell(lines) or len(above) == 1:
            return complete_here(code, cursor_pos)
        fragment, words = complete_code(lines, len(above) - 1, above[-1])
        return {
            "status": "ok",
            "matches": words,
            "cursor_start": cursor_pos - len(fragment),
            "cursor_end": cursor_pos,
            "metadata": {},
        }

    ours = {"do_inspect": do_inspect, "do_complete": do_complete}
    vars(kernel).update(ours)

    def restore() -> None:
        for name, function in ours.items():
            if vars(kernel).get(name) is function:
                del vars(kernel)[name]

    return restore

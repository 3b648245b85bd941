"""Finished progress bars of a pod's cell, as text that stays when no kernel draws the bars anymore."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from primepods_magic.api.text.sanitize import sanitize, shorten

__all__ = ["FinishedBars"]

_WIDGET = "application/vnd.jupyter.widget-view+json"
_BOXES = ("HBoxModel", "VBoxModel", "BoxModel")
_TEXTS = ("HTMLModel", "LabelModel")
_BARS = ("FloatProgressModel", "IntProgressModel")
_KNOWN = (*_BOXES, *_TEXTS, *_BARS)
# tqdm gives a bar one of these when it has ended, and only then.
_END_STYLES = ("success", "danger")
_COMM_KINDS = ("comm_open", "comm_msg", "comm_close")
_KEPT = ("_model_name", "children", "bar_style", "value", "max")
_TAG = re.compile(r"<[^<>]*>")
_MAX_WIDGETS = 5000
_MAX_ID_CHARS = 200
# Boxes may be in each other, so that what is in one has no end.
_MAX_VISITS = 200
_MAX_PARTS = 50
_BAR_CHARS = 10
_MAX_TEXT_CHARS = 200
_MAX_HTML_CHARS = 20_000


class FinishedBars:
    """The boxes of bars and text that a cell has displayed, such as those of `tqdm.notebook`."""

    def __init__(self) -> None:
        self._states: dict[str, dict[str, Any]] = {}
        self._views: dict[str, str] = {}
        self._closed: set[str] = set()

    def note(self, kind: str, content: dict[str, Any]) -> None:
        """Process a message; give the display of a widget an id by which it can be replaced."""
        if kind == "display_data":
            self._note_view(content)
        elif kind in _COMM_KINDS and len(content["comm_id"]) <= _MAX_ID_CHARS:
            data = content.get("data")
            # What is not a widget may send anything.
            self._note_comm(kind, content["comm_id"], data if isinstance(data, dict) else {})

    def _note_view(self, content: dict[str, Any]) -> None:
        view = content.get("data", {}).get(_WIDGET)
        model = view.get("model_id") if isinstance(view, dict) else None
        if isinstance(model, str) and model in self._states and len(self._views) < _MAX_WIDGETS:
            transient = content.setdefault("transient", {})
            self._views[str(transient.setdefault("display_id", f"bars-{model}"))] = model

    def _note_comm(self, kind: str, comm_id: str, data: Mapping[str, Any]) -> None:
        state = data.get("state")
        if kind == "comm_close":
            if self._states.pop(comm_id, None) and len(self._closed) < _MAX_WIDGETS:
                self._closed.add(comm_id)
        elif not isinstance(state, dict):
            return
        elif comm_id in self._states:
            self._states[comm_id].update(_pick_kept(state))
        elif len(self._states) < _MAX_WIDGETS and state.get("_model_name") in _KNOWN:
            self._states[comm_id] = _pick_kept(state)

    def describe(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield what replaces each display in which all bars have ended, and the display's id.

        It is nothing that can be seen where the bars were removed.
        """
        for display_id, model in self._views.items():
            if model in self._closed:
                yield display_id, {"text/plain": "", "text/html": "<span></span>"}
                continue
            parts = self._list_parts(model)
            bars = [part for part in parts if part.get("_model_name") in _BARS]
            if bars and all(bar.get("bar_style") in _END_STYLES for bar in bars):
                yield display_id, {"text/plain": "".join(map(_describe_part, parts)).rstrip()}

    def _list_parts(self, model: str) -> list[Mapping[str, Any]]:
        """Return the bars and texts in a box, in order; none if one is unknown, or if there are too many."""
        parts: list[Mapping[str, Any]] = []
        waiting = [model]
        for _ in range(_MAX_VISITS):
            if not waiting:
                return parts
            state = self._states.get(waiting.pop().removeprefix("IPY_MODEL_"))
            if state is None or len(parts) >= _MAX_PARTS:
                return []
            if state["_model_name"] not in _BOXES:
                parts.append(state)
            else:
                waiting += reversed(state.get("children", []))
        return []


def _pick_kept(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is used of a state, without texts that no bar has."""
    kept = {name: state[name] for name in _KEPT if name in state}
    if isinstance(kept.get("value"), str):
        kept["value"] = kept["value"][:_MAX_HTML_CHARS]
    if "children" in kept:
        children = kept["children"] if isinstance(kept["children"], list) else []
        kept["children"] = [str(child)[:_MAX_ID_CHARS] for child in children[:_MAX_VISITS]]
    return kept


def _describe_part(state: Mapping[str, Any]) -> str:
    value = state.get("value")
    if state["_model_name"] in _TEXTS:
        text = value if isinstance(value, str) else ""
        return sanitize(shorten(unescape(_TAG.sub("", text)), _MAX_TEXT_CHARS))
    try:
        done = float(state.get("value", 0)) / float(state.get("max", 100))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        done = 0.0
    count = round(_BAR_CHARS * done) if 0 <= done <= 1 else 0
    return f"|{'█' * count:<{_BAR_CHARS}}| "

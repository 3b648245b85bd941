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
_TAG = re.compile(r"<[^<>]*>")
_MAX_WIDGETS = 5000
_MAX_PARTS = 50
_BAR_CHARS = 10
_MAX_TEXT_CHARS = 200


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
        elif kind.startswith("comm_"):
            self._note_comm(kind, str(content.get("comm_id")), content.get("data", {}))

    def _note_view(self, content: dict[str, Any]) -> None:
        view = content.get("data", {}).get(_WIDGET)
        model = view.get("model_id") if isinstance(view, dict) else None
        if isinstance(model, str) and model in self._states:
            transient = content.setdefault("transient", {})
            self._views[str(transient.setdefault("display_id", f"bars-{model}"))] = model

    def _note_comm(self, kind: str, comm_id: str, data: Mapping[str, Any]) -> None:
        state = data.get("state")
        if kind == "comm_close":
            if self._states.pop(comm_id, None):
                self._closed.add(comm_id)
        elif not isinstance(state, dict):
            return
        elif comm_id in self._states:
            self._states[comm_id].update(state)
        elif len(self._states) < _MAX_WIDGETS and state.get("_model_name") in _KNOWN:
            self._states[comm_id] = dict(state)

    def describe(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield what replaces each display in which all bars have ended, and the display's id.

        It is nothing that can be seen where the bars were removed.
        """
        for display_id, model in self._views.items():
            if model in self._closed:
                yield display_id, {"text/plain": "", "text/html": "<span></span>"}
                continue
            parts = self._list_parts(model, 0)
            bars = [part for part in parts if part.get("_model_name") in _BARS]
            if bars and len(parts) <= _MAX_PARTS and all(bar.get("bar_style") in _END_STYLES for bar in bars):
                yield display_id, {"text/plain": "".join(map(_describe_part, parts)).rstrip()}

    def _list_parts(self, reference: object, depth: int) -> list[Mapping[str, Any]]:
        """Return the bars and texts in a box, in order; an unknown one counts as a bar that has not ended."""
        state = self._states.get(str(reference).removeprefix("IPY_MODEL_"))
        if state is None or depth > 3:
            return [{"_model_name": _BARS[0]}]
        if state["_model_name"] not in _BOXES:
            return [state]
        children = state.get("children")
        parts: list[Mapping[str, Any]] = []
        for child in children if isinstance(children, list) else []:
            if len(parts) <= _MAX_PARTS:
                parts += self._list_parts(child, depth + 1)
        return parts


def _describe_part(state: Mapping[str, Any]) -> str:
    if state["_model_name"] in _TEXTS:
        return sanitize(shorten(unescape(_TAG.sub("", str(state.get("value", "")))), _MAX_TEXT_CHARS))
    try:
        done = float(state.get("value", 0)) / float(state.get("max", 100))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        done = 0.0
    count = round(_BAR_CHARS * done) if 0 <= done <= 1 else 0
    return f"|{'█' * count:<{_BAR_CHARS}}| "

"""Buttons of a pod below its bar: its logs, and its termination, which asks first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from ipywidgets import HTML, Box, Button, Layout

from primepods_magic.api.errors import error_words
from primepods_magic.api.text.sanitize import brief, safe_html, sanitize, sanitize_lines
from primepods_magic.pods.logs import read_log_end
from primepods_magic.pods.support.background import run_in_background
from primepods_magic.pods.terminate import GONE, TerminationResult, terminate_pods

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["PodActions"]

T = TypeVar("T")
# Turned around, a box shows its end first, where the newest lines are.
_SCROLL = "display:flex;flex-direction:column-reverse;max-height:240px;overflow:auto;margin:4px 8px"
_PRE = (
    "margin:0;overflow:visible;font-size:12px;line-height:1.4;white-space:pre-wrap;"
    "font-family:var(--jp-code-font-family,monospace)"
)
_TEXT = "padding:0 8px;font-size:13px;line-height:26px"


class PodActions:
    """The buttons of one pod, and a widget beside them. A click returns at once; a thread does the work."""

    def __init__(self, connection: Connection, pod: PodDetails, beside: Any = None) -> None:
        self._connection, self._pod = connection, pod
        self._lock = threading.Lock()
        self._is_busy = self._has_logs = self._is_closed = False
        self._layouts: list[Any] = []
        name = brief(pod.name) or brief(pod.id)
        self._logs = self._make_button("Show logs", self._toggle_logs, f"Logs of {name}")
        self._ask = self._make_button("Terminate …", self._ask_first, f"Terminate {name}")
        self._keep = self._make_button("Keep it", self._keep_pod, f"Keep {name}")
        self._yes = self._make_button(
            "Terminate it", self._terminate_pod, f"Terminate {name}", style="danger"
        )
        self._question = self._make_html()
        self._below = self._make_html()
        row = Box(
            [self._logs, self._ask, self._question, self._keep, self._yes, *([beside] if beside else [])],
            layout=self._make_layout(
                display="flex", flex_flow="row wrap", align_items="center", padding="0 0 4px 8px"
            ),
        )
        self.box = Box([row, self._below], layout=self._make_layout(display="flex", flex_flow="column"))
        self._parts = [
            self._logs,
            self._ask,
            self._keep,
            self._yes,
            self._question,
            self._below,
            row,
            self.box,
        ]
        self._show_question(False)

    def close(self) -> None:
        """Close the widgets; work that is in progress shows nothing any more."""
        with self._lock:
            self._is_closed = True
        for part in self._parts:
            for widget in (part, getattr(part, "style", None)):
                if widget is not None:
                    widget.close()
        for layout in self._layouts:
            layout.close()

    def _toggle_logs(self) -> None:
        self._has_logs = not self._has_logs
        self._logs.description = "Hide logs" if self._has_logs else "Show logs"
        if not self._has_logs:
            self._below.value = ""
            return
        self._below.value = _render_text("Loading …")
        client, pod_id = self._connection.client, str(self._pod.id)
        self._run_in_background(lambda: read_log_end(client, pod_id), self._show_logs)

    def _show_logs(self, done: Future[str]) -> None:
        if not self._has_logs:
            return
        error = done.exception()
        if error is not None:
            self._below.value = _render_text(f"Could not read the logs: {sanitize(error_words(error))}")
            return
        lines = escape(sanitize_lines(done.result()))
        label = escape(f"Logs of {brief(self._pod.name)}")
        self._below.value = (
            f'<div tabindex="0" role="region" aria-label="{label}" style="{_SCROLL}">'
            f'<pre style="{_PRE}">{lines}</pre></div>'
        )

    def _ask_first(self) -> None:
        self._show_question(True)

    def _keep_pod(self) -> None:
        self._show_question(False)

    def _show_question(self, is_asking: bool) -> None:
        whose = "" if not is_asking or self._connection.may_be_mine(self._pod) else " It is not yours."
        text = f"Terminate {brief(self._pod.name)}?{whose} The data on it will be lost."
        self._question.value = _render_text(text) if is_asking else ""
        self._ask.layout.display = "none" if is_asking else None
        for button in (self._keep, self._yes):
            button.layout.display = None if is_asking else "none"

    def _terminate_pod(self) -> None:
        with self._lock:
            if self._is_busy:
                return
            self._is_busy = True
        self._show_question(False)
        self._ask.disabled, self._ask.description = True, "Terminating …"
        self._run_in_background(
            lambda: terminate_pods(self._connection, [self._pod])[0], self._show_termination
        )

    def _show_termination(self, done: Future[TerminationResult]) -> None:
        error = done.exception()
        with self._lock:
            self._is_busy = False
        if error is None and done.result().outcome == GONE:
            # The bar says the rest.
            self.box.layout.display = "none"
            return
        words = error_words(error) if error is not None else done.result().outcome
        self._below.value = _render_text(f"Not terminated: {sanitize(words)}")
        self._ask.disabled, self._ask.description = False, "Terminate …"

    def _run_in_background(self, work: Callable[[], T], then: Callable[[Future[T]], object]) -> None:
        def show(done: Future[T]) -> None:
            with self._lock:
                if self._is_closed:
                    return
            then(done)

        run_in_background(self._connection, work).add_done_callback(show)

    def _make_button(self, text: str, act: Callable[[], object], title: str, style: str = "") -> Any:
        layout = self._make_layout(width="auto", height="26px", margin="2px 6px 2px 0")
        button = Button(description=text, tooltip=title, button_style=style, layout=layout)
        button.on_click(lambda _: act())
        return button

    def _make_html(self) -> Any:
        return HTML(layout=self._make_layout(margin="0"))

    def _make_layout(self, **traits: str) -> Any:
        layout = Layout(**traits)
        self._layouts.append(layout)
        return layout


def _render_text(text: str) -> str:
    return f'<span role="status" style="{_TEXT}">{safe_html(text)}</span>'

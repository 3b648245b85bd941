"""The user's pods: rows as in `%pods watch`, each with its logs and actions."""

from __future__ import annotations

import uuid
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from ipywidgets import Box

from primepods_magic.api.text.sanitize import safe_html, sanitize_lines
from primepods_magic.notebook.launcher.state.formatting import format_termination, format_wallet
from primepods_magic.notebook.progress.html import (
    MOTION,
    announcement_html,
    elapsed_css,
    rest_html,
    trouble_html,
)
from primepods_magic.notebook.progress.row_selection import select_rows
from primepods_magic.notebook.progress.rows import Row, announcement, format_overflow, read_rows, trouble_text
from primepods_magic.notebook.progress.widget import WidgetLine
from primepods_magic.pods.terminate import GONE

from .static import paying_team
from .widgets import WidgetFactory, card_html, set_visible, update_traits

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.notebook.launcher.state.model import LauncherModel

__all__ = ["PodListView"]


class PodListView:
    """The section that lists the user's pods."""

    def __init__(self, widgets: WidgetFactory, model: LauncherModel) -> None:
        self._widgets = widgets
        self._model = model
        self._lines: dict[str, _PodView] = {}
        self._wallet = widgets.html()
        self._error = widgets.html()
        self._news = widgets.html()
        self._clocks = widgets.html("hidden")
        self._empty = widgets.html()
        self._list = widgets(Box, "column")
        self._rest = widgets.html()
        self._terminated = widgets.html()
        self.box = widgets(
            Box,
            "section",
            children=(
                widgets.html("hidden", value=MOTION),
                self._clocks,
                widgets.html(value="<h3>Your pods</h3>"),
                self._wallet,
                self._error,
                self._empty,
                self._list,
                self._rest,
                self._terminated,
                self._news,
            ),
        )

    def render(self) -> None:
        """Show the state of the model."""
        pod_list = self._model.pod_list
        snapshot = pod_list.snapshot
        wallet = pod_list.wallet(paying_team(self._model))
        text = f'<div class="primepods-hint">{safe_html(format_wallet(wallet))}</div>' if wallet else ""
        update_traits(self._wallet, value=text)
        update_traits(self._terminated, value=_format_terminated(self._model))
        if snapshot is None:
            update_traits(self._empty, value='<div class="primepods-hint">Loading your pods …</div>')
            return
        pods = pod_list.pods
        is_empty = not pods and snapshot.trouble is None
        update_traits(
            self._empty, value='<div class="primepods-hint">No running pods.</div>' if is_empty else ""
        )
        shown, rest = select_rows(pods, self._lines.keys())
        rows = read_rows(replace(snapshot, pods=tuple(shown)))
        ids = [pod.id or "" for pod in shown]
        for gone in self._lines.keys() - set(ids):
            self._lines.pop(gone).close()
        for pod, row in zip(shown, rows, strict=True):
            if pod.id and pod.id not in self._lines:
                self._lines[pod.id] = _PodView(self._widgets, self._model, pod.id)
            if pod.id:
                self._lines[pod.id].render(pod, row, ruled=pod is not shown[0])
        update_traits(
            self._clocks,
            value=elapsed_css({self._lines[key].name: row for key, row in zip(ids, rows, strict=True)}),
        )
        update_traits(self._rest, value=rest_html(format_overflow(rest)) if rest else "")
        trouble = trouble_text(snapshot)
        update_traits(self._error, value=trouble_html(trouble) if trouble else "")
        news = announcement(snapshot)
        if news:
            update_traits(self._news, value=announcement_html(news))
        children = tuple(self._lines[key].box for key in ids)
        if self._list.children != children:
            self._list.children = children


class _PodView:
    """The row of one pod."""

    def __init__(self, widgets: WidgetFactory, model: LauncherModel, pod_id: str) -> None:
        pod_list = model.pod_list
        self.name = f"primepods-{uuid.uuid4().hex}"
        self._widgets = widgets
        self._model = model
        self._id = pod_id
        self._html = widgets.html()
        self._line = WidgetLine(self._html, self.name)
        self._links = widgets.html("beside")
        self._logs = widgets.button("Show logs", lambda: model.do(pod_list.toggle_logs, pod_id))
        self._terminate = widgets.button(
            "Terminate …", lambda: model.do(pod_list.request_termination, pod_id)
        )
        self._question = widgets.html()
        self._yes = widgets.button("Terminate it", lambda: model.do(pod_list.terminate, pod_id), "danger")
        self._no = widgets.button("Cancel", lambda: model.do(pod_list.cancel_termination, pod_id))
        self._details = widgets.html("beside")
        buttons = (self._logs, self._terminate, self._question, self._no, self._yes)
        self._buttons = widgets(Box, "row", "middle", children=buttons)
        self.box = widgets(Box, "pod", children=(self._html, self._links, self._buttons, self._details))

    def render(self, pod: PodDetails, row: Row, *, ruled: bool) -> None:
        """Show the state of the pod."""
        pod_list = self._model.pod_list
        self._line.say(row, ruled=ruled)
        is_confirming = self._id in pod_list.confirming
        is_terminating = self._id in pod_list.terminating
        has_logs = self._id in pod_list.logs
        set_visible(self._buttons, pod.is_live or is_terminating)
        update_traits(self._links, value=_format_jupyter_hint(pod))
        caption = "Hide logs" if has_logs else "Show logs"
        update_traits(self._logs, description=caption, tooltip=f"{caption} of {row.name}")
        update_traits(
            self._terminate,
            disabled=is_terminating or not self._model.account.may_launch,
            description="Terminating …" if is_terminating else "Terminate …",
            tooltip=f"Terminate {row.name}",
        )
        set_visible(self._terminate, not is_confirming)
        for widget in (self._question, self._yes, self._no):
            set_visible(widget, is_confirming)
        is_mine = not is_confirming or self._model.connection.is_mine(pod)
        doubt = "" if is_mine else " (your key cannot show whether it is yours)"
        update_traits(
            self._question,
            value=f"Terminate {safe_html(row.name)}{doubt}? The data on it will be lost."
            if is_confirming
            else "",
        )
        update_traits(self._details, value=self._format_details(row))

    def _format_details(self, row: Row) -> str:
        pod_list = self._model.pod_list
        error = pod_list.errors.get(self._id, "")
        html = f'<div role="alert" class="primepods-problem">{safe_html(error)}</div>' if error else ""
        if self._id in pod_list.logs:
            lines = escape(sanitize_lines(pod_list.logs[self._id] or "Loading …"))
            label = escape(f"Logs of {row.name}")
            # The box is laid out from its end, so that it shows the newest line first.
            html += (
                f'<div class="primepods-logs" tabindex="0" role="region" aria-label="{label}">'
                f"<pre>{lines}</pre></div>"
            )
        return html

    def close(self) -> None:
        """Close the widgets of the row."""
        self._widgets.close(
            self._html, self._links, *self._buttons.children, self._buttons, self._details, self.box
        )


def _format_jupyter_hint(pod: PodDetails) -> str:
    if not pod.is_ready or not pod.jupyter_url:
        return ""
    return '<span class="primepods-hint">Log in to Jupyter with the Jupyter password.</span>'


def _format_terminated(model: LauncherModel) -> str:
    cards = []
    for result in model.pod_list.terminated:
        kind, role = ("good", "status") if result.outcome == GONE else ("warn", "alert")
        cards.append(card_html(safe_html(format_termination(result)), kind, role=role))
    return "".join(cards)

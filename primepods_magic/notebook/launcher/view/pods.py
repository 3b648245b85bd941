"""My pods: rows as `%pods watch` has them, and under each what can be done with it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from ipywidgets import Box

from primepods_magic.api.text.sanitize import safe_html, sanitize, sanitize_lines
from primepods_magic.notebook.launcher.state.formatting import removal_words, wallet_words
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
    """The part of the launcher that lists pods.

    Parameters
    ----------
    kit : Kit
        Makes the widgets.
    model : LauncherModel
        Is told what somebody does, and says what to show.
    """

    def __init__(self, kit: WidgetFactory, model: LauncherModel) -> None:
        self._kit = kit
        self._model = model
        self._lines: dict[str, _PodView] = {}
        self._wallet = kit.html()
        self._trouble = kit.html()
        self._news = kit.html()
        self._clocks = kit.html("hidden")
        self._nothing = kit.html()
        self._list = kit(Box, "column")
        self._rest = kit.html()
        self._ended = kit.html()
        self.box = kit(
            Box,
            "section",
            children=(
                kit.html("hidden", value=MOTION),
                self._clocks,
                kit.html(value="<h3>Your pods</h3>"),
                self._wallet,
                self._trouble,
                self._nothing,
                self._list,
                self._rest,
                self._ended,
                self._news,
            ),
        )

    def render(self) -> None:
        """Show what the model says."""
        fleet = self._model.fleet
        snapshot = fleet.snapshot
        wallet = fleet.wallet(paying_team(self._model))
        words = safe_html(wallet_words(wallet)) if wallet else ""
        update_traits(self._wallet, value=f'<div class="primepods-hint">{words}</div>' if words else "")
        update_traits(self._ended, value=_ended_html(self._model))
        if snapshot is None:
            update_traits(self._nothing, value='<div class="primepods-hint">Looking for your pods …</div>')
            return
        pods = fleet.pods
        is_none = not pods and snapshot.trouble is None
        update_traits(
            self._nothing, value='<div class="primepods-hint">None is live.</div>' if is_none else ""
        )
        shown, rest = select_rows(pods, self._lines.keys())
        rows = read_rows(replace(snapshot, pods=tuple(shown)))
        ids = [pod.id or "" for pod in shown]
        for gone in self._lines.keys() - set(ids):
            self._lines.pop(gone).close()
        for pod, row in zip(shown, rows, strict=True):
            if pod.id and pod.id not in self._lines:
                self._lines[pod.id] = _PodView(self._kit, self._model, pod.id)
            if pod.id:
                self._lines[pod.id].render(pod, row, ruled=pod is not shown[0])
        update_traits(
            self._clocks,
            value=elapsed_css({self._lines[key].name: row for key, row in zip(ids, rows, strict=True)}),
        )
        update_traits(self._rest, value=rest_html(format_overflow(rest)) if rest else "")
        trouble = trouble_text(snapshot)
        update_traits(self._trouble, value=trouble_html(trouble) if trouble else "")
        news = announcement(snapshot)
        if news:
            update_traits(self._news, value=announcement_html(news))
        children = tuple(self._lines[key].box for key in ids)
        if self._list.children != children:
            self._list.children = children


class _PodView:
    """One pod."""

    def __init__(self, kit: WidgetFactory, model: LauncherModel, pod_id: str) -> None:
        fleet = model.fleet
        self.name = f"primepods-{uuid.uuid4().hex}"
        self._kit = kit
        self._model = model
        self._id = pod_id
        self._html = kit.html()
        self._line = WidgetLine(self._html, self.name)
        self._links = kit.html("beside")
        self._logs = kit.button("Logs", lambda: model.do(fleet.show_logs, pod_id))
        self._end = kit.button("Terminate …", lambda: model.do(fleet.ask, pod_id))
        self._question = kit.html()
        self._yes = kit.button("Terminate it", lambda: model.do(fleet.end, pod_id), "danger")
        self._no = kit.button("Keep it", lambda: model.do(fleet.keep, pod_id))
        self._said = kit.html("beside")
        buttons = (self._logs, self._end, self._question, self._no, self._yes)
        self._buttons = kit(Box, "row", "middle", children=buttons)
        self.box = kit(Box, "pod", children=(self._html, self._links, self._buttons, self._said))

    def render(self, pod: PodDetails, row: Row, *, ruled: bool) -> None:
        """Show what the model says of the pod."""
        fleet = self._model.fleet
        self._line.say(row, ruled=ruled)
        is_asking, is_ending = self._id in fleet.asking, self._id in fleet.ending
        is_shown = self._id in fleet.logs
        set_visible(self._buttons, pod.is_live or is_ending)
        update_traits(self._links, value=_jupyter_html(pod))
        update_traits(
            self._logs, description="Hide logs" if is_shown else "Logs", tooltip=f"The logs of {row.name}"
        )
        update_traits(
            self._end,
            disabled=is_ending or not self._model.account.may_launch,
            description="Terminating …" if is_ending else "Terminate …",
            tooltip=f"End {row.name}",
        )
        set_visible(self._end, not is_asking)
        for widget in (self._question, self._yes, self._no):
            set_visible(widget, is_asking)
        is_mine = not is_asking or self._model.connection.is_mine(pod)
        whose = "" if is_mine else " (your key may not say whether it is yours)"
        update_traits(
            self._question,
            value=f"End {safe_html(row.name)}{whose} and lose what is on it?" if is_asking else "",
        )
        update_traits(self._said, value=self._said_html(row))

    def _said_html(self, row: Row) -> str:
        fleet = self._model.fleet
        refusal = fleet.refusals.get(self._id, "")
        said = f'<div role="alert" class="primepods-problem">{safe_html(refusal)}</div>' if refusal else ""
        if self._id in fleet.logs:
            lines = escape(sanitize_lines(fleet.logs[self._id] or "reading …"))
            label = escape(f"Logs of {row.name}")
            said += f'<pre tabindex="0" role="region" aria-label="{label}">{lines}</pre>'
        return said

    def close(self) -> None:
        """Close its widgets."""
        self._kit.close(self._html, self._links, *self._buttons.children, self._buttons, self._said, self.box)


def _jupyter_html(pod: PodDetails) -> str:
    url = pod.jupyter_url if pod.is_ready else None
    if not url:
        return ""
    name = safe_html(sanitize(pod.name) or pod.id)
    return (
        f'<a href="{escape(sanitize(url))}" target="_blank" rel="noopener noreferrer">'
        f"Open Jupyter on {name}</a> "
        '<span class="primepods-hint">with the Jupyter password</span>'
    )


def _ended_html(model: LauncherModel) -> str:
    cards = []
    for removal in model.fleet.ended:
        kind, role = ("good", "status") if removal.outcome == GONE else ("warn", "alert")
        cards.append(card_html(safe_html(removal_words(removal)), kind, role=role))
    return "".join(cards)

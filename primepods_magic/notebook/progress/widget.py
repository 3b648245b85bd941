"""Progress as a widget, which a final update replaces with HTML and text."""

from __future__ import annotations

import contextvars
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Button, Layout, VBox

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.text.instants import format_clock
from primepods_magic.api.text.sanitize import brief, join_first
from primepods_magic.notebook.display.links import Origin, origin_of

from .html import (
    MOTION,
    announcement_html,
    elapsed_css,
    footer_html,
    live_style,
    rest_html,
    row_html,
    static_html,
    static_text,
    totals_html,
    trouble_html,
)
from .notifier import ASK_HTML, describe_news, news_html
from .pod_actions import PodActions
from .row_selection import select_rows
from .rows import Row, Totals, announcement, format_overflow, format_totals, read_rows, trouble_text

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.pods.watching.snapshot import Snapshot

__all__ = ["WidgetLine", "WidgetView"]

_WIDGET = "application/vnd.jupyter.widget-view+json"
# More rows have no buttons of their own: every button is three widgets.
_MAX_WITH_BUTTONS = 4
_PERCENT_STEP = 10
_MAX_NAMES = 3


class WidgetView:
    """A box with one HTML widget per row, and next to it the last state as HTML for readers without a kernel.

    An update sends the rows that changed, and one message for what changes with time in all of them. It may
    come from any thread, even if no cell is running. While the widget lives, its style hides the HTML, which
    is updated with every change of state. ``on_stop`` is called when the user stops watching.
    """

    def __init__(
        self,
        shell: Any,
        on_stop: Callable[[], object] | None = None,
        connection: Connection | None = None,
        *,
        notifies: bool = False,
    ) -> None:
        # A publisher that captures a later cell must not receive our updates, and the context ties updates
        # from threads to the cell of the display.
        self._publisher = shell.display_pub
        self._context = contextvars.copy_context()
        self._name = f"primepods-{uuid.uuid4().hex}"
        self._on_stop = on_stop
        self._notifies = notifies
        self._connection = connection
        self._origin = origin_of(connection) if connection else None
        self._box: _Box | None = None
        self._shown: Snapshot | None = None
        self._static_states: Any = None
        self._finished = False

    def show(self, snapshot: Snapshot) -> None:
        """Update the rows; the first call displays them."""
        if self._finished:
            return
        self._shown = snapshot
        if self._box is not None:
            self._box.update(snapshot)
            self._update_static(snapshot, update=True)
            return
        self._box = _Box(self._name, self._on_stop, self._connection, self._origin, notifies=self._notifies)
        self._box.update(snapshot)
        view = {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}
        self._publish_data({_WIDGET: view, "text/plain": ""}, "view", update=False)
        self._update_static(snapshot, update=False)

    def finish(self, snapshot: Snapshot) -> None:
        """Replace the widget with HTML and text.

        A reloaded page no longer knows the displays by their ids: there the widget stays until `close`, and
        shows the same.
        """
        if self._finished:
            return
        self._finished = True
        if snapshot is self._shown:
            # Its changes have been announced.
            snapshot = replace(snapshot, changes=())
        try:
            is_open = self._box is not None
            # A notification needs the widget, which then shows the same as the HTML.
            if is_open and not self._notifies:
                self._publish_data({"text/plain": ""}, "view", update=True)
            self._publish_data(self._render_static(snapshot), "static", update=is_open)
        finally:
            if self._box is not None:
                html = static_html(snapshot, self._origin, _describe_lost(snapshot, self._origin))
                self._box.settle(html, describe_news(snapshot))

    def close(self) -> None:
        """Close the widget."""
        self._finished = True
        box, self._box = self._box, None
        if box is not None:
            box.close()

    def _update_static(self, snapshot: Snapshot, *, update: bool) -> None:
        """Update the HTML if more than time has passed."""
        states = (
            snapshot.trouble,
            [
                (row.name, row.kind, row.state if row.percent is None else row.percent // _PERCENT_STEP)
                for row in read_rows(snapshot)
            ],
        )
        if states != self._static_states:
            self._static_states = states
            # The widget announces the changes.
            silent = replace(snapshot, changes=())
            self._publish_data(self._render_static(silent), "static", update=update)

    def _render_static(self, snapshot: Snapshot) -> dict[str, str]:
        note = _describe_lost(snapshot, self._origin)
        html = static_html(snapshot, self._origin, note)
        return {
            "text/html": f'<div class="primepods-kept-bars {self._name}-kept">{_WITHOUT_WIDGET}{html}</div>',
            "text/plain": static_text(snapshot, self._origin, note),
        }

    def _publish_data(self, data: dict[str, Any], part: str, *, update: bool) -> None:
        transient = {"display_id": f"{self._name}-{part}"}
        self._context.run(self._publisher.publish, data, {}, transient=transient, update=update)


# A widget without its kernel is an error message in a page that was loaded since: the HTML is next to it.
_WITHOUT_WIDGET = (
    "<style>.jp-OutputArea:has(.primepods-kept-bars):not(:has(.primepods-bars)) .jupyter-widgets"
    "{display:none}</style>"
)


def _describe_lost(snapshot: Snapshot, origin: Origin | None) -> str:
    """Describe for readers without a kernel that pods keep running, and how to see them."""
    live = [pod for pod in snapshot.pods if pod.is_live]
    if not live:
        return ""
    names = join_first([brief(pod.name) or brief(pod.id) for pod in live], _MAX_NAMES)
    is_one = len(live) == 1
    running = (
        f"At {format_clock(snapshot.as_of)}, {'pod' if is_one else 'pods'} {names} "
        f"{'was' if is_one else 'were'} still running"
    )
    if origin is not None and origin.is_sandbox:
        return f"{running} in the sandbox, where nothing is billed."
    return (
        f"{running}, and {'is' if is_one else 'are'} billed until terminated. Run %load_ext "
        f"primepods_magic to see {'it' if is_one else 'them'}."
    )


class _Box:
    """The widgets of a display, with a button if ``on_stop`` is given."""

    def __init__(
        self,
        name: str,
        on_stop: Callable[[], object] | None,
        connection: Connection | None,
        origin: Origin | None,
        *,
        notifies: bool,
    ) -> None:
        self._name = name
        self._connection, self._origin = connection, origin
        self._layout = Layout(margin="0", width="auto")
        self._motion = HTML(MOTION + live_style(name), layout=Layout(display="none"))
        self._style = self._motion.style
        self._clocks = HTML(layout=self._motion.layout, style=self._style)
        self._announced = self._make_html()
        self._totals = self._make_html()
        self._error = self._make_html()
        self._rest = self._make_html()
        self._footer = self._make_html()
        self._footer.value = footer_html(origin) if origin else ""
        self._notice = self._make_html() if notifies else None
        if self._notice is not None:
            self._notice.value = ASK_HTML
        self._rows: dict[str, WidgetLine] = {}
        self._actions: dict[str, PodActions] = {}
        self._names = 0
        self._added_up: tuple[Totals, int] | None = None
        # The same padding as of HTML outputs in JupyterLab, so that nothing moves when HTML replaces the box.
        room = Layout(width="100%", overflow="hidden", padding="0 20px 0 0")
        self._box = VBox([self._motion], layout=room, _dom_classes=("primepods-bars", f"{name}-bars"))
        self._stop = _make_stop_button(on_stop) if on_stop else None

    @property
    def model_id(self) -> str:
        """The id by which a front end finds the box."""
        return str(self._box.model_id)

    def update(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        shown, rest = select_rows(snapshot.pods, self._rows.keys())
        rows = read_rows(replace(snapshot, pods=tuple(shown)))
        several = len(snapshot.pods) > 1
        # A pod without an id is known by its index.
        keys = [pod.id or f"#{index}" for index, pod in enumerate(shown)]
        for gone in self._rows.keys() - set(keys):
            self._rows.pop(gone).widget.close()
        for key, row in zip(keys, rows, strict=True):
            if key not in self._rows:
                self._names += 1
                self._rows[key] = WidgetLine(self._make_html(), f"{self._name}-{self._names}")
            self._rows[key].say(row, ruled=several)
        self._update_actions(shown)
        clocks = {line.name: line.row for line in self._rows.values() if line.row is not None}
        _set_value(self._clocks, elapsed_css(clocks))
        if several:
            self._update_totals(format_totals(snapshot.pods), rows[0].width)
        _set_value(self._rest, rest_html(format_overflow(rest)) if rest else "")
        error = trouble_text(snapshot)
        _set_value(self._error, trouble_html(error) if error else "")
        news = announcement(snapshot)
        if news:
            _set_value(self._announced, announcement_html(news))
        self._notify_person(describe_news(snapshot))
        self._arrange_children(
            [
                (self._motion, True),
                (self._clocks, True),
                (self._announced, True),
                *([(self._notice, True)] if self._notice else []),
                (self._error, bool(error)),
                (self._totals, several),
                *(part for key in keys for part in self._list_parts(key)),
                (self._rest, bool(rest)),
                (self._footer, self._origin is not None and not (self._actions and not several)),
                *([(self._stop, True)] if self._stop else []),
            ]
        )

    def settle(self, html: str, news: str) -> None:
        """Show the last state as one widget, and close all others."""
        last = self._make_html()
        last.value = live_style(self._name) + html
        self._notify_person(news)
        parts = [part for part in self._box.children if part is not self._notice]
        self._box.children = (last, self._notice) if self._notice else (last,)
        self._close_actions()
        for widget in {*parts, self._error, self._totals, self._rest, self._footer, self._motion.layout}:
            widget.close()
        self._rows.clear()
        if self._stop is not None:
            _close_button(self._stop)
            self._stop = None

    def close(self) -> None:
        """Close every widget, including their layouts and styles."""
        self._close_actions()
        parts = {*self._box.children, self._motion, self._clocks, self._announced, self._totals}
        parts |= {self._error, self._rest, self._footer, *(line.widget for line in self._rows.values())}
        parts |= {self._notice} if self._notice else set()
        if self._stop is not None:
            _close_button(self._stop)
            parts.discard(self._stop)
        for widget in (*parts, self._motion.layout, self._box, self._box.layout, self._layout, self._style):
            widget.close()

    def _notify_person(self, news: str) -> None:
        if news and self._notice is not None:
            self._notice.value = news_html(news)

    def _list_parts(self, key: str) -> list[tuple[Any, bool]]:
        actions = self._actions.get(key)
        return [(self._rows[key].widget, True), *([(actions.box, True)] if actions else [])]

    def _update_actions(self, shown: Sequence[PodDetails]) -> None:
        """Give each of a few pods its buttons; one that has ended has none."""
        if self._connection is None:
            return
        few = shown if len(shown) <= _MAX_WITH_BUTTONS else ()
        live = {pod.id: pod for pod in few if pod.id and pod.status != PodStatus.TERMINATED}
        for gone in self._actions.keys() - live.keys():
            self._actions.pop(gone).close()
        for pod_id in live.keys() - self._actions.keys():
            # A single pod's footer is on the line of its buttons.
            beside = self._footer if len(shown) == 1 else None
            self._actions[pod_id] = PodActions(self._connection, live[pod_id], beside)

    def _close_actions(self) -> None:
        while self._actions:
            self._actions.popitem()[1].close()

    def _arrange_children(self, parts: list[tuple[Any, bool]]) -> None:
        children = tuple(part for part, is_shown in parts if is_shown)
        if self._box.children != children:
            self._box.children = children

    def _update_totals(self, totals: Totals, width: int) -> None:
        before = self._added_up
        if (totals, width) != before:
            reached = before[0].percent if before else None
            self._totals.value = totals_html(totals, before=reached, width=width)
            self._added_up = totals, width

    def _make_html(self) -> HTML:
        return HTML(layout=self._layout, style=self._style)


class WidgetLine:
    """The widget of one pod, and its row; the name is unique on the page."""

    def __init__(self, widget: HTML, name: str) -> None:
        self.widget = widget
        self.name = name
        self.row: Row | None = None
        self._ruled = False

    def say(self, row: Row, *, ruled: bool) -> None:
        """Show a row; `elapsed_css` shows what changes with time."""
        # Compare rows, not their HTML, which also holds the start of the bar and so differs each time.
        before, was_ruled = self.row, self._ruled
        self.row, self._ruled = row, ruled
        if before is not None:
            timeless = replace(row, elapsed=before.elapsed, left=before.left, cost=before.cost)
            if timeless == before and ruled == was_ruled:
                return
        start = before.percent if before is not None else None
        self.widget.value = row_html(row, before=start, ruled=ruled, clock=self.name)


def _set_value(widget: HTML, value: str) -> None:
    # Traits compare as well, but only after calling every observer.
    if widget.value != value:
        widget.value = value


def _make_stop_button(on_stop: Callable[[], object]) -> Button:
    button = Button(
        description="Stop watching",
        tooltip="The pods keep running and are still billed",
        layout=Layout(width="auto", height="26px", margin="4px 0 4px 8px", align_self="flex-start"),
    )

    def stop(_: Button) -> None:
        button.disabled = True
        on_stop()

    button.on_click(stop)
    return button


def _close_button(button: Button) -> None:
    for widget in (button, button.layout, button.style):
        widget.close()

"""Progress as a widget, under a display id, which a last update replaces by HTML and text."""

from __future__ import annotations

import contextvars
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, Layout, VBox

from .markup import MOTION, row_html, static_html, static_text, totals_html, trouble_html
from .rows import Row, Totals, read_rows, read_totals, trouble_text

if TYPE_CHECKING:
    from primepods_magic.pods.snapshot import Snapshot

__all__ = ["WidgetView"]

_WIDGET = "application/vnd.jupyter.widget-view+json"


class WidgetView:
    """A box with one HTML widget per pod; an update sends the rows that changed, and nothing else.

    Trait updates and display updates may be sent from any thread, also when no cell runs.

    Parameters
    ----------
    shell : InteractiveShell
        The shell of the cell that opens the view.
    """

    def __init__(self, shell: Any) -> None:
        # Whatever replaces the publisher while a cell is being captured must not get our later updates, and
        # the context knows which cell the display belongs to when a thread comes first.
        self._publisher = shell.display_pub
        self._context = contextvars.copy_context()
        self._display_id = f"primepods-{uuid.uuid4().hex}"
        self._box: _Box | None = None
        self._finished = False

    def show(self, snapshot: Snapshot) -> None:
        """Bring the rows up to date; the first call displays them.

        Parameters
        ----------
        snapshot : Snapshot
            What is known now.
        """
        if self._finished:
            return
        if self._box is not None:
            self._box.update(snapshot)
            return
        self._box = _Box()
        self._box.update(snapshot)
        view = {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}
        self._publish({_WIDGET: view, **_static(snapshot)}, update=False)

    def finish(self, snapshot: Snapshot) -> None:
        """Put HTML and text in the place of the widget, and close it.

        Parameters
        ----------
        snapshot : Snapshot
            What was known last.
        """
        if self._finished:
            return
        self._finished = True
        box, self._box = self._box, None
        try:
            self._publish(_static(snapshot), update=box is not None)
        finally:
            if box is not None:
                box.close()

    def _publish(self, data: dict[str, Any], *, update: bool) -> None:
        where = {"display_id": self._display_id}
        self._context.run(self._publisher.publish, data, {}, transient=where, update=update)


def _static(snapshot: Snapshot) -> dict[str, str]:
    return {"text/html": static_html(snapshot), "text/plain": static_text(snapshot)}


class _Box:
    """The widgets, and what they say at present."""

    def __init__(self) -> None:
        self._layout = Layout(margin="0", width="auto")
        self._motion = HTML(MOTION, layout=Layout(display="none"))
        self._style = self._motion.style
        self._totals = self._html()
        self._trouble = self._html()
        self._rows: list[HTML] = []
        self._said: list[tuple[Row, bool]] = []
        self._added_up: Totals | None = None
        # JupyterLab leaves as much free beside HTML outputs, so nothing moves when HTML takes the place.
        room = Layout(width="100%", overflow="hidden", padding="0 20px 0 0")
        self._box = VBox([self._motion], layout=room)

    @property
    def model_id(self) -> str:
        """What a front end finds the box by."""
        return str(self._box.model_id)

    def update(self, snapshot: Snapshot) -> None:
        """Say what a snapshot says."""
        rows = read_rows(snapshot)
        several = len(rows) > 1
        while len(self._rows) < len(rows):
            self._rows.append(self._html())
        for index, row in enumerate(rows):
            self._say(index, row, ruled=several)
        if several:
            self._add_up(read_totals(rows))
        trouble = trouble_text(snapshot)
        self._trouble.value = trouble_html(trouble) if trouble else ""
        above = [self._motion, *([self._trouble] if trouble else []), *([self._totals] if several else [])]
        children = (*above, *self._rows[: len(rows)])
        if self._box.children != children:
            self._box.children = children

    def _say(self, index: int, row: Row, *, ruled: bool) -> None:
        # Rows are compared, not their HTML: that also says from where a bar glides, and differs each time.
        if index == len(self._said):
            self._rows[index].value = row_html(row, ruled=ruled)
            self._said.append((row, ruled))
            return
        before, _ = self._said[index]
        if row.is_settled and replace(row, elapsed=before.elapsed) == before:
            # A clock that goes on ticking would replace the command while somebody selects it.
            row = before
        if self._said[index] != (row, ruled):
            self._rows[index].value = row_html(row, before=before.percent, ruled=ruled)
            self._said[index] = (row, ruled)

    def _add_up(self, totals: Totals) -> None:
        before = self._added_up
        if totals != before:
            self._totals.value = totals_html(totals, before=before.percent if before else None)
            self._added_up = totals

    def _html(self) -> HTML:
        return HTML(layout=self._layout, style=self._style)

    def close(self) -> None:
        """Close every widget, those included that came with others."""
        boxes = [self._box, self._motion, self._totals, self._trouble, *self._rows]
        for widget in (*boxes, self._motion.layout, self._box.layout, self._layout, self._style):
            widget.close()

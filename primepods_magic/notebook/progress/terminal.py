"""Progress bars in a terminal, while a cell waits."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from primepods_magic.api.text.stream_output import is_terminal
from primepods_magic.notebook.display.links import origin_of
from primepods_magic.notebook.shell.output import open_console

from .notifier import describe_news
from .row_selection import select_rows
from .rows import PodPhase, Row, format_overflow, format_totals, read_rows, trouble_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.pods.watching.snapshot import Snapshot

__all__ = ["TerminalView"]

_COLUMNS = ("name", "gpu", "words", "left", "price", "cost", "elapsed")
# Columns to leave out, in this order, if a line is too long.
_OPTIONAL_COLUMNS = ("left", "gpu", "cost", "elapsed", "price")
_MAX_NAME_WIDTH = 24
_MAX_LINE_WIDTH = 120
_MIN_BAR_WIDTH = 10
_GAP = 2
# For the prompt, totals, overflow and lines below rows: more would scroll and could not be redrawn.
_RESERVED_LINES = 8
_MIN_ROWS = 3

_MARK_STYLES = {"SANDBOX": "bright_black", "LIVE": "bold yellow"}
_COLORS = {
    PodPhase.WAITING: "bright_black",
    PodPhase.INSTALLING: "blue",
    PodPhase.READY: "green",
    PodPhase.FAILED: "red",
    PodPhase.GONE: "bright_black",
    PodPhase.UNKNOWN: "yellow",
}


class TerminalView:
    """Rows with bars that are redrawn in place; the last ones stay in the scrollback.

    They are on stdout, or on ``stream``. With ``notifies``, the bell rings for what is ready, failed or gone.
    The bars stop when the waiting cell ends: after that, the prompt owns the screen.
    """

    def __init__(
        self,
        shell: Any,
        connection: Connection | None = None,
        *,
        stream: Any = None,
        notifies: bool = False,
    ) -> None:
        self._shell = shell
        self._notifies = notifies
        self._origin = origin_of(connection) if connection else None
        self._console = open_console(stream)
        # Other threads' lines for a file must not appear here.
        self._takes_stdout = stream is None or is_terminal(sys.stdout)
        self._live: Live | None = None
        self._shown: set[str | None] = set()
        self._finished = False

    def show(self, snapshot: Snapshot) -> None:
        """Redraw the rows; the first call, from the main thread, starts the display."""
        if self._finished:
            return
        drawing = self._draw_rows(snapshot)
        if self._live is not None:
            self._live.update(drawing, refresh=True)
        elif threading.current_thread() is threading.main_thread():
            # Redrawn on each snapshot, without a thread that Ctrl-C could leave behind.
            self._live = Live(
                drawing, console=self._console, auto_refresh=False, redirect_stdout=self._takes_stdout
            )
            if self._shell is not None:
                self._shell.events.register("post_execute", self._stop_live)
            self._live.start(refresh=True)
        if self._notifies and describe_news(snapshot):
            self._console.bell()

    def finish(self, snapshot: Snapshot) -> None:
        """Draw the rows a last time and release the screen."""
        try:
            self.show(snapshot)
        finally:
            if self._live is not None:
                self._stop_live()

    def close(self) -> None:
        """Do nothing: the scrollback keeps the rows."""

    def _stop_live(self) -> None:
        if self._finished:
            return
        self._finished = True
        if self._live is not None:
            self._live.stop()
            if self._shell is not None:
                self._shell.events.unregister("post_execute", self._stop_live)

    def _draw_rows(self, snapshot: Snapshot) -> RenderableType:
        limit = max(self._console.size.height - _RESERVED_LINES, _MIN_ROWS)
        pods, rest = select_rows(snapshot.pods, self._shown, limit=limit)
        self._shown = {pod.id for pod in pods}
        lines = [_TerminalLine.from_row(row) for row in read_rows(replace(snapshot, pods=tuple(pods)))]
        if len(snapshot.pods) > 1:
            totals = format_totals(snapshot.pods)
            color = _COLORS[totals.kind]
            states = Text(totals.states)
            lines.insert(0, _TerminalLine(totals.title, states, totals.percent, color, price=totals.price))
        parts: list[RenderableType] = []
        error = trouble_text(snapshot)
        if error:
            parts.append(Text(error, style="yellow"))
        parts += [_AlignedLine(line, lines) for line in lines]
        if rest:
            parts.append(Text(format_overflow(rest), style="bright_black"))
        if self._origin:
            parts.append(Text(self._origin.mark, style=_MARK_STYLES[self._origin.mark]))
        return Group(*parts)


@dataclass(frozen=True)
class _TerminalLine:
    """The cells of a line, and the lines below it."""

    name: str
    words: Text
    percent: int | None
    color: str
    gpu: str = ""
    left: str = ""
    price: str = ""
    cost: str = ""
    elapsed: str = ""
    below: tuple[Text, ...] = ()

    @classmethod
    def from_row(cls, row: Row) -> _TerminalLine:
        color = _COLORS[row.kind]
        words = Text.assemble((row.state, f"bold {color}"), "  ", row.detail)
        below = (*map(Text, row.commands), *([Text(row.reason, style="red")] if row.reason else []))
        return cls(
            name=row.name,
            words=words,
            percent=row.percent,
            color=color,
            gpu=row.gpu,
            left=row.left,
            price=row.price,
            cost=row.cost,
            elapsed=row.elapsed,
            below=below,
        )

    def width(self, column: str) -> int:
        cell = getattr(self, column)
        return cell.cell_len if isinstance(cell, Text) else cell_len(cell)


class _AlignedLine:
    """A line aligned with the lines around it; columns that do not fit are left out."""

    def __init__(self, line: _TerminalLine, lines: list[_TerminalLine]) -> None:
        self._line = line
        widest = {column: max(other.width(column) for other in lines) for column in _COLUMNS}
        self._widths = {column: width for column, width in widest.items() if width}
        self._widths["name"] = min(widest["name"], _MAX_NAME_WIDTH)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line, widths = self._line, dict(self._widths)
        whole = min(options.max_width, _MAX_LINE_WIDTH)
        for column in _OPTIONAL_COLUMNS:
            if sum(widths.values()) + _GAP * len(widths) + _MIN_BAR_WIDTH > whole:
                widths.pop(column, None)
        cells: dict[str, RenderableType] = {
            "name": Text(line.name, style="bold"),
            "gpu": Text(line.gpu, style="bright_black"),
            "bar": _draw_bar(line),
            "words": line.words,
            "left": Text(line.left, style="bright_black"),
            "price": Text(line.price),
            "cost": Text(line.cost, style="bright_black"),
            "elapsed": Text(line.elapsed, style="bright_black"),
        }
        table = Table.grid(padding=(0, _GAP, 0, 0))
        table.width = whole
        for column in cells:
            if column == "bar":
                table.add_column(ratio=1, min_width=_MIN_BAR_WIDTH, vertical="middle")
            elif column in widths:
                right = column in ("price", "cost", "elapsed")
                table.add_column(
                    width=widths[column],
                    justify="right" if right else "left",
                    no_wrap=True,
                    overflow="ellipsis",
                )
        table.add_row(*(cell for column, cell in cells.items() if column == "bar" or column in widths))
        yield table
        for text in line.below:
            yield Padding(text, (0, 0, 0, 2))


def _draw_bar(line: _TerminalLine) -> RenderableType:
    # A bar without a percentage stays empty; the words beside it say what is known.
    reached = line.percent or 0
    return ProgressBar(total=100, completed=reached, complete_style=line.color, finished_style=line.color)

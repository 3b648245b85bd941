"""Progress as bars in a terminal, while a cell waits."""

from __future__ import annotations

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

from primepods_magic.notebook.shell.output import open_console

from .row_selection import select_rows
from .rows import PodPhase, Row, format_overflow, format_totals, read_rows, trouble_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from primepods_magic.pods.watching.snapshot import Snapshot

__all__ = ["TerminalView"]

_COLUMNS = ("name", "gpu", "words", "left", "price", "cost", "elapsed")
# What is left out first where a line is too long.
_SPARE = ("left", "gpu", "cost", "elapsed", "price")
_NAME_AT_MOST = 24
_LINE_AT_MOST = 120
_BAR_AT_LEAST = 10
_GAP = 2
# The prompt, the totals, the rest, and what stands below rows: more would scroll, and could not be redrawn.
_LINES_KEPT_FREE = 8
_ROWS_AT_LEAST = 3

_COLOURS = {
    PodPhase.WAITING: "bright_black",
    PodPhase.INSTALLING: "blue",
    PodPhase.READY: "green",
    PodPhase.FAILED: "red",
    PodPhase.GONE: "bright_black",
    PodPhase.UNKNOWN: "yellow",
}


class TerminalView:
    """Rows with bars that are redrawn in place; the last ones stay in the scrollback.

    The bars live no longer than the cell that waits: afterwards the prompt has the screen, and nothing
    more is drawn.

    Parameters
    ----------
    shell : InteractiveShell or None
        The shell of the cell that opens the view.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._console = open_console()
        self._live: Live | None = None
        self._shown: set[str | None] = set()
        self._finished = False

    def show(self, snapshot: Snapshot) -> None:
        """Redraw the rows; the first call, which must come from the main thread, starts the display.

        Parameters
        ----------
        snapshot : Snapshot
            What is known now.
        """
        if self._finished:
            return
        drawn = self._drawn(snapshot)
        if self._live is not None:
            self._live.update(drawn, refresh=True)
        elif threading.current_thread() is threading.main_thread():
            # Redrawn when there is news, so there is no thread that a Ctrl-C could leave behind.
            self._live = Live(drawn, console=self._console, auto_refresh=False)
            if self._shell is not None:
                self._shell.events.register("post_execute", self._stop)
            self._live.start(refresh=True)

    def finish(self, snapshot: Snapshot) -> None:
        """Draw the rows a last time and give the screen back.

        Parameters
        ----------
        snapshot : Snapshot
            What was known last.
        """
        try:
            self.show(snapshot)
        finally:
            if self._live is not None:
                self._stop()

    def close(self) -> None:
        """The scrollback keeps the rows by itself."""

    def _stop(self) -> None:
        if self._finished:
            return
        self._finished = True
        if self._live is not None:
            self._live.stop()
            if self._shell is not None:
                self._shell.events.unregister("post_execute", self._stop)

    def _drawn(self, snapshot: Snapshot) -> RenderableType:
        limit = max(self._console.size.height - _LINES_KEPT_FREE, _ROWS_AT_LEAST)
        pods, rest = select_rows(snapshot.pods, self._shown, limit=limit)
        self._shown = {pod.id for pod in pods}
        lines = [_TerminalLine.of(row) for row in read_rows(replace(snapshot, pods=tuple(pods)))]
        if len(snapshot.pods) > 1:
            totals = format_totals(snapshot.pods)
            colour = _COLOURS[totals.kind]
            states = Text(totals.states)
            lines.insert(0, _TerminalLine(totals.title, states, totals.percent, colour, price=totals.price))
        parts: list[RenderableType] = []
        trouble = trouble_text(snapshot)
        if trouble:
            parts.append(Text(trouble, style="yellow"))
        parts += [_Aligned(line, lines) for line in lines]
        if rest:
            parts.append(Text(format_overflow(rest), style="bright_black"))
        return Group(*parts)


@dataclass(frozen=True)
class _TerminalLine:
    """The cells of a line, and what stands below it."""

    name: str
    words: Text
    percent: int | None
    colour: str
    gpu: str = ""
    left: str = ""
    price: str = ""
    cost: str = ""
    elapsed: str = ""
    below: tuple[Text, ...] = ()

    @classmethod
    def of(cls, row: Row) -> _TerminalLine:
        colour = _COLOURS[row.kind]
        words = Text.assemble((row.status, f"bold {colour}"), "  ", row.installation)
        below = (*map(Text, row.commands), *([Text(row.reason, style="red")] if row.reason else []))
        return cls(
            name=row.name,
            words=words,
            percent=row.percent,
            colour=colour,
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


class _Aligned:
    """A line whose columns are as wide as those of the lines around it; what does not fit is left out.

    Parameters
    ----------
    line : _Line
        The line.
    lines : list of _Line
        All lines, itself included.
    """

    def __init__(self, line: _TerminalLine, lines: list[_TerminalLine]) -> None:
        self._line = line
        widest = {column: max(other.width(column) for other in lines) for column in _COLUMNS}
        self._widths = {column: width for column, width in widest.items() if width}
        self._widths["name"] = min(widest["name"], _NAME_AT_MOST)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line, widths = self._line, dict(self._widths)
        whole = min(options.max_width, _LINE_AT_MOST)
        for spare in _SPARE:
            if sum(widths.values()) + _GAP * len(widths) + _BAR_AT_LEAST > whole:
                widths.pop(spare, None)
        cells: dict[str, RenderableType] = {
            "name": Text(line.name, style="bold"),
            "gpu": Text(line.gpu, style="bright_black"),
            "bar": _bar(line),
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
                table.add_column(ratio=1, min_width=_BAR_AT_LEAST, vertical="middle")
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


def _bar(line: _TerminalLine) -> RenderableType:
    # A bar of unknown reach would have to move to be understood; the words beside it say what is known.
    reached = line.percent or 0
    return ProgressBar(total=100, completed=reached, complete_style=line.colour, finished_style=line.colour)

"""A progress bar for downloads that take longer than a second, in interactive sessions."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from primepods_magic.api.text.stream_output import is_terminal

__all__ = ["show_download"]

_SHOW_AFTER_S = 1.0
_MIN_INTERVAL_S = 0.25


@contextmanager
def show_download(shell: Any, noun: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function that takes the rows read so far and in all, on the cell's thread, and shows a bar.

    The bar appears after a second and is removed at the end. Yield ``None`` if no one is watching, or in a
    console, which cannot remove it.
    """
    from primepods_magic.notebook.shell.kernel import has_front_end, in_kernel, shows_widgets

    is_notebook = shows_widgets(shell)
    if not is_notebook and (in_kernel(shell) or not has_front_end(shell)):
        yield None
        return
    bar = _NotebookBar(noun) if is_notebook else _TerminalBar(noun)
    begun = last = time.monotonic()

    def report_rows(rows: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - begun >= _SHOW_AFTER_S and now - last >= _MIN_INTERVAL_S:
            last = now
            bar.show(rows, total)

    try:
        yield report_rows
    finally:
        bar.close()


class _NotebookBar:
    """An HTML output, emptied at the end."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._handle: Any = None

    def show(self, rows: int, total: int) -> None:
        from IPython.display import DisplayHandle

        percent = round(100 * rows / total) if total else 100
        words = f"Reading the {self._noun}: {rows:,} of {total:,} rows"
        track = (
            "display:inline-block;width:200px;height:6px;border-radius:3px;background:rgba(128,128,128,.28)"
        )
        fill = f"display:block;width:{percent}%;height:6px;border-radius:3px;background:#1976d2"
        html = (
            f'<div role="progressbar" aria-label="{words}" aria-valuemin="0" aria-valuemax="100" '
            f'aria-valuenow="{percent}" style="padding-left:8px;font-size:13px">'
            f'<span style="{track}"><span style="{fill}"></span></span> {words}</div>'
        )
        data = {"text/html": html, "text/plain": words}
        if self._handle is None:
            self._handle = DisplayHandle()  # type: ignore[no-untyped-call]
            self._handle.display(data, raw=True)
        else:
            self._handle.update(data, raw=True)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.update({"text/html": "", "text/plain": ""}, raw=True)


class _TerminalBar:
    """A line in a terminal, removed at the end."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._progress: Any = None

    def show(self, rows: int, total: int) -> None:
        if self._progress is None:
            if not is_terminal(sys.stdout) or os.environ.get("TERM") == "dumb":
                return
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            from primepods_magic.notebook.shell.output import open_console

            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
            self._progress = Progress(*columns, console=open_console(), transient=True, auto_refresh=False)
            self._progress.start()
            self._task = self._progress.add_task(f"Reading the {self._noun}", total=total)
        self._progress.update(self._task, completed=rows, total=total, refresh=True)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()

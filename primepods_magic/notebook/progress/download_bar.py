"""A bar for what takes longer than a second to read, where somebody is looking."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from primepods_magic.api.text.stream_output import is_terminal

__all__ = ["show_download"]

_PATIENCE_S = 1.0
_PAUSE_S = 0.25


@contextmanager
def show_download(shell: Any, what: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show how far reading has come, once it has taken a second; nothing is left of that afterwards.

    Parameters
    ----------
    shell : InteractiveShell
        Where the cell runs.
    what : str
        What is read.

    Yields
    ------
    callable or None
        To be told how many rows have come, and of how many; on the thread of the cell. ``None`` where nobody
        looks: there a bar would only be one more output to compare.
    """
    from primepods_magic.notebook.shell.kernel import has_front_end

    if not has_front_end(shell):
        yield None
        return
    bar = _NotebookBar(what) if getattr(shell, "kernel", None) is not None else _TerminalBar(what)
    begun = last = time.monotonic()

    def tell(rows: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - begun >= _PATIENCE_S and now - last >= _PAUSE_S:
            last = now
            bar.show(rows, total)

    try:
        yield tell
    finally:
        bar.close()


class _NotebookBar:
    """One HTML output, which is emptied in the end."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._handle: Any = None

    def show(self, rows: int, total: int) -> None:
        from IPython.display import DisplayHandle

        percent = round(100 * rows / total) if total else 100
        words = f"reading the {self._what}: {rows:,} of {total:,} rows"
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
    """A line of its own, which is taken away in the end."""

    def __init__(self, what: str) -> None:
        self._what = what
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
            self._task = self._progress.add_task(f"reading the {self._what}", total=total)
        self._progress.update(self._task, completed=rows, total=total, refresh=True)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()

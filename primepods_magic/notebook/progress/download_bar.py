"""A progress bar for downloads and transfers that take longer than a second, in interactive sessions."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from primepods_magic.api.text.stream_output import is_terminal

__all__ = ["show_download", "show_transfer"]

_SHOW_AFTER_S = 1.0
_MIN_INTERVAL_S = 0.25
_RATE_SAMPLES = 20


@contextmanager
def show_download(shell: Any, noun: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function that takes the rows read so far and in all, on the cell's thread, and shows a bar.

    The bar appears after a second and is removed at the end. Yield ``None`` if no one is watching, or in a
    console, which cannot remove it.
    """
    with _show_bar(shell, lambda rows, total, _: f"Reading the {noun}: {rows:,} of {total:,} rows") as report:
        yield report


@contextmanager
def show_transfer(shell: Any, doing: str) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function that takes the bytes that have arrived and those in all, and shows them as rows are.

    The bar has the rate of the last seconds, and the time that is left.
    """
    recent: deque[tuple[float, int]] = deque(maxlen=_RATE_SAMPLES)

    def describe(done: int, total: int, now: float) -> str:
        from primepods_magic.notebook.cells.costs import format_seconds
        from primepods_magic.remote.files.results import format_bytes

        recent.append((now, done))
        (before, done_before), words = recent[0], f"{doing}: {format_bytes(done)} of {format_bytes(total)}"
        rate = (done - done_before) / (now - before) if now > before else 0.0
        if not total:
            return f"{doing}: comparing files"
        return (
            f"{words} · {format_bytes(rate)}/s · {format_seconds((total - done) / rate)} left"
            if rate
            else words
        )

    with _show_bar(shell, describe) as report:
        yield report


@contextmanager
def _show_bar(
    shell: Any, describe: Callable[[int, int, float], str]
) -> Iterator[Callable[[int, int], None] | None]:
    from primepods_magic.notebook.shell.kernel import has_front_end, in_kernel, shows_widgets

    is_notebook = shows_widgets(shell)
    if not is_notebook and (in_kernel(shell) or not has_front_end(shell)):
        yield None
        return
    # A script keeps stdout for what it prints.
    bar = _NotebookBar() if is_notebook else _TerminalBar(sys.stderr if shell is None else sys.stdout)
    begun = last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - begun >= _SHOW_AFTER_S and now - last >= _MIN_INTERVAL_S:
            last = now
            bar.show(done, total, describe(done, total, now))

    try:
        yield report
    finally:
        bar.close()


class _NotebookBar:
    """An HTML output, emptied at the end."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, done: int, total: int, text: str) -> None:
        from IPython.display import DisplayHandle

        percent, words = _find_percent(done, total), escape(text)
        track = (
            "display:inline-block;width:200px;height:6px;border-radius:3px;background:rgba(128,128,128,.28)"
        )
        fill = f"display:block;width:{percent}%;height:6px;border-radius:3px;background:#1976d2"
        html = (
            f'<div role="progressbar" aria-label="{words}" aria-valuemin="0" aria-valuemax="100" '
            f'aria-valuenow="{percent}" style="padding-left:8px;font-size:13px">'
            f'<span style="{track}"><span style="{fill}"></span></span> {words}</div>'
        )
        data = {"text/html": html, "text/plain": text}
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

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._progress: Any = None

    def show(self, done: int, total: int, text: str) -> None:
        if self._progress is None:
            if not is_terminal(self._stream) or os.environ.get("TERM") == "dumb":
                return
            from rich.progress import BarColumn, Progress, TextColumn

            from primepods_magic.notebook.shell.output import open_console

            columns = BarColumn(), TextColumn("{task.description}", markup=False)
            self._progress = Progress(
                *columns, console=open_console(self._stream), transient=True, auto_refresh=False
            )
            self._progress.start()
            self._task = self._progress.add_task("", total=total)
        self._progress.update(self._task, completed=done, total=total, description=text, refresh=True)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()


def _find_percent(done: int, total: int) -> int:
    return min(100, round(100 * done / total)) if total else 100

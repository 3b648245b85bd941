"""The progress displays of waits and transfers in Python code; a higher layer provides them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from primepods_magic.pods.watching.snapshot import Snapshot

__all__ = ["OnProgress", "choose_displays", "show_progress", "show_transfer"]

OnProgress = Callable[[int, int], object]
"""Called with the bytes that have arrived, and those that there are in all."""


class Display(Protocol):
    """A display of pods that are waited for. No method raises."""

    def show(self, snapshot: Snapshot) -> None:
        """Update the display."""

    def finish(self, snapshot: Snapshot) -> None:
        """Show the last state, and release the screen."""


def _open_nothing() -> Display | None:
    return None


def _open_no_bar(doing: str) -> AbstractContextManager[OnProgress | None]:
    return nullcontext()


_open_display: Callable[[], Display | None] = _open_nothing
_open_bar: Callable[[str], AbstractContextManager[OnProgress | None]] = _open_no_bar


def choose_displays(
    open_display: Callable[[], Display | None],
    open_bar: Callable[[str], AbstractContextManager[OnProgress | None]],
) -> None:
    """Choose what opens the display of a wait, and the bar of a transfer; each may open ``None``."""
    global _open_display, _open_bar
    _open_display, _open_bar = open_display, open_bar


@contextmanager
def show_progress(first: Snapshot, *, is_wanted: bool) -> Iterator[Callable[[Snapshot], object] | None]:
    """Show pods while they are waited for; yield what takes their snapshots, if there is a display."""
    display = _open_display() if is_wanted else None
    if display is None:
        yield None
        return
    last = first

    def show(snapshot: Snapshot) -> None:
        nonlocal last
        last = snapshot
        display.show(snapshot)

    try:
        show(first)
        yield show
    finally:
        display.finish(last)


@contextmanager
def show_transfer(doing: str, on_progress: OnProgress | None) -> Iterator[OnProgress | None]:
    """Yield what takes the progress of a transfer: the caller's own function, or else a bar, if there is one.

    Raises InvalidRequest if `on_progress` is not a function.
    """
    if on_progress is not None and not callable(on_progress):
        # Loading the extension loads this file, and no errors.
        from primepods_magic.api.errors import InvalidRequest

        raise InvalidRequest("'on_progress' must be a function. Nothing was transferred")
    if on_progress is not None or threading.current_thread() is not threading.main_thread():
        yield on_progress
        return
    with _open_bar(doing) as report:
        yield report

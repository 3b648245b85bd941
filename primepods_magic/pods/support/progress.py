"""The progress display of a wait in Python code; a higher layer provides it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from primepods_magic.pods.watching.snapshot import Snapshot

__all__ = ["choose_display", "show_progress"]


class Display(Protocol):
    """A display of pods that are waited for. No method raises."""

    def show(self, snapshot: Snapshot) -> None:
        """Update the display."""

    def finish(self, snapshot: Snapshot) -> None:
        """Show the last state, and release the screen."""


def _open_nothing() -> Display | None:
    return None


_open_display: Callable[[], Display | None] = _open_nothing


def choose_display(open_display: Callable[[], Display | None]) -> None:
    """Choose what opens the display of a wait, or returns ``None`` if there is no one to see it."""
    global _open_display
    _open_display = open_display


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

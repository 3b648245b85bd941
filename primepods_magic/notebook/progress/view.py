"""The interface of a progress display."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from primepods_magic.pods.watching.snapshot import Snapshot

__all__ = ["View"]


class View(Protocol):
    """A display of pods that follows their snapshots.

    The first `show` belongs to the thread that runs the cell, so that the display appears under it.
    Later calls may come from any thread, about twice a second at most. No method raises.
    """

    def show(self, snapshot: Snapshot) -> None:
        """Update the display."""

    def finish(self, snapshot: Snapshot) -> None:
        """Replace the live display by its final form; later calls of this and of `show` change nothing."""

    def close(self) -> None:
        """Release what the final display still needs."""

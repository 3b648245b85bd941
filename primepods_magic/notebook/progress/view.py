"""The interface of a progress display."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from primepods_magic.pods.watching.snapshot import Snapshot

__all__ = ["View"]


class View(Protocol):
    """A display of pods that follows what is known of them.

    The first `show` belongs to the thread that runs the cell, so that the display appears under it.
    Later calls may come from any thread, about twice a second at most. No method raises.
    """

    def show(self, snapshot: Snapshot) -> None:
        """Bring the display up to date.

        Parameters
        ----------
        snapshot : Snapshot
            What is known now.
        """

    def finish(self, snapshot: Snapshot) -> None:
        """Show the last state and put its lasting form in the place of the live display.

        Calling it again, or `show` after it, changes nothing.

        Parameters
        ----------
        snapshot : Snapshot
            What was known last.
        """

    def close(self) -> None:
        """Let go of what the lasting form still needs, where it needs anything."""

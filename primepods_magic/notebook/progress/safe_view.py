"""A wrapper of views for one caller at a time that lets no exception out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from primepods_magic.notebook.progress.view import View
    from primepods_magic.pods.watching.snapshot import Snapshot

__all__ = ["SafeView"]

logger = logging.getLogger(__name__)


class SafeView:
    """A view whose errors are only logged: a broken display must not stop a launch or a wait."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._lock = threading.RLock()

    def show(self, snapshot: Snapshot) -> None:
        """Update the display."""
        self._call_safely(lambda: self.view.show(snapshot))

    def finish(self, snapshot: Snapshot) -> None:
        """Show the last state in its final form."""
        self._call_safely(lambda: self.view.finish(snapshot))

    def close(self) -> None:
        """Release what the final display still needs."""
        self._call_safely(self.view.close)

    def _call_safely(self, call: Callable[[], None]) -> None:
        with self._lock:
            try:
                call()
            except Exception:
                # A higher level would print, from a thread, into whichever cell is running.
                logger.debug("the display failed", exc_info=True)

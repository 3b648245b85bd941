"""What every view needs around it: one caller at a time, and no exception that gets out."""

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
    """A view whose failures stay its own: progress that cannot be shown must not stop a launch or a wait.

    Parameters
    ----------
    view : View
        The view to call.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        self._lock = threading.RLock()

    def show(self, snapshot: Snapshot) -> None:
        """Bring the display up to date."""
        self._guard(lambda: self.view.show(snapshot))

    def finish(self, snapshot: Snapshot) -> None:
        """Show the last state in its lasting form."""
        self._guard(lambda: self.view.finish(snapshot))

    def close(self) -> None:
        """Let go of what the lasting form still needs."""
        self._guard(self.view.close)

    def _guard(self, call: Callable[[], None]) -> None:
        with self._lock:
            try:
                call()
            except Exception:
                # Louder than debug would print, from a thread, into whatever cell is running.
                logger.debug("the display failed", exc_info=True)

"""What every view needs around it: one caller at a time, and no exception that gets out."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from primepods_magic.pods.snapshot import Snapshot

    from . import View

__all__ = ["GuardedView"]

logger = logging.getLogger(__name__)


class GuardedView:
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
        with self._lock:
            try:
                self.view.show(snapshot)
            except Exception:
                # Louder than debug would print, from a thread, into whatever cell is running.
                logger.debug("the display could not be brought up to date", exc_info=True)

    def finish(self, snapshot: Snapshot) -> None:
        """Show the last state in its lasting form."""
        with self._lock:
            try:
                self.view.finish(snapshot)
            except Exception:
                logger.debug("the display could not be finished", exc_info=True)

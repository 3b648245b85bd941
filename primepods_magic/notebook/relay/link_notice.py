"""The word about a connection that is lost while a cell runs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primepods_magic.remote.link import PodLink

__all__ = ["LinkNotice"]

_SAY_LOST_AFTER_S = 1.0


class LinkNotice:
    """One display that says that there is no connection, and goes away when there is one again.

    Parameters
    ----------
    publish : callable
        Publishes a message of a type as output of the cell.
    """

    def __init__(self, publish: Callable[[str, dict[str, Any]], object]) -> None:
        self._publish_message = publish
        self._lost_at: float | None = None
        self._display_id = ""

    def check(self, link: PodLink) -> None:
        """Show it if the connection has been lost for a while."""
        if link.connected.is_set():
            self.clear()
            return
        now = time.time()
        self._lost_at = self._lost_at or now
        if self._display_id or now - self._lost_at < _SAY_LOST_AFTER_S or not link.trouble:
            return
        since = time.strftime("%H:%M:%S", time.localtime(self._lost_at))
        text = f"No connection to '{link.name}' since {since}. "
        text += "Your code keeps running there" if link.connects else "Nothing was run there yet"
        self._display_id = secrets.token_hex(8)
        self._publish_text("display_data", f"{text}; reconnecting …")

    def clear(self) -> None:
        """Take it away."""
        self._lost_at = None
        if self._display_id:
            self._publish_text("update_display_data", "")
            self._display_id = ""

    def _publish_text(self, kind: str, text: str) -> None:
        transient = {"display_id": self._display_id}
        self._publish_message(kind, {"data": {"text/plain": text}, "metadata": {}, "transient": transient})

"""Live displays: pods that are watched behind, or followed while a cell waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.pods.connection import Connection
    from primepods_magic.pods.snapshot import Snapshot
    from primepods_magic.pods.wait import Goal

    from .views import View

__all__ = ["LiveDisplays"]


class LiveDisplays:
    """The live displays of one shell.

    Parameters
    ----------
    shell : InteractiveShell
        Whose cells they appear under.

    Attributes
    ----------
    as_text : bool
        As lines of text, whatever would fit.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.as_text = False
        self._open: dict[View, Snapshot] = {}
        self._lock = threading.Lock()

    @property
    def can_watch_behind(self) -> bool:
        """A display can go on moving after its cell has ended: in a notebook with somebody watching."""
        from .views import has_front_end

        in_kernel = getattr(self._shell, "kernel", None) is not None
        return in_kernel and not self.as_text and has_front_end(self._shell)

    def watch(
        self,
        connection: Connection,
        pods: Iterable[PodDetails],
        *,
        on_look: Callable[[Snapshot], object] | None = None,
    ) -> None:
        """Show the pods under this cell, and keep showing them while the kernel does other things.

        Parameters
        ----------
        connection : Connection
            Where the pods are.
        pods : iterable of PodDetails
            The pods.
        on_look : callable, optional
            Is given every snapshot as well, on a thread of ours.
        """
        from primepods_magic.pods.snapshot import Snapshot

        from .views import open_view

        view = open_view(self._shell, as_text=self.as_text)
        first = Snapshot(tuple(pods), connection.now())

        def listen(snapshot: Snapshot) -> None:
            with self._lock:
                if view not in self._open:
                    return
                self._open[view] = snapshot
            if on_look:
                on_look(snapshot)
            view.show(snapshot)
            if snapshot.is_settled or snapshot.is_last:
                self._finish(view)

        self._open[view] = first
        view.show(first)
        if first.is_settled:
            self._finish(view)
        else:
            connection.poller.watch(first.pods, listen)

    def follow(
        self, connection: Connection, pods: Iterable[PodDetails], *, goal: Goal, timeout_s: float
    ) -> Snapshot:
        """Show the pods under this cell while waiting for them here. Errors as `wait_for`."""
        from primepods_magic.pods.snapshot import Snapshot
        from primepods_magic.pods.wait import wait_for

        from .views import open_view

        view = open_view(self._shell, as_text=self.as_text)
        self._open[view] = Snapshot(tuple(pods), connection.now())

        def listen(snapshot: Snapshot) -> None:
            self._open[view] = snapshot
            view.show(snapshot)

        try:
            return wait_for(connection, self._open[view].pods, goal=goal, timeout_s=timeout_s, on_look=listen)
        finally:
            self._finish(view)

    def close(self) -> None:
        """End every display with what was seen last."""
        for view in list(self._open):
            self._finish(view)

    def _finish(self, view: View) -> None:
        with self._lock:
            snapshot = self._open.pop(view, None)
        if snapshot is not None:
            view.finish(snapshot)

"""Live displays: pods that are watched behind, or followed while a cell waits for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails
    from primepods_magic.notebook.progress.view import View
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.pods.wait import Goal
    from primepods_magic.pods.watching.snapshot import Snapshot
    from primepods_magic.pods.watching.watch import Watch

__all__ = ["ProgressDisplays"]

# Pages that were loaded again show what these hold.
_FINISHED_KEPT = 50


@dataclass(eq=False)
class _Display:
    """One live display: its view, what was shown last, and what moves it."""

    view: View
    snapshot: Snapshot
    cell: str | None
    run: str | None
    watch: Watch | None = None


class ProgressDisplays:
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
        self._open: set[_Display] = set()
        self._finished: deque[_Display] = deque()
        self._lock = threading.Lock()

    @property
    def can_watch_behind(self) -> bool:
        """A display can go on moving after its cell has ended: in a notebook with somebody watching."""
        from primepods_magic.notebook.shell.kernel import has_front_end

        in_kernel = getattr(self._shell, "kernel", None) is not None
        return in_kernel and not self.as_text and has_front_end(self._shell)

    def watch(
        self,
        connection: Connection,
        pods: Iterable[PodDetails],
        *,
        joins: Callable[[PodDetails], bool] | None = None,
        can_be_stopped: bool = False,
        on_look: Callable[[Snapshot], object] | None = None,
    ) -> None:
        """Show the pods under this cell, and keep showing them while the kernel does other things: until all
        of them are settled or, where new ones join, gone.

        Parameters
        ----------
        connection : Connection
            Where the pods are.
        pods : iterable of PodDetails
            The pods.
        joins : callable, optional
            Says of a pod that is new whether it is shown as well.
        can_be_stopped : bool
            Offer to stop watching.
        on_look : callable, optional
            Is given every snapshot as well, on a thread of ours.
        """

        def is_over(snapshot: Snapshot) -> bool:
            return snapshot.is_settled if joins is None else snapshot.are_gone

        def listen(snapshot: Snapshot) -> None:
            display.snapshot = snapshot
            if is_over(snapshot) or snapshot.is_last:
                self._finish(display)
            else:
                display.view.show(snapshot)
            if on_look:
                on_look(snapshot)

        display = self._begin(connection, pods, can_be_stopped=can_be_stopped)
        if is_over(display.snapshot):
            self._finish(display)
        else:
            pods = display.snapshot.pods
            try:
                display.watch = connection.poller.watch(pods, listen, joins=joins, is_over=is_over)
            except BaseException:
                # Ctrl-C, or a connection that was closed meanwhile: nothing will move it.
                self._finish(display)
                raise

    def follow(
        self, connection: Connection, pods: Iterable[PodDetails], *, goal: Goal, timeout_s: float
    ) -> Snapshot:
        """Show the pods under this cell while waiting for them here. Errors as `wait_for`."""
        from primepods_magic.pods.wait import wait_for

        display = self._begin(connection, pods)

        def listen(snapshot: Snapshot) -> None:
            display.snapshot = snapshot
            display.view.show(snapshot)

        try:
            return wait_for(connection, display.snapshot.pods, goal=goal, timeout_s=timeout_s, on_look=listen)
        finally:
            self._finish(display)

    def close(self) -> None:
        """End every display with what was seen last, and let go of all of them."""
        for display in list(self._open):
            self._finish(display)
        while self._finished:
            self._finished.popleft().view.close()

    def _begin(
        self, connection: Connection, pods: Iterable[PodDetails], *, can_be_stopped: bool = False
    ) -> _Display:
        """A display with its first snapshot, in the place of what an earlier run of this cell showed."""
        from primepods_magic.notebook.progress.open_view import open_view
        from primepods_magic.notebook.shell.kernel import cell_of, run_of
        from primepods_magic.pods.watching.snapshot import Snapshot

        cell, run = cell_of(self._shell), run_of(self._shell)
        for other in list(self._open):
            if cell is not None and other.cell == cell and other.run != run:
                self._finish(other)
        view = open_view(
            self._shell,
            as_text=self.as_text,
            on_stop=(lambda: self._finish(display)) if can_be_stopped else None,
        )
        display = _Display(view, Snapshot(tuple(pods), connection.now()), cell, run)
        with self._lock:
            self._open.add(display)
        view.show(display.snapshot)
        return display

    def _finish(self, display: _Display) -> None:
        with self._lock:
            if display not in self._open:
                return
            self._open.discard(display)
        if display.watch is not None:
            display.watch.close()
        display.view.finish(display.snapshot)
        with self._lock:
            self._finished.append(display)
            too_old = self._finished.popleft() if len(self._finished) > _FINISHED_KEPT else None
        if too_old is not None:
            too_old.view.close()

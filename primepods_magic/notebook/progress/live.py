"""Live displays of pods that are watched in the background, or followed while a cell waits."""

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

# Reloaded pages show the content of these.
_MAX_FINISHED = 50
# Of more, the oldest whose pods are ready or have failed are no longer followed.
_MAX_OPEN = 50


@dataclass(eq=False)
class _Display:
    """A live display: its view, the last snapshot, and the watch that updates it."""

    view: View
    snapshot: Snapshot
    cell: str | None
    run: str | None
    watch: Watch | None = None


class ProgressDisplays:
    """The live displays of one shell; ``setting`` is that of `PodsMagics.display`."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.setting = "auto"
        # In their order.
        self._open: dict[_Display, None] = {}
        self._finished: deque[_Display] = deque()
        self._lock = threading.Lock()

    @property
    def can_watch_in_background(self) -> bool:
        """True if a display can keep moving after its cell: in a notebook that shows widgets."""
        from primepods_magic.notebook.shell.kernel import shows_widgets

        return shows_widgets(self._shell, self.setting)

    def watch(
        self,
        connection: Connection,
        pods: Iterable[PodDetails],
        *,
        joins: Callable[[PodDetails], bool] | None = None,
        can_be_stopped: bool = False,
        notifies: bool = False,
        on_snapshot: Callable[[Snapshot], object] | None = None,
    ) -> None:
        """Show the pods under this cell and keep updating them in the background, until all are gone.

        ``joins`` decides whether a new pod is shown as well. ``on_snapshot`` receives every snapshot, on our
        own thread.
        """
        display = self._open_display(connection, pods, can_be_stopped=can_be_stopped, notifies=notifies)
        try:
            self._keep_updating(connection, display, joins=joins, on_snapshot=on_snapshot)
        except BaseException:
            # After Ctrl-C, or on a closed connection, nothing will update it.
            self._finish_display(display)
            raise

    def follow(
        self,
        connection: Connection,
        pods: Iterable[PodDetails],
        *,
        goal: Goal,
        timeout_s: float,
        notifies: bool = False,
        on_snapshot: Callable[[Snapshot], object] | None = None,
    ) -> Snapshot:
        """Show the pods under this cell while waiting for them; raises as `wait_for` does.

        In a notebook, they are updated until they are gone, as by `watch`.
        """
        from primepods_magic.pods.wait import describe_stop, wait_for
        from primepods_magic.pods.watching.snapshot import Snapshot

        pods = tuple(pods)
        display: _Display | None = None

        def listen(snapshot: Snapshot) -> None:
            assert display is not None
            display.snapshot = snapshot
            display.view.show(snapshot)
            if on_snapshot:
                on_snapshot(snapshot)

        try:
            display = self._open_display(connection, pods, notifies=notifies)
            return wait_for(connection, pods, goal=goal, timeout_s=timeout_s, on_snapshot=listen)
        except KeyboardInterrupt:
            # Just before or after the wait, which raises this error itself.
            raise describe_stop(connection, Snapshot(pods, connection.now())) from None
        finally:
            if display is None:
                pass
            elif self.can_watch_in_background and not connection.is_closed:
                self._keep_updating(connection, display, on_snapshot=on_snapshot)
            else:
                self._finish_display(display)

    def _keep_updating(
        self,
        connection: Connection,
        display: _Display,
        *,
        joins: Callable[[PodDetails], bool] | None = None,
        on_snapshot: Callable[[Snapshot], object] | None = None,
    ) -> None:
        """Update a display in the background until its pods are gone; then finish it."""

        def listen(snapshot: Snapshot) -> None:
            display.snapshot = snapshot
            if snapshot.are_gone or snapshot.is_last:
                self._finish_display(display)
            else:
                display.view.show(snapshot)
            if on_snapshot:
                on_snapshot(snapshot)

        if display.snapshot.are_gone:
            self._finish_display(display)
        else:
            display.watch = connection.poller.watch(
                display.snapshot.pods, listen, joins=joins, is_over=lambda snapshot: snapshot.are_gone
            )

    def close(self) -> None:
        """Finish every display with its last snapshot, and close all views."""
        for display in list(self._open):
            self._finish_display(display)
        while self._finished:
            self._finished.popleft().view.close()

    def _open_display(
        self,
        connection: Connection,
        pods: Iterable[PodDetails],
        *,
        can_be_stopped: bool = False,
        notifies: bool = False,
    ) -> _Display:
        """Open a display with its first snapshot; finish those of earlier runs of this cell."""
        from primepods_magic.notebook.progress.open_view import open_view
        from primepods_magic.notebook.shell.kernel import cell_of, run_of
        from primepods_magic.pods.watching.snapshot import Snapshot

        cell, run = cell_of(self._shell), run_of(self._shell)
        for other in list(self._open):
            if cell is not None and other.cell == cell and other.run != run:
                self._finish_display(other)
        settled = [other for other in list(self._open) if other.snapshot.is_settled]
        for other in settled[: max(len(self._open) - _MAX_OPEN + 1, 0)]:
            self._finish_display(other)
        view = open_view(
            self._shell,
            setting=self.setting,
            connection=connection,
            notifies=notifies,
            on_stop=(lambda: self._finish_display(display)) if can_be_stopped else None,
        )
        display = _Display(view, Snapshot(tuple(pods), connection.now()), cell, run)
        with self._lock:
            self._open[display] = None
        view.show(display.snapshot)
        return display

    def _finish_display(self, display: _Display) -> None:
        with self._lock:
            if display not in self._open:
                return
            del self._open[display]
        if display.watch is not None:
            display.watch.close()
        display.view.finish(display.snapshot)
        with self._lock:
            self._finished.append(display)
            too_old = self._finished.popleft() if len(self._finished) > _MAX_FINISHED else None
        if too_old is not None:
            too_old.view.close()

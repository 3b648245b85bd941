"""Progress as plain lines, for output that nobody watches: the same lines on every computer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .rows import read_row

if TYPE_CHECKING:
    from primepods_magic.pods.snapshot import Snapshot

__all__ = ["PlainView"]

_STEP = 20


class PlainView:
    """One line when something changes, and when an installation has come another 20 % further.

    It has no clock times and no durations, so that a saved notebook compares literally. Only the main
    thread prints: what another thread prints ends up under whichever cell is running.
    """

    def __init__(self) -> None:
        self._said: dict[int, str] = {}
        self._in_trouble = False
        self._finished = False

    def show(self, snapshot: Snapshot) -> None:
        """Print what has changed.

        Parameters
        ----------
        snapshot : Snapshot
            What is known now.
        """
        if self._may_print():
            self._print(snapshot)
            # What went wrong names hosts and ports, which differ between computers.
            if snapshot.trouble is not None and not self._in_trouble:
                print("the service cannot be reached at present; still trying", flush=True)
            self._in_trouble = snapshot.trouble is not None

    def finish(self, snapshot: Snapshot) -> None:
        """Print what has changed since the last line, and nothing after that.

        Parameters
        ----------
        snapshot : Snapshot
            What was known last.
        """
        if self._may_print():
            self._print(snapshot)
            self._finished = True

    def _may_print(self) -> bool:
        return not self._finished and threading.current_thread() is threading.main_thread()

    def _print(self, snapshot: Snapshot) -> None:
        rows = [read_row(pod, snapshot.as_of, step=_STEP) for pod in snapshot.pods]
        width = max((len(row.name) for row in rows), default=0)
        for index, row in enumerate(rows):
            if self._said.get(index) != row.summary:
                self._said[index] = row.summary
                print(f"{row.name:<{width}}  {row.summary}", flush=True)

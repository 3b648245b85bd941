"""Progress as plain lines, for output that nobody watches: the same lines on every computer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from primepods_magic.notebook.shell.output import say
from primepods_magic.pods.watching.snapshot import ChangeKind

from .row_selection import MOST_ROWS
from .rows import PodPhase, format_pod, format_totals

if TYPE_CHECKING:
    from primepods_magic.pods.watching.snapshot import Snapshot

__all__ = ["PlainView"]

_STEP = 20
_STEP_OF_MANY = 10


class PlainView:
    """One line when something changes, and when an installation has come another 20 % further. Of more than
    20 pods those that fail get lines of their own, and all together one for each 10 %.

    It has no clock times and no durations, so that a saved notebook compares literally. Only the main
    thread prints: what another thread prints ends up under whichever cell is running.
    """

    def __init__(self) -> None:
        self._said: dict[int, str] = {}
        self._step_said = -1
        self._together_said = ""
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
            # What went wrong names hosts and ports, which differ between computers.
            if snapshot.trouble is not None and not self._in_trouble:
                is_doubted = any(change.kind is ChangeKind.DOUBTED for change in snapshot.changes)
                what = "relied on" if is_doubted else "reached"
                say(f"the service cannot be {what} at present; still trying")
            if snapshot.trouble is None and self._in_trouble:
                say("the service answers again")
            self._in_trouble = snapshot.trouble is not None
            self._print(snapshot)

    def finish(self, snapshot: Snapshot) -> None:
        """Print what has changed since the last line, and nothing after that.

        Parameters
        ----------
        snapshot : Snapshot
            What was known last.
        """
        if self._may_print():
            self._print(snapshot, is_last=True)
            self._finished = True

    def close(self) -> None:
        """Lines need nothing."""

    def _may_print(self) -> bool:
        return not self._finished and threading.current_thread() is threading.main_thread()

    def _print(self, snapshot: Snapshot, *, is_last: bool = False) -> None:
        rows = [format_pod(pod, snapshot.as_of, step=_STEP) for pod in snapshot.pods]
        are_many = len(rows) > MOST_ROWS
        told = [(i, row) for i, row in enumerate(rows) if not are_many or row.kind is PodPhase.FAILED]
        width = max((len(row.name) for _, row in told), default=0)
        for index, row in told:
            if self._said.get(index) != row.summary:
                self._said[index] = row.summary
                say(f"{row.name:<{width}}  {row.summary}")
        if are_many:
            self._print_together(snapshot, is_last)

    def _print_together(self, snapshot: Snapshot, is_last: bool) -> None:
        totals = format_totals(snapshot.pods)
        line = f"{totals.title}  {totals.percent} %: {totals.states}"
        step = totals.percent // _STEP_OF_MANY
        if line != self._together_said and (is_last or step != self._step_said):
            self._together_said, self._step_said = line, step
            say(line)

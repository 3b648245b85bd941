"""Progress as plain lines, for output without a viewer; the same lines on every computer."""

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

_STEP_PERCENT = 20
_TOTALS_STEP_PERCENT = 10


class PlainView:
    """A line for each change, and for each 20 % of an installation.

    Of more than 20 pods, only those that fail get lines, and all together one for each 10 %. There are no
    times, so that saved notebooks can be compared. Only the main thread prints: text of another thread would
    appear under whichever cell is running.
    """

    def __init__(self) -> None:
        self._printed: dict[int, str] = {}
        self._printed_step = -1
        self._printed_totals = ""
        self._is_failing = False
        self._finished = False

    def show(self, snapshot: Snapshot) -> None:
        """Print what has changed."""
        if self._may_print():
            # The error names hosts and ports, which differ between computers.
            if snapshot.trouble is not None and not self._is_failing:
                is_doubted = any(change.kind is ChangeKind.DOUBTED for change in snapshot.changes)
                say(f"The service cannot be {'relied on' if is_doubted else 'reached'} at present. Retrying")
            if snapshot.trouble is None and self._is_failing:
                say("The service is available again")
            self._is_failing = snapshot.trouble is not None
            self._print_rows(snapshot)

    def finish(self, snapshot: Snapshot) -> None:
        """Print the last changes, and nothing after that."""
        if self._may_print():
            self._print_rows(snapshot, is_last=True)
            self._finished = True

    def close(self) -> None:
        """Do nothing: lines need no clean-up."""

    def _may_print(self) -> bool:
        return not self._finished and threading.current_thread() is threading.main_thread()

    def _print_rows(self, snapshot: Snapshot, *, is_last: bool = False) -> None:
        rows = [format_pod(pod, snapshot.as_of, step=_STEP_PERCENT) for pod in snapshot.pods]
        are_many = len(rows) > MOST_ROWS
        shown = [(i, row) for i, row in enumerate(rows) if not are_many or row.kind is PodPhase.FAILED]
        width = max((len(row.name) for _, row in shown), default=0)
        for index, row in shown:
            if self._printed.get(index) != row.summary:
                self._printed[index] = row.summary
                say(f"{row.name:<{width}}  {row.summary}")
        if are_many:
            self._print_totals(snapshot, is_last)

    def _print_totals(self, snapshot: Snapshot, is_last: bool) -> None:
        totals = format_totals(snapshot.pods)
        line = f"{totals.title}  {totals.percent} %: {totals.states}"
        step = totals.percent // _TOTALS_STEP_PERCENT
        if line != self._printed_totals and (is_last or step != self._printed_step):
            self._printed_totals, self._printed_step = line, step
            say(line)

"""The single thread on which a launcher changes its state."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from primepods_magic.pods.support.background import run_in_background

__all__ = ["SerialWorker"]

T = TypeVar("T")
logger = logging.getLogger(__name__)


class SerialWorker:
    """A thread with a queue of short tasks; slow work runs on background threads.

    Submitting takes microseconds, as widget callbacks may run on the kernel's own thread. Queued tasks run in
    one batch, and `show` is called once after it: fast typing costs one redraw. `error` names the type of the
    last unexpected exception.
    """

    def __init__(self, owner: object, show: Callable[[], object]) -> None:
        self._owner = owner
        self._show = show
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run_tasks, name="primepods-launcher", daemon=True)
        self._changed = threading.Condition()
        self._pending = 0
        self._is_closed = False
        self.error = ""

    def open(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_current_thread(self) -> bool:
        """Return whether the caller runs on the worker's thread."""
        return threading.current_thread() is self._thread

    def submit(self, task: Callable[[], object]) -> None:
        """Queue a short task; ignored after `close`."""
        with self._changed:
            if self._is_closed:
                return
            self._pending += 1
        self._queue.put(task)

    def run_slow(self, work: Callable[[], T], then: Callable[[Future[T]], object]) -> None:
        """Run slow work in the background, then pass its future to `then` on the worker's thread."""
        with self._changed:
            if self._is_closed:
                return
            self._pending += 1

        def submit_result(done: Future[T]) -> None:
            self.submit(lambda: then(done))
            self._mark_done(1)

        run_in_background(self._owner, work).add_done_callback(submit_result)

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no task or slow work is left; return False after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending or self._is_closed, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Discard all tasks and wait for the thread to end."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._queue.put(None)
        if self._thread.is_alive() and not self.is_current_thread:
            self._thread.join(timeout_s)

    def _run_tasks(self) -> None:
        while not self._is_closed:
            task, count = self._queue.get(), 0
            while task is not None:
                self._run_safely(task)
                count += 1
                # Show queued tasks together.
                task = None if self._queue.empty() else self._queue.get()
            self._run_safely(self._show)
            self._mark_done(count)

    def _run_safely(self, task: Callable[[], object]) -> None:
        if self._is_closed:
            return
        try:
            task()
        except Exception as error:
            # An exception here has no caller, and a traceback would land in whatever cell is running.
            logger.debug("launcher task failed", exc_info=True)
            self.error = type(error).__name__

    def _mark_done(self, count: int) -> None:
        with self._changed:
            self._pending -= count
            self._changed.notify_all()

"""One thread on which everything of a launcher happens, one thing after another."""

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
    """A thread with a queue of small things to do; slow work is done on threads beside it.

    Whoever calls from outside only puts something on the desk and goes on, which takes microseconds: a
    callback of a widget may run on the kernel's own thread. What has piled up is done in one go, and is shown
    once: keys that are typed faster than a table can be drawn cost one drawing.

    Parameters
    ----------
    owner : object
        Whose `primepods_magic.pods.support.background.finish` waits for the slow work.
    show : callable
        Is called on the thread after what was done.

    Attributes
    ----------
    failure : str
        What was raised last and was not meant to be; empty where nothing was.
    """

    def __init__(self, owner: object, show: Callable[[], object]) -> None:
        self._owner = owner
        self._show = show
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="primepods-launcher", daemon=True)
        self._changed = threading.Condition()
        self._open_work = 0
        self._is_closed = False
        self.failure = ""

    def open(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether the caller is the thread of the desk."""
        return threading.current_thread() is self._thread

    def put(self, work: Callable[[], object]) -> None:
        """Have something done, soon and in order. After `close` nothing is done any more."""
        with self._changed:
            if self._is_closed:
                return
            self._open_work += 1
        self._queue.put(work)

    def send(self, work: Callable[[], T], then: Callable[[Future[T]], object]) -> None:
        """Have slow work done on a thread beside the desk, and what comes of it looked at here.

        Parameters
        ----------
        work : callable
            The work.
        then : callable
            Is given what came of it, on the thread of the desk.
        """
        with self._changed:
            if self._is_closed:
                return
            self._open_work += 1

        def came(done: Future[T]) -> None:
            self.put(lambda: then(done))
            self._have_done(1)

        run_in_background(self._owner, work).add_done_callback(came)

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until there is nothing left to do, here or beside; false where that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open_work or self._is_closed, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Do nothing any more, and wait until the thread has ended."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._queue.put(None)
        if self._thread.is_alive() and not self.is_here:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._is_closed:
            work, count = self._queue.get(), 0
            while work is not None:
                self._guard(work)
                count += 1
                # What has piled up meanwhile is shown together with it.
                work = None if self._queue.empty() else self._queue.get()
            self._guard(self._show)
            self._have_done(count)

    def _guard(self, work: Callable[[], object]) -> None:
        if self._is_closed:
            return
        try:
            work()
        except Exception as error:
            # On this thread nobody would hear of it, and louder it would print into whatever cell is running.
            logger.debug("the launcher failed at something", exc_info=True)
            self.failure = type(error).__name__

    def _have_done(self, count: int) -> None:
        with self._changed:
            self._open_work -= count
            self._changed.notify_all()

"""Work that goes on when Ctrl-C ends the waiting for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar
from weakref import WeakKeyDictionary

from primepods_magic.api.errors import PodsError

__all__ = ["join_background", "run_concurrently", "run_in_background"]

T = TypeVar("T")

_MAX_JOIN_S = 5.0
_threads: WeakKeyDictionary[object, set[threading.Thread]] = WeakKeyDictionary()
_lock = threading.Lock()


def _reset_in_child() -> None:
    """In a child process none of the threads is there, and one of them may have held the lock."""
    global _lock
    _lock = threading.Lock()
    _threads.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)


def run_in_background(owner: object, work: Callable[[], T]) -> Future[T]:
    """Do some work on a thread of its own.

    Parameters
    ----------
    owner : object
        Whose `join_background` waits for it.
    work : callable
        The work.

    Returns
    -------
    Future
        What comes of it. Waiting for it ends at once on Ctrl-C, and the work goes on. If no thread can be
        started, it fails with a `PodsError`, and nothing of the work was done.

    Examples
    --------
    >>> run_in_background(Future(), lambda: 6 * 7).result()
    42
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            future.set_exception(error)
        else:
            future.set_result(result)
        finally:
            with _lock:
                _threads.get(owner, set()).discard(threading.current_thread())

    # From now on whoever gives up waiting does not call the work off.
    future.set_running_or_notify_cancel()
    thread = threading.Thread(target=run, name="primepods-behind", daemon=True)
    with _lock:
        # Not before it has begun: whoever finishes the owner meanwhile could not wait for it.
        try:
            thread.start()
        except RuntimeError as error:
            future.set_exception(PodsError(f"No thread can be started here ({error}). Nothing was sent"))
        else:
            _threads.setdefault(owner, set()).add(thread)
    return future


def run_concurrently(
    owner: object,
    works: Iterable[Callable[[], T]],
    *,
    at_once: int = 8,
    begun: list[Future[T]] | None = None,
) -> list[Future[T]]:
    """Do several pieces of work side by side, so many at once, as `run_in_background` does each.

    Parameters
    ----------
    owner, works :
        As `run_in_background` has them.
    at_once : int
        The most pieces of work at one time.
    begun : list, optional
        Gets each future as soon as its work has begun, and is returned: Ctrl-C may come in between.

    Examples
    --------
    >>> [done.result() for done in run_concurrently(Future(), [lambda: 6, lambda: 7])]
    [6, 7]
    """
    gate = threading.Semaphore(at_once)

    def gated(work: Callable[[], T]) -> Callable[[], T]:
        def run() -> T:
            with gate:
                return work()

        return run

    begun = [] if begun is None else begun
    for work in works:
        begun.append(run_in_background(owner, gated(work)))
    return begun


def join_background(owner: object) -> None:
    """Wait a while for the work of an owner, which is told otherwise to end."""
    with _lock:
        threads = set(_threads.get(owner, set()))
    for thread in threads - {threading.current_thread()}:
        thread.join(timeout=_MAX_JOIN_S)

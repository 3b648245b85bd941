"""Work that goes on when Ctrl-C ends the waiting for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar
from weakref import WeakKeyDictionary

__all__ = ["finish", "run_behind"]

T = TypeVar("T")

_LONGEST_JOIN_S = 5.0
_threads: WeakKeyDictionary[object, set[threading.Thread]] = WeakKeyDictionary()
_lock = threading.Lock()


def run_behind(owner: object, work: Callable[[], T]) -> Future[T]:
    """Do some work on a thread of its own.

    Parameters
    ----------
    owner : object
        Whose `finish` waits for it.
    work : callable
        The work.

    Returns
    -------
    Future
        What comes of it. Waiting for it ends at once on Ctrl-C, and the work goes on.

    Examples
    --------
    >>> run_behind(Future(), lambda: 6 * 7).result()
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

    thread = threading.Thread(target=run, name="primepods-behind", daemon=True)
    with _lock:
        _threads.setdefault(owner, set()).add(thread)
    thread.start()
    return future


def finish(owner: object) -> None:
    """Wait a while for the work of an owner, which is told otherwise to end."""
    with _lock:
        threads = set(_threads.get(owner, set()))
    for thread in threads - {threading.current_thread()}:
        thread.join(timeout=_LONGEST_JOIN_S)

"""Background work that goes on when Ctrl-C ends the waiting for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar
from weakref import WeakKeyDictionary

from primepods_magic.api.errors import PodsError

__all__ = ["join_background", "join_thread", "run_concurrently", "run_in_background"]

T = TypeVar("T")

_MAX_JOIN_S = 5.0
_POLL_S = 0.005
_threads: WeakKeyDictionary[object, set[threading.Thread]] = WeakKeyDictionary()
_lock = threading.Lock()


def _reset_in_child() -> None:
    """Drop the threads in a forked child, and the lock that one of them may hold."""
    global _lock
    _lock = threading.Lock()
    _threads.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)


def run_in_background(owner: object, work: Callable[[], T]) -> Future[T]:
    """Run `work` on its own thread; `join_background` waits for all work of an `owner`.

    Ctrl-C ends the waiting for the Future, not the work. If no thread can start, it fails with a PodsError.

    >>> run_in_background(Future(), lambda: 6 * 7).result()
    42
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised by the future
            future.set_exception(error)
        else:
            future.set_result(result)
        finally:
            with _lock:
                _threads.get(owner, set()).discard(threading.current_thread())

    # From now on, giving up waiting does not cancel the work.
    future.set_running_or_notify_cancel()
    thread = threading.Thread(target=run, name="primepods-background", daemon=True)
    with _lock:
        # Before its start, which Ctrl-C may interrupt.
        _threads.setdefault(owner, set()).add(thread)
        try:
            thread.start()
        except RuntimeError as error:
            _threads[owner].discard(thread)
            future.set_exception(PodsError(f"Cannot start a thread here ({error}). Nothing was sent"))
    return future


def run_concurrently(
    owner: object,
    works: Iterable[Callable[[], T]],
    *,
    at_once: int = 8,
    begun: list[Future[T]] | None = None,
) -> list[Future[T]]:
    """Run each work in the background, at most `at_once` at a time, and return their futures.

    `begun` receives each future as soon as its work has begun, because Ctrl-C may come in between.

    >>> [done.result() for done in run_concurrently(Future(), [lambda: 6, lambda: 7])]
    [6, 7]
    """
    slots = threading.Semaphore(at_once)

    def limited(work: Callable[[], T]) -> Callable[[], T]:
        def run() -> T:
            with slots:
                return work()

        return run

    begun = [] if begun is None else begun
    for work in works:
        begun.append(run_in_background(owner, limited(work)))
    return begun


def join_background(owner: object) -> None:
    """Wait up to 5 seconds for each thread of an owner, which was told to stop."""
    with _lock:
        threads = set(_threads.get(owner, set()))
    for thread in threads:
        join_thread(thread, _MAX_JOIN_S)


def join_thread(thread: threading.Thread, timeout_s: float) -> None:
    """Wait for a thread, also for one whose start was interrupted; the current one is not waited for."""
    give_up_s = time.monotonic() + timeout_s
    # It runs soon, but cannot be joined yet.
    while not thread.is_alive() and thread in threading.enumerate() and time.monotonic() < give_up_s:
        time.sleep(_POLL_S)
    if thread.is_alive() and thread is not threading.current_thread():
        thread.join(timeout=max(0.0, give_up_s - time.monotonic()))

"""The memory that processes take while something runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psutil


@contextmanager
def watch_memory(pids: Mapping[str, int]) -> Iterator[dict[str, float]]:
    """Collect how many MB each process had at most, more than at first."""
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    before = {name: process.memory_info().rss for name, process in processes.items()}
    grown = dict.fromkeys(pids, 0.0)
    is_done = threading.Event()

    def watch() -> None:
        while not is_done.wait(0.02):
            for name, process in processes.items():
                grown[name] = max(grown[name], (process.memory_info().rss - before[name]) / 1e6)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield grown
    finally:
        is_done.set()
        thread.join()

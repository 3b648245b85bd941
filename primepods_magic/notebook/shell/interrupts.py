"""Holding Ctrl-C back while it would break more than it stops."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType

__all__ = ["interrupts_held", "load_modules"]


def load_modules(*names: str) -> None:
    """Import modules with Ctrl-C held back: an import that it cuts off leaves half a module behind."""
    if any(name not in sys.modules for name in names):
        with interrupts_held():
            for name in names:
                import_module(name)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block: an import that it cuts off fails until the kernel restarts."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Loading the extension needs none of this.
    import signal

    held: list[FrameType | None] = []
    before = signal.signal(signal.SIGINT, lambda _, frame: held.append(frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held:
            signal.raise_signal(signal.SIGINT)

"""Warnings for a person: Python warnings, or lines of a magic while one runs. Notes: lines on stderr."""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from primepods_magic.api.text.python_words import use_python_words
from primepods_magic.api.text.stream_output import printable

__all__ = ["note", "redirect_warnings", "warn"]

_PACKAGE = f"{__name__.partition('.')[0]}."
_printers: list[Callable[[str], object]] = []


def warn(text: str) -> None:
    """Warn at the line that called this package, or print the text if a magic is running on any thread."""
    innermost = _printers[-1:]
    if innermost:
        innermost[0](text)
    else:
        warnings.warn(use_python_words(text), stacklevel=_count_own_frames() + 1)


def note(text: str) -> None:
    """Print a line on stderr; it needs no attention, so it is not a warning."""
    if sys.stderr is not None:
        print(printable(use_python_words(text), sys.stderr), file=sys.stderr)


def _count_own_frames() -> int:
    """Count the innermost frames of this package, the caller's included."""
    frame, count = inspect.currentframe(), 0
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(_PACKAGE):
        frame, count = frame.f_back, count + 1
    return count - 1


@contextmanager
def redirect_warnings(show: Callable[[str], object]) -> Iterator[None]:
    """Give the texts of warnings, of all threads, to a function until the block ends."""
    _printers.append(show)
    try:
        yield
    finally:
        _printers.remove(show)

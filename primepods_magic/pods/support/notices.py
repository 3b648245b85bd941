"""Warnings for a person: Python warnings, or lines of a magic while one runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from primepods_magic.api.text.python_words import use_python_words

__all__ = ["redirect_warnings", "warn"]

_printers: list[Callable[[str], object]] = []


def warn(text: str, stacklevel: int = 1) -> None:
    """Warn as `warnings.warn` does, or print the text if a magic is running, on whichever thread."""
    innermost = _printers[-1:]
    if innermost:
        innermost[0](text)
    else:
        warnings.warn(use_python_words(text), stacklevel=stacklevel + 1)


@contextmanager
def redirect_warnings(show: Callable[[str], object]) -> Iterator[None]:
    """Give the texts of warnings, of all threads, to a function until the block ends."""
    _printers.append(show)
    try:
        yield
    finally:
        _printers.remove(show)

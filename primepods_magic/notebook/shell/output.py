"""Printing that never interrupts the work in progress."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from primepods_magic.api.text.python_words import use_shell_words
from primepods_magic.api.text.sanitize import clean_message
from primepods_magic.api.text.stream_output import is_terminal, printable, shows_colors

from .kernel import in_kernel

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "ask_line",
    "open_console",
    "results_apart",
    "say",
    "say_result",
    "terminal_width",
    "write_result",
    "write_stream",
]

logger = logging.getLogger(__name__)

_MIN_WIDTH = 20
_results: Any = None
"""The stream of the results of a script, which says everything else on stderr."""


@contextmanager
def results_apart() -> Iterator[None]:
    """Keep stdout for results until the block ends; everything else that is printed goes to stderr."""
    global _results
    _results, sys.stdout = sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdout, _results = _results, None


def write_result(text: str) -> None:
    """Write safe text to the stream of results at once; raise OSError if that fails."""
    if _results is not None:
        _results.write(printable(text, _results))
        _results.flush()


def say(text: object, *, end: str = "\n") -> None:
    """Print sanitized text in letters that stdout can encode; its lines stay lines.

    A closed or broken stdout prints nothing: a pod that was just rented must not be lost because of it.
    """
    try:
        print(printable(clean_message(use_shell_words(str(text)))), end=end, flush=True)
    except Exception:
        logger.debug("stdout cannot be written to", exc_info=True)


def say_result(line: str) -> None:
    """Print a sanitized line of a result that appears bit by bit, such as a log."""
    write_stream("stdout", f"{clean_message(line)}\n")


def write_stream(name: Literal["stdout", "stderr"], text: str) -> None:
    """Write safe text of a program to stdout or stderr at once; a broken stream drops it.

    A script's stdout raises OSError instead: no one reads the rest.
    """
    if name == "stdout" and _results is not None:
        write_result(text)
        return
    stream = getattr(sys, name)
    try:
        stream.write(printable(text, stream))
        stream.flush()
    except Exception:
        logger.debug("%s cannot be written to", name, exc_info=True)


def ask_line(question: str) -> str:
    """Ask a question and return the typed line; errors of `input` mean that there is no answer."""
    return input(printable(clean_message(use_shell_words(question))))


def terminal_width(shell: Any) -> int | None:
    """Return how many characters fit into a line, or None if the shell does not print to a terminal."""
    if shell is None or in_kernel(shell) or not is_terminal(sys.stdout):
        return None
    return max(_MIN_WIDTH, shutil.get_terminal_size().columns)


def open_console(stream: Any = None) -> Console:
    """Return a rich console for a stream (stdout by default).

    It uses letters that the stream can encode, and colors if they are wanted.
    """
    from rich.console import Console

    plain: Any = _PlainStream(stream or sys.stdout)
    return Console(file=plain, highlight=False, no_color=None if stream or shows_colors() else True)


class _PlainStream:
    """A stream that writes printable text to another one."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(text, self._stream))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

"""Everything that is printed here goes through this: it never breaks off what is being done."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.sanitize import clean_message
from primepods_magic.api.text.stream_output import printable, shows_colors

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["ask_line", "open_console", "say"]

logger = logging.getLogger(__name__)


def say(text: object, *, end: str = "\n") -> None:
    """Print text, clean and in letters that stdout has.

    A stdout that is closed or broken gets nothing: a pod that was just rented must not be lost for that.

    Parameters
    ----------
    text : object
        The text; its lines stay lines.
    end : str
        What follows it.
    """
    try:
        print(printable(clean_message(text)), end=end, flush=True)
    except Exception:
        logger.debug("stdout cannot be written to", exc_info=True)


def ask_line(question: str) -> str:
    """Ask a question and return the line that was typed.

    Raises
    ------
    EOFError, KeyboardInterrupt, OSError, RuntimeError, ValueError
        There is no answer.
    """
    return input(printable(clean_message(question)))


def open_console() -> Console:
    """Return a console of rich for stdout: with letters that stdout has, and colors where they are wanted."""
    from rich.console import Console

    stream: Any = _PlainStream(sys.stdout)
    return Console(file=stream, highlight=False, no_color=None if shows_colors() else True)


class _PlainStream:
    """A stream that gets printable text."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(text, self._stream))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

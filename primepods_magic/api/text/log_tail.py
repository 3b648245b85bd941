"""The end of a log as it is shown: no more of it is searched for secrets and rendered than that takes."""

from __future__ import annotations

from collections.abc import Callable

from .sanitize import sanitize_lines
from .terminal_screen import LEFT_OUT, MAX_CHARACTERS, MAX_ROWS

__all__ = ["show_end"]

_FIRST_CHARACTERS = 64_000
_CHARACTERS_IN_LINE = 200
# A cursor reaches no farther up: what is above that is as the whole text would show it.
_ROWS_BEFORE = 2 * MAX_ROWS


def show_end(text: str, lines: int | None, hide_end: Callable[[str, int], str]) -> str:
    """Show the last lines of a log, each as it was last redrawn.

    Parameters
    ----------
    text : str
        The log as it was written.
    lines : int, optional
        How many; all of them unless given.
    hide_end : callable
        Takes a text and a number of characters; returns that many of the last ones, without secrets.

    Returns
    -------
    str
        Clean lines. Of a very long text, the first ones are left out, and a line says so.
    """
    size = len(text) if lines is None else _FIRST_CHARACTERS + _CHARACTERS_IN_LINE * lines
    while size < min(len(text), MAX_CHARACTERS):
        # The first line is not whole.
        shown = sanitize_lines(hide_end(text, size).partition("\n")[2]).splitlines()
        if lines is not None and len(shown) >= lines + _ROWS_BEFORE:
            return "\n".join(shown[-lines:])
        size *= 4
    if len(text) > MAX_CHARACTERS:
        end = hide_end(text, MAX_CHARACTERS)
        whole = LEFT_OUT + sanitize_lines(end.partition("\n")[2] or end)
    else:
        whole = sanitize_lines(hide_end(text, len(text)))
    return whole if lines is None else "\n".join(whole.splitlines()[-lines:])

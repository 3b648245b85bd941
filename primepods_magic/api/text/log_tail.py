"""The end of a log, with only as much searched for secrets and rendered as it needs."""

from __future__ import annotations

from collections.abc import Callable

from .sanitize import sanitize_lines
from .terminal_screen import LEFT_OUT, MAX_CHARACTERS, MAX_ROWS

__all__ = ["show_end"]

_MIN_CHARACTERS = 64_000
_CHARACTERS_PER_LINE = 200
# A cursor reaches no farther up, so the rows above look as in the whole text.
_ROWS_BEFORE = 2 * MAX_ROWS


def show_end(text: str, lines: int | None, hide_end: Callable[[str, int], str]) -> str:
    """Render the last ``lines`` of a log (all by default), clean; mark the cut of a very long one.

    ``hide_end`` takes a text and a size, and returns that many of its last characters without secrets.
    """
    size = len(text) if lines is None else _MIN_CHARACTERS + _CHARACTERS_PER_LINE * lines
    while size < min(len(text), MAX_CHARACTERS):
        # Drop the first line, which is incomplete.
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

"""Questions to the person at the keyboard."""

from __future__ import annotations

from typing import Any

from primepods_magic.notebook.shell.kernel import has_front_end

from .output import ask_line

__all__ = ["confirm"]


def confirm(shell: Any, question: str) -> bool:
    """Ask a yes-or-no question; no answer, or no one to ask, is a no."""
    if not has_front_end(shell):
        return False
    try:
        answer = ask_line(f"{question} [y/N] ")
    except (EOFError, KeyboardInterrupt, OSError, RuntimeError, ValueError):
        return False
    return answer.strip().casefold() in ("y", "yes")

"""Questions to the person at the keyboard."""

from __future__ import annotations

from typing import Any

from primepods_magic.notebook.shell.kernel import has_front_end

from .output import ask_line

__all__ = ["confirm"]


def confirm(shell: Any, question: str) -> bool:
    """Ask a yes-or-no question; no answer, or no one to ask, is a no, which a script's shell notes."""
    is_agreed = has_front_end(shell) and _ask_question(question)
    if not is_agreed and hasattr(shell, "note_declined"):
        shell.note_declined()
    return is_agreed


def _ask_question(question: str) -> bool:
    try:
        answer = ask_line(f"{question} [y/N] ")
    except (EOFError, KeyboardInterrupt, OSError, RuntimeError, ValueError):
        return False
    return answer.strip().casefold() in ("y", "yes")

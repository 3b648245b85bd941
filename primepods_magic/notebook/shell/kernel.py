"""The request that a kernel is executing: its front end and its cell."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from primepods_magic.api.text.stream_output import is_terminal

__all__ = ["cell_of", "has_front_end", "in_kernel", "run_of", "shows_widgets"]


def has_front_end(shell: Any) -> bool:
    """Return whether a person can see a display and answer a question.

    In a kernel, the request that is being executed decides: front ends send ``allow_stdin: true``; papermill,
    nbclient and nbval do not. Elsewhere stdin must be a terminal.
    """
    if not in_kernel(shell):
        return is_terminal(sys.stdin)
    allowed = _read_request(shell, "content").get("allow_stdin")
    # Other and older kernels keep less of the request, but all keep this.
    return getattr(shell.kernel, "_allow_stdin", False) is True if allowed is None else bool(allowed)


def shows_widgets(shell: Any, setting: str = "auto") -> bool:
    """Return whether the output of this cell can show widgets, and be updated after the cell has ended.

    The request that is being executed decides. Notebooks send the id of the cell that keeps the output.
    Consoles send none: what they have printed cannot be changed. Voila and Colab send none either, but are
    known by their kernels.
    """
    if setting != "auto" or not in_kernel(shell):
        return setting == "widgets" and in_kernel(shell)
    return _is_run_by_voila() or (has_front_end(shell) and (cell_of(shell) is not None or _is_colab(shell)))


def cell_of(shell: Any) -> str | None:
    """Return the id of the notebook cell that is being executed, if the front end sends it."""
    cell = _read_request(shell, "metadata").get("cellId") if in_kernel(shell) else None
    return cell if isinstance(cell, str) else None


def run_of(shell: Any) -> str | None:
    """Return the id of the request that is being executed, which differs for each run of a cell."""
    run = _read_request(shell, "header").get("msg_id") if in_kernel(shell) else None
    return run if isinstance(run, str) else None


def _read_request(shell: Any, part: str) -> Mapping[str, Any]:
    """Return a part of the request that is being executed; empty if the kernel does not keep it."""
    try:
        content = shell.kernel.get_parent("shell")[part]
    except (AttributeError, LookupError, TypeError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _is_run_by_voila() -> bool:
    """Return whether Voila runs the notebook, to show its outputs on a page that cannot ask questions."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila/") or "VOILA_PREHEAT" in os.environ


def _is_colab(shell: Any) -> bool:
    return type(shell).__module__.startswith("google.colab")


def in_kernel(shell: Any) -> bool:
    """Return whether the shell is a kernel's."""
    return getattr(shell, "kernel", None) is not None

"""The request that a kernel is executing: who asked for it, and from which cell."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from primepods_magic.api.text.stream_output import is_terminal

__all__ = ["cell_of", "has_front_end", "in_kernel", "run_of"]


def has_front_end(shell: Any) -> bool:
    """Somebody is there, to see a display and to answer a question.

    Parameters
    ----------
    shell : InteractiveShell or None
        What `get_ipython()` answers. In a kernel the request that is being executed decides: front ends
        send `allow_stdin: true`, papermill, nbclient and nbval do not. Elsewhere stdin must be a terminal.
    """
    if not in_kernel(shell):
        return is_terminal(sys.stdin)
    allowed = _request(shell, "content").get("allow_stdin")
    # Kernels other than ipykernel, and old ones, remember less; this much they share.
    return getattr(shell.kernel, "_allow_stdin", False) is True if allowed is None else bool(allowed)


def cell_of(shell: Any) -> str | None:
    """The id of the notebook cell that is being executed, where the front end tells it.

    Parameters
    ----------
    shell : InteractiveShell or None
        What `get_ipython()` answers.
    """
    told = _request(shell, "metadata").get("cellId") if in_kernel(shell) else None
    return told if isinstance(told, str) else None


def run_of(shell: Any) -> str | None:
    """The id of the request that is being executed: another one is another run of the cell.

    Parameters
    ----------
    shell : InteractiveShell or None
        What `get_ipython()` answers.
    """
    told = _request(shell, "header").get("msg_id") if in_kernel(shell) else None
    return told if isinstance(told, str) else None


def _request(shell: Any, part: str) -> Mapping[str, Any]:
    """A part of the request that is being executed; empty where the kernel does not remember it."""
    try:
        told = shell.kernel.get_parent("shell")[part]
    except (AttributeError, LookupError, TypeError):
        return {}
    return told if isinstance(told, Mapping) else {}


def in_kernel(shell: Any) -> bool:
    """Return whether the shell is a kernel's."""
    return getattr(shell, "kernel", None) is not None

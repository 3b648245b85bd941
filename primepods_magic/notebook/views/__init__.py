"""The progress of pods, shown in the way that fits where the cell runs.

A front end gets a widget, a terminal gets bars, and where nobody watches (papermill, nbclient, a pipe)
there are plain lines. `open_view` is the only place that decides which; a view imports what it needs
when it is opened.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from primepods_magic.api.output import is_terminal

if TYPE_CHECKING:
    from primepods_magic.pods.snapshot import Snapshot

__all__ = ["View", "cell_of", "has_front_end", "open_view", "run_of"]


class View(Protocol):
    """A display of pods that follows what is known of them.

    The first `show` belongs to the thread that runs the cell, so that the display appears under it.
    Later calls may come from any thread, about twice a second at most. No method raises.
    """

    def show(self, snapshot: Snapshot) -> None:
        """Bring the display up to date.

        Parameters
        ----------
        snapshot : Snapshot
            What is known now.
        """

    def finish(self, snapshot: Snapshot) -> None:
        """Show the last state and put its lasting form in the place of the live display.

        Calling it again, or `show` after it, changes nothing.

        Parameters
        ----------
        snapshot : Snapshot
            What was known last.
        """

    def close(self) -> None:
        """Let go of what the lasting form still needs, where it needs anything."""


def open_view(shell: Any, *, as_text: bool = False, on_stop: Callable[[], object] | None = None) -> View:
    """The view that fits where the cell runs. Nothing appears before its first `show`.

    Parameters
    ----------
    shell : InteractiveShell or None
        What `get_ipython()` answers, inside the cell that wants the view.
    as_text : bool
        As lines of text, wherever that is.
    on_stop : callable, optional
        Is called when somebody does not want to watch any more, where the view can be told so.
    """
    from .guarded import GuardedView
    from .plain import PlainView

    return GuardedView(PlainView() if as_text else _choose(shell, on_stop))


def _choose(shell: Any, on_stop: Callable[[], object] | None) -> View:
    if _in_kernel(shell):
        if has_front_end(shell):
            from .widget import WidgetView

            return WidgetView(shell, on_stop)
    elif is_terminal(sys.stdout) and os.environ.get("TERM") != "dumb":
        from .terminal import TerminalView

        return TerminalView(shell)
    from .plain import PlainView

    return PlainView()


def has_front_end(shell: Any) -> bool:
    """Somebody is there, to see a display and to answer a question.

    Parameters
    ----------
    shell : InteractiveShell or None
        What `get_ipython()` answers. In a kernel the request that is being executed decides: front ends
        send `allow_stdin: true`, papermill, nbclient and nbval do not. Elsewhere stdin must be a terminal.
    """
    if not _in_kernel(shell):
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
    told = _request(shell, "metadata").get("cellId") if _in_kernel(shell) else None
    return told if isinstance(told, str) else None


def run_of(shell: Any) -> str | None:
    """The id of the request that is being executed: another one is another run of the cell.

    Parameters
    ----------
    shell : InteractiveShell or None
        What `get_ipython()` answers.
    """
    told = _request(shell, "header").get("msg_id") if _in_kernel(shell) else None
    return told if isinstance(told, str) else None


def _request(shell: Any, part: str) -> Mapping[str, Any]:
    """A part of the request that is being executed; empty where the kernel does not remember it."""
    try:
        told = shell.kernel.get_parent("shell")[part]
    except (AttributeError, LookupError, TypeError):
        return {}
    return told if isinstance(told, Mapping) else {}


def _in_kernel(shell: Any) -> bool:
    return getattr(shell, "kernel", None) is not None

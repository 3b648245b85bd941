"""The progress of pods, shown in the way that fits where the cell runs.

A front end gets a widget, a terminal gets bars, and where nobody watches (papermill, nbclient, a pipe)
there are plain lines. `open_view` is the only place that decides which; a view imports what it needs
when it is opened.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from primepods_magic.pods.snapshot import Snapshot

__all__ = ["View", "has_front_end", "open_view"]


class View(Protocol):
    """A display of pods that follows what is known of them.

    The first `show` belongs to the thread that runs the cell, so that the display appears under it.
    Later calls may come from any thread, about twice a second at most. Neither method raises.
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


def open_view(shell: Any, *, as_text: bool = False) -> View:
    """The view that fits where the cell runs. Nothing appears before its first `show`.

    Parameters
    ----------
    shell : InteractiveShell or None
        What `get_ipython()` answers, inside the cell that wants the view.
    as_text : bool
        As lines of text, wherever that is.
    """
    from .guarded import GuardedView
    from .plain import PlainView

    return GuardedView(PlainView() if as_text else _choose(shell))


def _choose(shell: Any) -> View:
    if _in_kernel(shell):
        if has_front_end(shell):
            from .widget import WidgetView

            return WidgetView(shell)
    elif _is_tty(sys.stdout) and os.environ.get("TERM") != "dumb":
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
        return _is_tty(sys.stdin)
    kernel = shell.kernel
    try:
        content = kernel.get_parent("shell")["content"]
        return bool(content["allow_stdin"])
    except (AttributeError, KeyError, LookupError, TypeError):
        # Kernels other than ipykernel, and old ones, remember less; this much they share.
        return getattr(kernel, "_allow_stdin", False) is True


def _in_kernel(shell: Any) -> bool:
    return getattr(shell, "kernel", None) is not None


def _is_tty(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        # Closed, or replaced by something that is not quite a file.
        return False

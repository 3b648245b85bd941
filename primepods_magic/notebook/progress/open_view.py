"""The progress of pods, shown in the way that fits where the cell runs.

A front end gets a widget, a terminal gets bars, and without either (papermill, nbclient, a pipe) there are
plain lines. `open_view` is the only place that decides which; a view imports what it needs when it is opened.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from primepods_magic.api.text.stream_output import is_terminal
from primepods_magic.notebook.shell.kernel import has_front_end, in_kernel

from .view import View

__all__ = ["open_view"]


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
    from .lines import PlainView
    from .safe_view import SafeView

    return SafeView(PlainView() if as_text else _choose(shell, on_stop))


def _choose(shell: Any, on_stop: Callable[[], object] | None) -> View:
    if in_kernel(shell):
        if has_front_end(shell):
            from .widget import WidgetView

            return WidgetView(shell, on_stop)
    elif is_terminal(sys.stdout) and os.environ.get("TERM") != "dumb":
        from .terminal import TerminalView

        return TerminalView(shell)
    from .lines import PlainView

    return PlainView()

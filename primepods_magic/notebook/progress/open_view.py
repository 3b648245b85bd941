"""Choice of the progress display that fits the session.

A front end gets a widget, a terminal gets bars; papermill, nbclient and pipes get plain lines. Each view
imports what it needs when it is opened.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.stream_output import is_terminal
from primepods_magic.notebook.shell.kernel import has_front_end, in_kernel

from .view import View

if TYPE_CHECKING:
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["open_script_view", "open_view"]


def open_view(
    shell: Any,
    *,
    as_text: bool = False,
    on_stop: Callable[[], object] | None = None,
    connection: Connection | None = None,
    notifies: bool = False,
) -> View:
    """Return the view that fits the session, or lines of text; nothing appears before its first `show`.

    ``on_stop`` is called when the user stops watching, if the view has a button for that. A ``connection`` is
    named, and takes the requests of the view's buttons. ``notifies`` adds notifications about pods that are
    ready, have failed or are gone, for a person in another window.
    """
    from .lines import PlainView
    from .safe_view import SafeView

    return SafeView(PlainView() if as_text else _choose_view(shell, on_stop, connection, notifies))


def open_script_view() -> View | None:
    """Return bars on stderr for a wait in Python code; ``None`` without a terminal, as in a notebook."""
    if not is_terminal(sys.stderr) or os.environ.get("TERM") == "dumb":
        return None
    from .safe_view import SafeView
    from .terminal import TerminalView

    return SafeView(TerminalView(None, stream=sys.stderr))


def _choose_view(
    shell: Any, on_stop: Callable[[], object] | None, connection: Connection | None, notifies: bool
) -> View:
    if in_kernel(shell):
        if has_front_end(shell):
            from .widget import WidgetView

            return WidgetView(shell, on_stop, connection, notifies=notifies)
    elif is_terminal(sys.stdout) and os.environ.get("TERM") != "dumb":
        from .terminal import TerminalView

        return TerminalView(shell, connection, notifies=notifies)
    from .lines import PlainView

    return PlainView()

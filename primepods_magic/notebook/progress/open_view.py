"""Choice of the progress display that fits the session.

A notebook gets a widget, a terminal gets bars; consoles, papermill, nbclient and pipes get plain lines. Each
view imports what it needs when it is opened.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.stream_output import is_terminal
from primepods_magic.notebook.shell.kernel import in_kernel, shows_widgets

from .view import View

if TYPE_CHECKING:
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["open_script_view", "open_view"]


def open_view(
    shell: Any,
    *,
    setting: str = "auto",
    on_stop: Callable[[], object] | None = None,
    connection: Connection | None = None,
    notifies: bool = False,
) -> View:
    """Return the view that fits the session and the setting; nothing appears before its first `show`.

    ``on_stop`` is called when the user stops watching, if the view has a button for that. A ``connection`` is
    named, and takes the requests of the view's buttons. ``notifies`` adds notifications about pods that are
    ready, have failed or are gone, for a person in another window.
    """
    from .lines import PlainView
    from .safe_view import SafeView

    if shows_widgets(shell, setting):
        from .widget import WidgetView

        return SafeView(WidgetView(shell, on_stop, connection, notifies=notifies))
    is_bare = setting == "text" or in_kernel(shell) or not is_terminal(sys.stdout)
    if is_bare or os.environ.get("TERM") == "dumb":
        return SafeView(PlainView())
    from .terminal import TerminalView

    return SafeView(TerminalView(shell, connection, notifies=notifies))


def open_script_view() -> View | None:
    """Return bars on stderr for a wait in Python code; ``None`` without a terminal, as in a notebook."""
    if not is_terminal(sys.stderr) or os.environ.get("TERM") == "dumb":
        return None
    from .safe_view import SafeView
    from .terminal import TerminalView

    return SafeView(TerminalView(None, stream=sys.stderr))

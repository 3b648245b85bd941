"""Loading and unloading: what comes into a shell, and leaves it without a trace."""

from __future__ import annotations

import sys
from typing import Any

from .magics import PodsMagics

__all__ = ["load", "unload"]

_MAGICS = {"line": ("pods", "pod_create"), "cell": ("pod_create",)}


def load(shell: Any) -> None:
    """Register the magics, the formatters and the completion, once, and say how many pods were running."""
    if _loaded(shell) is not None:
        return
    from . import completion
    from .display import connection as connection_card
    from .display import frames as display
    from .display import pod as card

    magics = PodsMagics(shell)
    shell.register_magics(magics)
    for views in (display, card, connection_card):
        views.register(shell.display_formatter)
    completion.register(shell)
    if magics.greet:
        from primepods_magic.notebook.shell.output import say
        from primepods_magic.pods.connection.last_seen import greeting

        line = greeting()
        if line:
            say(line)


def unload(shell: Any) -> None:
    """Remove all that, end the live displays and close the connection."""
    magics = _loaded(shell)
    if magics is None:
        return
    from . import completion
    from .display import connection as connection_card
    from .display import frames as display
    from .display import pod as card

    completion.unregister(shell)
    magics.live.close()
    launcher = sys.modules.get("primepods_magic.notebook.launcher")
    if launcher is not None:
        launcher.close_launchers()
    for views in (display, card, connection_card):
        views.unregister(shell.display_formatter)
    for kind, names in _MAGICS.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    shell.magics_manager.registry.pop(PodsMagics.__name__, None)
    shell.configurables[:] = [item for item in shell.configurables if item is not magics]
    # Nothing was opened where this was never needed.
    connection = sys.modules.get("primepods_magic.pods.connection.current")
    if connection is not None:
        connection.disconnect()


def _loaded(shell: Any) -> PodsMagics | None:
    magics = shell.magics_manager.registry.get(PodsMagics.__name__)
    return magics if isinstance(magics, PodsMagics) else None

"""Loading the extension into a shell, and unloading it without a trace."""

from __future__ import annotations

import sys
from datetime import timezone
from typing import TYPE_CHECKING, Any

from primepods_magic.api.text.instants import use_zone
from primepods_magic.api.text.python_words import speak_magics

from .display import formatters
from .magics import PodsMagics
from .shell.cell_placement import place_cell_magic
from .shell.kernel import in_kernel

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

__all__ = ["load", "unload"]

_MAGICS = {"line": ("pods", "pod_create", "pod"), "cell": ("pod_create", "pod")}
_MATCHER = "primepods_magic"


def load(shell: Any) -> None:
    """Register the magics, the formatters and the completion, once, and print how many pods were running.

    Only what this needs is imported: most of what a command needs is loaded by the first one.
    """
    if _find_magics(shell) is not None:
        return
    speak_magics()
    magics = PodsMagics(shell)
    shell.register_magics(magics)
    formatters.register(shell.display_formatter)
    _register_completion(shell)
    if in_kernel(shell):
        from .cells.pod_kernel import answer_pod_cells

        magics.undo.append(answer_pod_cells(shell.kernel))
    if hasattr(shell, "input_transformers_cleanup"):
        shell.input_transformers_cleanup.append(place_cell_magic)
    if magics.greet:
        from primepods_magic.pods.connection.last_seen import greeting

        line = greeting()
        if line:
            from primepods_magic.notebook.shell.output import say

            say(line)


def unload(shell: Any) -> None:
    """Remove everything that `load` registered, stop the live displays and close the connection."""
    magics = _find_magics(shell)
    if magics is None:
        return
    completer = getattr(shell, "Completer", None)
    if completer is not None:
        completer.custom_matchers[:] = [
            matcher for matcher in completer.custom_matchers if not _is_our_matcher(matcher)
        ]
    if place_cell_magic in getattr(shell, "input_transformers_cleanup", ()):
        shell.input_transformers_cleanup.remove(place_cell_magic)
    speak_magics(is_loaded=False)
    use_zone(timezone.utc)
    for undo in magics.undo:
        undo()
    magics.live.close()
    launcher = sys.modules.get("primepods_magic.notebook.launcher")
    if launcher is not None:
        launcher.close_launchers()
    formatters.unregister(shell.display_formatter)
    for kind, names in _MAGICS.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    shell.magics_manager.registry.pop(PodsMagics.__name__, None)
    shell.configurables[:] = [item for item in shell.configurables if item is not magics]
    # Without this module, no connection was opened.
    connection = sys.modules.get("primepods_magic.pods.connection.current")
    if connection is not None:
        connection.disconnect()


def _find_magics(shell: Any) -> PodsMagics | None:
    magics = shell.magics_manager.registry.get(PodsMagics.__name__)
    return magics if isinstance(magics, PodsMagics) else None


def _register_completion(shell: Any) -> None:
    """Complete in a shell, once; a shell without a completer stays as it is."""
    completer = getattr(shell, "Completer", None)
    if completer is None or any(map(_is_our_matcher, completer.custom_matchers)):
        return
    from IPython.core.completer import context_matcher

    completer.custom_matchers.append(context_matcher(identifier=_MATCHER)(_match_line))


def _match_line(context: CompletionContext) -> SimpleMatcherResult:
    from .completion import match

    return match(context)


def _is_our_matcher(matcher: Any) -> bool:
    return getattr(matcher, "matcher_identifier", None) == _MATCHER

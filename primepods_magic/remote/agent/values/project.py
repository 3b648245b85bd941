"""The project's folder in a session: cells run there, and modules that were sent again are loaded again."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Dict, List

__all__ = ["enter_folder"]


def enter_folder(namespace: Dict[str, Any], folder: str, changed: List[str]) -> Dict[str, Any]:
    """Make a folder the current one, and load its modules that have changed again.

    Functions and classes that cells have imported from them are brought up to date. Raises what a module
    raises.
    """
    from IPython.extensions.autoreload import superreload

    folder = os.path.realpath(os.path.expanduser(folder))
    try:
        here = os.path.realpath(os.getcwd())
    except FileNotFoundError:
        # It was removed, and perhaps made again.
        here = os.sep
    if os.path.commonpath([folder, here]) != folder:
        os.chdir(folder)
    importlib.invalidate_caches()
    paths = {os.path.join(folder, name) for name in changed}
    reloaded = []
    # A module is listed before those that it imports.
    for name, module in reversed(list(sys.modules.items())):
        path = getattr(module, "__file__", None)
        if path and name != "__main__" and os.path.realpath(path) in paths:
            superreload(module)  # type: ignore[no-untyped-call]
            reloaded.append(name)
    return {"reloaded": reloaded}

"""Rent GPU pods on Prime Intellect from a notebook.

``%load_ext primepods_magic`` loads the magics ``%pods`` and ``%%pod_create``. The same in Python:

>>> from primepods_magic import connect, launch
>>> connect(sandbox=True)                                                    # doctest: +SKIP
connected to the sandbox: its pods are simulated, nothing is billed
>>> launch(gpu="H100_80GB", name="train").wait()                             # doctest: +SKIP
Pod train: 1 × H100_80GB · $2.39/h · ready · ssh root@203.0.113.7 -p 22
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from . import costs, errors
    from .api.client import Client
    from .api.errors import PodsError
    from .api.settings import Settings
    from .frames.listing import list_gpus, list_offers
    from .notebook.launcher import Launcher
    from .pods.connection.current import connect
    from .pods.disks.change import delete_disks, rename_disk
    from .pods.disks.create import create_disk
    from .pods.guards.alerts import add_alert, end_alert, list_alerts
    from .pods.launching.launch import launch, launch_many
    from .pods.launching.limits import Limits
    from .pods.lookup import get_pod, list_pods
    from .pods.pod import Pod

__all__ = [
    "Client",
    "Launcher",
    "Limits",
    "Pod",
    "PodsError",
    "Settings",
    "add_alert",
    "connect",
    "costs",
    "create_disk",
    "delete_disks",
    "end_alert",
    "errors",
    "get_pod",
    "launch",
    "launch_many",
    "list_alerts",
    "list_gpus",
    "list_offers",
    "list_pods",
    "load_ipython_extension",
    "rename_disk",
    "unload_ipython_extension",
]

# Resolved on first use, so that importing the package is fast.
_MODULE_BY_NAME = {
    "Client": ".api.client",
    "Launcher": ".notebook.launcher",
    "Limits": ".pods.launching.limits",
    "Pod": ".pods.pod",
    "PodsError": ".api.errors",
    "Settings": ".api.settings",
    "add_alert": ".pods.guards.alerts",
    "connect": ".pods.connection.current",
    "create_disk": ".pods.disks.create",
    "delete_disks": ".pods.disks.change",
    "end_alert": ".pods.guards.alerts",
    "get_pod": ".pods.lookup",
    "launch": ".pods.launching.launch",
    "launch_many": ".pods.launching.launch",
    "list_alerts": ".pods.guards.alerts",
    "list_gpus": ".frames.listing",
    "list_offers": ".frames.listing",
    "list_pods": ".pods.lookup",
    "rename_disk": ".pods.disks.change",
}
_SUBMODULES = ("costs", "errors")


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f".{name}", __name__)
    if name in _MODULE_BY_NAME:
        _choose_displays()
        return getattr(import_module(_MODULE_BY_NAME[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _choose_displays() -> None:
    """Provide the displays of Python calls: the layer that works does not know the one that shows."""
    from .pods.support.progress import choose_displays

    choose_displays(_open_progress, _open_bar)


def _open_progress() -> Any:
    """Open the display of a wait in a script."""
    from .notebook.progress.open_view import open_script_view

    return open_script_view()


def _open_bar(doing: str) -> Any:
    """Open the bar of a transfer."""
    from .notebook.progress.download_bar import show_transfer

    ipython = sys.modules.get("IPython")
    return show_transfer(ipython.get_ipython() if ipython else None, doing)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Load the magics into a shell; ``%load_ext primepods_magic`` calls this.

    Parameters
    ----------
    shell : InteractiveShell
        The shell to load into; loading twice has no further effect.
    """
    from .notebook.extension import load

    _choose_displays()
    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Unload the magics from a shell and close all connections.

    Parameters
    ----------
    shell : InteractiveShell
        The shell to unload from.
    """
    from .notebook.extension import unload

    unload(shell)

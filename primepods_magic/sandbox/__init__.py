"""The Pods API on this computer: try and test everything without an account, and without spending anything.

It answers real HTTP on a loopback port, keeps its pods in a SQLite file, and works for any client of the API.

Example
-------
>>> from primepods_magic.sandbox import start
>>> with start() as sandbox:  # doctest: +SKIP
...     print(sandbox.url)
http://127.0.0.1:40123

From a shell: ``python -m primepods_magic.sandbox``. The key ``sandbox`` may do everything, ``sandbox-read``
may only read, and ``sandbox-teammate`` is somebody else's. ``/docs`` tells everything that is served.

Things can go wrong on purpose: with ``start(faults="launch")`` or ``--faults launch``, for a single request
with the header ``X-Sandbox-Fault: reset_after``, and from then on with ``PUT /sandbox/faults``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primepods_magic.sandbox.storage.connection import DatabaseUnusable

    from .server import RunningSandbox, start

__all__ = ["DatabaseUnusable", "RunningSandbox", "start"]

_HOMES = {"DatabaseUnusable": ".storage.connection", "RunningSandbox": ".server", "start": ".server"}


def __getattr__(name: str) -> Any:
    # Importing the package must stay cheap: the server's libraries are only needed to serve.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""A local simulation of the Pods API, for trying and testing everything without an account or cost.

It serves HTTP on a loopback port, stores its pods in a SQLite file, and works with any client of the API.

>>> from primepods_magic.sandbox import start
>>> with start() as sandbox:  # doctest: +SKIP
...     print(sandbox.url)
http://127.0.0.1:40123

From a shell: `python -m primepods_magic.sandbox`; `/docs` documents all routes. The key `sandbox` has all
permissions, `sandbox-read` can only read, and `sandbox-teammate` belongs to another user.

Faults can be injected: with `start(faults="launch")` or `--faults launch`, for a single request with the
header `X-Sandbox-Fault: reset_after`, or at run time with `PUT /sandbox/faults`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primepods_magic.sandbox.storage.connection import DatabaseUnusable

    from .server import RunningSandbox, start

__all__ = ["DatabaseUnusable", "RunningSandbox", "start"]

_MODULES = {"DatabaseUnusable": ".storage.connection", "RunningSandbox": ".server", "start": ".server"}


def __getattr__(name: str) -> Any:
    # Load lazily: importing the package must not import the server's libraries.
    if name in _MODULES:
        return getattr(import_module(_MODULES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

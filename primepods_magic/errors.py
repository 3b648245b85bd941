"""The exceptions of this package; `PodsError` is their base class.

>>> from primepods_magic.errors import NotFound, PodsError
>>> issubclass(NotFound, PodsError)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from primepods_magic.api.errors import *  # noqa: F403


def __getattr__(name: str) -> Any:
    from .api import errors

    if name in {"__all__", *errors.__all__}:
        return getattr(errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from .api import errors

    return sorted({*globals(), *errors.__all__})

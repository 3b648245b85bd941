"""Secret strings: not in any ``repr`` or ``asdict``, never on disk."""

from __future__ import annotations

from typing import NoReturn

from pydantic import SecretStr

__all__ = ["Secret"]


class Secret(SecretStr):
    """A secret string that is never pickled.

    >>> print(Secret("hunter2"))
    **********
    """

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

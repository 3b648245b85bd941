"""Text that nothing tells: no ``repr``, no ``asdict``, no copy on a disk."""

from __future__ import annotations

from typing import NoReturn

from pydantic import SecretStr

__all__ = ["Secret"]


class Secret(SecretStr):
    """A secret text, which is never pickled either.

    >>> print(Secret("hunter2"))
    **********
    """

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

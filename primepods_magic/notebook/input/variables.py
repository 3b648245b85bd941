"""The variables of a notebook, as a spec takes them: ``${NAME}``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from pydantic import SecretStr

from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.api.text.sanitize import sanitize

from .values import forms_of_secret, hide_secrets, is_ordinary, sounds_secret

__all__ = ["Variables"]


def _python_value(value: Any) -> Any:
    """Return a scalar of NumPy as Python's; NumPy need not be loaded to know."""
    is_scalar = getattr(value, "ndim", None) == 0 and callable(getattr(value, "item", None))
    return value.item() if is_scalar else value


class Variables:
    """The variables that ``${NAME}`` takes: a notebook's, of which a `SecretStr` is kept secret, else the
    environment's, which all are, but for ordinary words and numbers that are not called so.

    Parameters
    ----------
    namespace : mapping
        The notebook's.
    secrets : dict, optional
        What to show in the place of secrets that are known already; those that are taken are added to it.
    """

    def __init__(self, namespace: Mapping[str, Any], secrets: dict[str, str] | None = None) -> None:
        self._namespace = namespace
        self._names_of = {} if secrets is None else secrets

    def __call__(self, name: str) -> str:
        if name not in self._namespace:
            value = os.environ[name]
            is_open = is_ordinary(value) and not sounds_secret(name)
            return value if is_open else self._kept_secret(name, value)
        value = self._namespace[name]
        if isinstance(value, SecretStr):
            return self._kept_secret(name, value.get_secret_value())
        try:
            plain = _python_value(value)
            if isinstance(plain, bool):
                return json.dumps(plain)
            if isinstance(plain, (str, int, float, PurePath)):
                return str(plain)
        except Exception as error:  # noqa: BLE001 - a number of too many digits, or a class of the user's own
            # The error's own words may hold a value.
            reason = f"has no text: it raises {type(error).__name__}"
        else:
            reason = f"is a {type(value).__name__}, not a text or a number"
        raise InvalidRequest(f"${{{sanitize(name)}}} {reason}. Nothing was sent")

    def _kept_secret(self, name: str, value: str) -> str:
        self._names_of.update((form, f"${{{name}}}") for form in forms_of_secret(value))
        return value

    def spare(self, name: str) -> None:
        """What is part of a pod's name is told by every listing, and by errors as well."""
        for value in [value for value in self._names_of if value in name]:
            del self._names_of[value]

    def hide_in(self, error: PodsError) -> None:
        """Put the environment's names in the place of its values, wherever an error repeats them."""
        hide_secrets(error, self._names_of)

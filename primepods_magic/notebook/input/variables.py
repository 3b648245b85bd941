"""Variables for a spec: the values of ``${NAME}``."""

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


def _convert_scalar(value: Any) -> Any:
    """Return a NumPy scalar as a Python one, without loading NumPy."""
    is_scalar = getattr(value, "ndim", None) == 0 and callable(getattr(value, "item", None))
    return value.item() if is_scalar else value


class Variables:
    """The variables that ``${NAME}`` takes from the notebook or else the environment.

    Errors show the name instead of the value, unless the value is a number or an ordinary word and its name
    does not sound like a secret's. ``secrets`` maps secrets to their names; values taken are added to it.
    """

    def __init__(self, namespace: Mapping[str, Any], secrets: dict[str, str] | None = None) -> None:
        self._namespace = namespace
        self._names_of = {} if secrets is None else secrets

    def __call__(self, name: str) -> str:
        value = self._namespace[name] if name in self._namespace else os.environ[name]
        is_secret = isinstance(value, SecretStr)
        text = value.get_secret_value() if isinstance(value, SecretStr) else _read_text(name, value)
        if is_secret or sounds_secret(name) or not is_ordinary(text):
            self._names_of.update((form, f"${{{name}}}") for form in forms_of_secret(text))
        return text

    def spare(self, name: str) -> None:
        """Show what is part of a pod's name: every listing shows it as well."""
        for value in [value for value in self._names_of if value in name]:
            del self._names_of[value]

    def hide_in(self, error: PodsError) -> None:
        """Replace secret values in an error with their names."""
        hide_secrets(error, self._names_of)


def _read_text(name: str, value: Any) -> str:
    """Return the text of a variable, or raise `InvalidRequest`."""
    try:
        plain = _convert_scalar(value)
        if isinstance(plain, bool):
            return json.dumps(plain)
        if isinstance(plain, (str, int, float, PurePath)):
            return str(plain)
    except Exception as error:  # noqa: BLE001 - a number with too many digits, or a class of the user's own
        # The error's own message may hold a value.
        reason = f"cannot be converted to text: it raises {type(error).__name__}"
    else:
        reason = f"is a {type(value).__name__}, not text or a number"
    raise InvalidRequest(f"${{{sanitize(name)}}} {reason}. Nothing was sent")

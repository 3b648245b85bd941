"""The variables of a notebook, as a spec takes them: ``${NAME}``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from pydantic import SecretStr

from primepods_magic.api.errors import InvalidRequest, PodsError

__all__ = ["Variables"]


class Variables:
    """The variables that ``${NAME}`` takes: a notebook's, of which a `SecretStr` is kept secret, else the
    environment's, which all are."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._names_of: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        if name not in self._namespace:
            return self._kept_secret(name, os.environ[name])
        value = self._namespace[name]
        if isinstance(value, SecretStr):
            return self._kept_secret(name, value.get_secret_value())
        if isinstance(value, bool):
            return json.dumps(value)
        if isinstance(value, (str, int, float, PurePath)):
            return str(value)
        raise InvalidRequest(
            f"${{{name}}} is a {type(value).__name__}, not a text or a number. Nothing was sent"
        )

    def _kept_secret(self, name: str, value: str) -> str:
        # A letter or two is in every sentence, and no secret.
        if len(value) > 2:
            self._names_of[value] = f"${{{name}}}"
        return value

    def spare(self, name: str) -> None:
        """What is part of a pod's name is told by every listing, and by errors as well."""
        self._names_of = {value: said for value, said in self._names_of.items() if value not in name}

    def hide_in(self, error: PodsError) -> None:
        """Put the environment's names in the place of its values, wherever an error repeats them."""
        error.hide(self._names_of)

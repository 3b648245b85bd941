"""The form as a ``%%pod_create`` cell, and the variables that keep secrets out of it."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import SecretStr

from primepods_magic.api.secrets.secret_text import Secret
from primepods_magic.api.text.sanitize import clean_message

__all__ = ["CELL_MAGIC", "SecretVariables", "format_body"]

CELL_MAGIC = "%%pod_create\n"
_REFERENCE = re.compile(r"\$\{([^{}]+)\}")


def format_body(fields: Mapping[str, object]) -> str:
    """Return the fields of a spec as the body of a cell, which parses back to the same fields.

    >>> print(format_body({"name": "train", "country": "NO", "env": {"HF_TOKEN": "${HF_TOKEN}"}}), end="")
    name: train
    country: 'NO'
    env:
      HF_TOKEN: ${HF_TOKEN}
    """
    body = _dump_yaml(fields, allow_unicode=True)
    # Escape characters that are invisible or change the direction of text.
    return body if clean_message(body) == body else _dump_yaml(fields, allow_unicode=False)


def _dump_yaml(fields: Mapping[str, object], *, allow_unicode: bool) -> str:
    return yaml.safe_dump(dict(fields), sort_keys=False, allow_unicode=allow_unicode, width=1_000_000)


class SecretVariables:
    """Secrets as masked variables of the notebook, which a cell refers to as ``${NAME}``.

    An existing variable is never overwritten or deleted: a pod or a cell may depend on it.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace

    def store(self, name: str, value: str) -> str:
        """Store a secret under `name`, or a numbered name if that is taken, and return its reference.

        A value that is a reference already, such as ``${HF_TOKEN}``, is returned as it is.

        >>> SecretVariables({"HF_TOKEN": "another"}).store("HF_TOKEN", "hf_abc")
        '${HF_TOKEN_2}'
        """
        if _REFERENCE.fullmatch(value.strip()):
            return value.strip()
        number, free = 1, name
        while not self._is_free(free, value):
            number += 1
            free = f"{name}_{number}"
        if free not in self._namespace:
            self._namespace[free] = Secret(value)
        return f"${{{free}}}"

    def is_stored(self, reference: str) -> bool:
        """Return whether a reference is to a masked variable of the notebook."""
        match = _REFERENCE.fullmatch(reference)
        return match is not None and isinstance(self._namespace.get(match[1]), SecretStr)

    def _is_free(self, name: str, value: str) -> bool:
        if keyword.iskeyword(name) or hasattr(builtins, name):
            return False
        existing = self._namespace.get(name, value)
        text = existing.get_secret_value() if isinstance(existing, SecretStr) else existing
        return isinstance(text, str) and text == value

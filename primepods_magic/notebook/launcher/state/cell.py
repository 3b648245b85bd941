"""The form as a ``%%pod_create`` cell, and the secrets that stay out of it."""

from __future__ import annotations

import builtins
import keyword
import re
import secrets
from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import SecretStr

from primepods_magic.api.secrets.secret_text import Secret
from primepods_magic.api.text.sanitize import clean_message

__all__ = ["HEAD", "SecretVariables", "body_of"]

HEAD = "%%pod_create\n"
_REFERENCE = re.compile(r"\$\{([^{}]+)\}")


def body_of(fields: Mapping[str, object]) -> str:
    """The fields of a spec as the body of a cell, which is read back as they are.

    >>> print(body_of({"name": "train", "country": "NO", "env": {"HF_TOKEN": "${HF_TOKEN}"}}), end="")
    name: train
    country: 'NO'
    env:
      HF_TOKEN: ${HF_TOKEN}
    """
    body = _dump_yaml(fields, allow_unicode=True)
    # In code, a character that turns text around or has no shape is written as its number.
    return body if clean_message(body) == body else _dump_yaml(fields, allow_unicode=False)


def _dump_yaml(fields: Mapping[str, object], *, allow_unicode: bool) -> str:
    return yaml.safe_dump(dict(fields), sort_keys=False, allow_unicode=allow_unicode, width=1_000_000)


class SecretVariables:
    """Secrets as variables of the notebook: a cell says ``${NAME}``, and the notebook holds a `SecretStr`,
    which shows as stars.

    Parameters
    ----------
    namespace : dict
        The notebook's variables. One that is there is never written over or taken away: a pod or a cell may
        go by it.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace

    def keep(self, name: str, value: str) -> str:
        """Keep a secret under a name, or one like it where that is taken; what to write in its place.

        A value that is a reference already, such as ``${HF_TOKEN}``, is that.

        Parameters
        ----------
        name : str
            What to call it.
        value : str
            The secret.

        Examples
        --------
        >>> SecretVariables({"HF_TOKEN": "another"}).keep("HF_TOKEN", "hf_abc")
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

    def generate(self, name: str) -> str:
        """A secret of this name, a new one where the notebook has none; what to write in its place."""
        there = self._namespace.get(name)
        is_there = isinstance(there, (str, SecretStr)) and len(there) > 0
        return f"${{{name}}}" if is_there else self.keep(name, secrets.token_urlsafe(12))

    def is_kept(self, reference: str) -> bool:
        """Whether a reference is to a secret of the notebook, which shows as stars."""
        match = _REFERENCE.fullmatch(reference)
        return match is not None and isinstance(self._namespace.get(match[1]), SecretStr)

    def _is_free(self, name: str, value: str) -> bool:
        if keyword.iskeyword(name) or hasattr(builtins, name):
            return False
        there = self._namespace.get(name, value)
        said = there.get_secret_value() if isinstance(there, SecretStr) else there
        return isinstance(said, str) and said == value

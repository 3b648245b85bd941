"""Undocumented response fields: which ones may be stored and shown."""

from __future__ import annotations

from typing import Any

from primepods_magic.api.http.urls import bare_urls
from primepods_magic.api.secrets.names import may_hold_secret

__all__ = ["FIELDS_LEFT_OUT", "MAX_FIELDS", "read_undocumented", "without_secrets"]

MAX_FIELDS = 200
"""Maximum number of undocumented fields that become columns of a table."""
FIELDS_LEFT_OUT = "fields_left_out"
"""The column with the number of fields beyond these."""


def read_undocumented(name: str, value: object) -> object:
    """Return the displayable value of an undocumented field, or ``None``.

    Only single values are shown, URLs without user and query, and no field that sounds secret.

    >>> read_undocumented("region", "eu"), read_undocumented("apiToken", "s3cr3t"), read_undocumented("a", [])
    ('eu', None, None)
    """
    if not isinstance(value, (str, int, float)) or may_hold_secret(name):
        return None
    return bare_urls(value) if isinstance(value, str) else value


def without_secrets(value: Any) -> Any:
    """Drop fields whose names sound secret, and fields that users write, such as environments."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if not may_hold_secret(str(key))}
        return {key: without_secrets(item) for key, item in kept.items()}
    return [without_secrets(item) for item in value] if isinstance(value, list) else value

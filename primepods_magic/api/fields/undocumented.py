"""Fields that the service sends beyond its documentation: which of them may be kept, and shown."""

from __future__ import annotations

from typing import Any

from primepods_magic.api.http.urls import bare_urls
from primepods_magic.api.secrets.names import may_hold_secret

__all__ = ["FIELDS_LEFT_OUT", "MAX_FIELDS", "read_undocumented", "without_secrets"]

MAX_FIELDS = 200
"""Undocumented fields of one listing that are columns."""
FIELDS_LEFT_OUT = "fields_left_out"
"""The column that counts, for each row, the fields beyond these."""


def read_undocumented(name: str, value: object) -> object:
    """Return the value of a field beyond the documents as it may be shown, or ``None``: single values, URLs
    without user and query, and nothing whose name sounds like a secret's.

    >>> read_undocumented("region", "eu"), read_undocumented("apiToken", "s3cr3t"), read_undocumented("a", [])
    ('eu', None, None)
    """
    if not isinstance(value, (str, int, float)) or may_hold_secret(name):
        return None
    return bare_urls(value) if isinstance(value, str) else value


def without_secrets(said: Any) -> Any:
    """Return what the service says without the fields whose names sound secret, and without what a user has
    written, such as environments."""
    if isinstance(said, dict):
        kept = {key: value for key, value in said.items() if not may_hold_secret(str(key))}
        return {key: without_secrets(value) for key, value in kept.items()}
    return [without_secrets(item) for item in said] if isinstance(said, list) else said

"""Detection of a sandbox on this computer."""

from __future__ import annotations

from typing import Any

from primepods_magic.api.client import Client
from primepods_magic.api.errors import RequestRefused, UnexpectedAnswer

__all__ = ["about_sandbox", "instance_of"]


def about_sandbox(client: Client) -> dict[str, Any] | None:
    """Return a sandbox's description of itself, or None if another service answers."""
    try:
        about = client.session.request("GET", "/sandbox")
    except (RequestRefused, UnexpectedAnswer):
        return None
    if isinstance(about, dict) and "sandbox" in str(about.get("product", "")):
        return about
    return None


def instance_of(about: dict[str, Any] | None) -> str | None:
    """Return a sandbox's id, which it keeps at any port."""
    instance = about.get("instance") if about else None
    return str(instance) if instance else None

"""What the service says of the account: whose key it is, its teams and keys; and of prices in general.

Source: the published OpenAPI document; the specification's page has none of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from .tolerant import Answer, Flag, Number, Text, Timestamp

__all__ = ["Permission", "SshKey", "SummaryPrice", "Team", "TeamMember", "User", "read_summary"]


class Permission(Answer):
    """What a key may do with one kind of thing."""

    read: Flag = None
    write: Flag = None


def _scope(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    return {str(name): said if isinstance(said, Mapping) else None for name, said in value.items()}


class User(Answer):
    """``GET /user/whoami``: whose key this is. ``scope`` names what the key may do, ``None`` is nothing.

    >>> user = User.model_validate({"id": "u1", "scope": {"instances": {"read": True, "write": False}}})
    >>> user.scope["instances"].write
    False
    """

    id: Text = None
    name: Text = None
    email: Text = None
    slug: Text = None
    role: Text = None
    created_at: Timestamp = None
    is_banned: Flag = None
    scope: Annotated[dict[str, Permission | None], BeforeValidator(_scope)] = {}


class Team(Answer):
    """One line of ``GET /user/teams``, and my role there."""

    team_id: Text = None
    name: Text = None
    slug: Text = None
    role: Text = None
    created_at: Timestamp = None


class TeamMember(Answer):
    """One line of ``GET /teams/{team_id}/members``."""

    user_id: Text = None
    user_name: Text = None
    user_email: Text = None
    role: Text = None
    joined_at: Timestamp = None


class SshKey(Answer):
    """One line of ``GET /ssh_keys``: a public key that can log in to the account's pods."""

    id: Text = None
    name: Text = None
    public_key: Text = None
    is_primary: Flag = None
    is_user_key: Flag = None
    user_id: Text = None
    created_at: Timestamp = None


class SummaryPrice(Answer):
    """The lowest prices per hour for a GPU type and count, in one region or anywhere (``cheapest``)."""

    on_demand: Number = None
    community_price: Number = None
    spot_price: Number = None


def read_summary(payload: object) -> dict[tuple[str, int, str], SummaryPrice]:
    """Read ``GET /availability/gpu-summary``: prices by GPU type, count, and region or ``"cheapest"``. Types
    and counts without a price are left out.

    >>> prices = {"H100_80GB": {"8": {"cheapest": {"onDemand": 19.12}, "canada": None}}}
    >>> read_summary(prices)["H100_80GB", 8, "cheapest"].on_demand
    19.12
    """
    prices = {}
    for gpu_type, counts in _objects(payload):
        for count, regions in _objects(counts):
            for region, said in _objects(regions):
                if count.isascii() and count.isdigit() and isinstance(said, Mapping):
                    prices[gpu_type, int(count[:9]), region] = SummaryPrice.model_validate(dict(said))
    return prices


def _objects(value: object) -> list[tuple[str, Any]]:
    return [(str(key), item) for key, item in value.items()] if isinstance(value, Mapping) else []

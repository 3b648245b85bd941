"""Account data from the service: users, teams, keys, billings and summary prices.

Source: the published OpenAPI document; the specification's page has none of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from primepods_magic.api.fields.lenient_types import (
    ApiModel,
    Balance,
    Currency,
    Flag,
    Label,
    OfferPrice,
    Text,
    Timestamp,
    Whole,
    rows_of,
)

__all__ = [
    "Billing",
    "Permission",
    "SshKey",
    "SummaryPrice",
    "Team",
    "TeamMember",
    "User",
    "Wallet",
    "read_summary",
]


class Permission(ApiModel):
    """The rights of a key on one kind of resource."""

    read: Flag = None
    write: Flag = None


def _read_scope(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    return {str(name): item if isinstance(item, Mapping) else None for name, item in value.items()}


class User(ApiModel):
    """The owner of a key (``GET /user/whoami``); a ``scope`` of ``None`` grants nothing.

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
    scope: Annotated[dict[str, Permission | None], BeforeValidator(_read_scope)] = {}


class Team(ApiModel):
    """A row of ``GET /user/teams``, with the user's role there."""

    team_id: Text = None
    name: Text = None
    slug: Text = None
    role: Text = None
    created_at: Timestamp = None


class TeamMember(ApiModel):
    """A row of ``GET /teams/{team_id}/members``."""

    user_id: Text = None
    user_name: Text = None
    user_email: Text = None
    role: Text = None
    joined_at: Timestamp = None


class SshKey(ApiModel):
    """A row of ``GET /ssh_keys``: a public key that can log in to the account's pods."""

    id: Text = None
    name: Text = None
    public_key: Text = None
    is_primary: Flag = None
    is_user_key: Flag = None
    user_id: Text = None
    created_at: Timestamp = None


class Billing(ApiModel):
    """The amount billed so far for a pod or disk, from ``GET /billing/wallet``, which uses snake_case."""

    id: Text = None
    created_at: Annotated[Timestamp, Field(alias="created_at")] = None
    updated_at: Annotated[Timestamp, Field(alias="updated_at")] = None
    last_billed_at: Annotated[Timestamp, Field(alias="last_billed_at")] = None
    amount_usd: Annotated[Balance, Field(alias="amount_usd")] = None
    currency: Currency = None
    resource_type: Annotated[Text, Field(alias="resource_type")] = None
    resource_id: Annotated[Text, Field(alias="resource_id")] = None


class Wallet(ApiModel):
    """The balance and the latest billings (``GET /billing/wallet``).

    >>> Wallet.model_validate({"wallet_id": "w1", "balance_usd": 12.5}).balance_usd
    12.5
    """

    wallet_id: Annotated[Text, Field(alias="wallet_id")] = None
    team_id: Annotated[Label, Field(alias="team_id")] = None
    balance_usd: Annotated[Balance, Field(alias="balance_usd")] = None
    currency: Currency = None
    total_billings: Annotated[Whole, Field(alias="total_billings")] = None
    recent_billings: Annotated[list[Billing], BeforeValidator(rows_of), Field(alias="recent_billings")] = []


class SummaryPrice(ApiModel):
    """The lowest prices per hour for a GPU type and count, in one region or anywhere (``cheapest``)."""

    on_demand: OfferPrice = None
    community_price: OfferPrice = None
    spot_price: OfferPrice = None


def read_summary(payload: object) -> dict[tuple[str, int, str], SummaryPrice]:
    """Read ``GET /availability/gpu-summary``: prices by GPU type, count, and region or ``"cheapest"``.

    >>> prices = {"H100_80GB": {"8": {"cheapest": {"onDemand": 19.12}, "canada": None}}}
    >>> read_summary(prices)["H100_80GB", 8, "cheapest"].on_demand
    19.12
    """
    prices = {}
    for gpu_type, counts in _list_items(payload):
        for count, regions in _list_items(counts):
            for region, price in _list_items(regions):
                if count.isascii() and count.isdigit() and isinstance(price, Mapping):
                    prices[gpu_type, int(count[:9]), region] = SummaryPrice.model_validate(dict(price))
    return prices


def _list_items(value: object) -> list[tuple[str, Any]]:
    return [(str(key), item) for key, item in value.items()] if isinstance(value, Mapping) else []

"""What the service says of the account: whose key it is, its teams and keys; and of prices in general.

Source: the published OpenAPI document; the specification's page has none of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from primepods_magic.api.fields.lenient_types import (
    Amount,
    ApiModel,
    Balance,
    Currency,
    Flag,
    Label,
    OfferPrice,
    Size,
    Text,
    Timestamp,
    Whole,
    parse_enum,
    rows_of,
)

from .enums import STATUS_SYNONYMS, PodStatus

__all__ = [
    "Billing",
    "Disk",
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
    """What a key may do with one kind of thing."""

    read: Flag = None
    write: Flag = None


def _scope(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    return {str(name): said if isinstance(said, Mapping) else None for name, said in value.items()}


class User(ApiModel):
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


class Team(ApiModel):
    """One line of ``GET /user/teams``, and my role there."""

    team_id: Text = None
    name: Text = None
    slug: Text = None
    role: Text = None
    created_at: Timestamp = None


class TeamMember(ApiModel):
    """One line of ``GET /teams/{team_id}/members``."""

    user_id: Text = None
    user_name: Text = None
    user_email: Text = None
    role: Text = None
    joined_at: Timestamp = None


class SshKey(ApiModel):
    """One line of ``GET /ssh_keys``: a public key that can log in to the account's pods."""

    id: Text = None
    name: Text = None
    public_key: Text = None
    is_primary: Flag = None
    is_user_key: Flag = None
    user_id: Text = None
    created_at: Timestamp = None


def _place(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


class DiskPlace(ApiModel):
    """Where a disk is, and whether several pods may share it."""

    country: Text = None
    data_center_id: Text = None
    cloud_id: Text = None
    is_multinode: Flag = None


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _disk_status(value: object) -> PodStatus | str | None:
    # A disk has the words of a pod, and some of its own.
    return parse_enum(PodStatus, value, STATUS_SYNONYMS)


_DiskStatus = Annotated[PodStatus | str | None, BeforeValidator(_disk_status)]


class Disk(ApiModel):
    """One line of ``GET /disks``: a disk, which survives the pods it is attached to and bills by itself.
    ``size`` is in GB, prices are USD per hour for the whole disk."""

    id: Text = None
    name: Text = None
    status: _DiskStatus = None
    size: Size = None
    provider_type: Label = None
    price_hr: Amount = None
    stopped_price_hr: Amount = None
    provisioning_price_hr: Amount = None
    created_at: Timestamp = None
    updated_at: Timestamp = None
    terminated_at: Timestamp = None
    user_id: Label = None
    team_id: Label = None
    wallet_id: Label = None
    info: Annotated[DiskPlace, BeforeValidator(_place)] = DiskPlace()
    pods: Annotated[list[str], BeforeValidator(_texts)] = []
    clusters: Annotated[list[str], BeforeValidator(_texts)] = []


class Billing(ApiModel):
    """What one pod or disk was billed so far, as ``GET /billing/wallet`` says it, in its snake_case."""

    id: Text = None
    created_at: Annotated[Timestamp, Field(alias="created_at")] = None
    updated_at: Annotated[Timestamp, Field(alias="updated_at")] = None
    last_billed_at: Annotated[Timestamp, Field(alias="last_billed_at")] = None
    amount_usd: Annotated[Balance, Field(alias="amount_usd")] = None
    currency: Currency = None
    resource_type: Annotated[Text, Field(alias="resource_type")] = None
    resource_id: Annotated[Text, Field(alias="resource_id")] = None


class Wallet(ApiModel):
    """``GET /billing/wallet``: what there is to spend, and what was billed last.

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

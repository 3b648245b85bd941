"""Frames of the account: disks, SSH keys, teams, members, billings and wallets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from primepods_magic.api.account import Billing, SshKey, Team, TeamMember
from primepods_magic.api.disks import Disk, DiskOffer
from primepods_magic.pods.account.overview import WalletState
from primepods_magic.pods.disks.change import DiskRemoval
from primepods_magic.pods.disks.offers import MONTH_HR, price_disk_usd_hr
from primepods_magic.pods.ssh.keys import fingerprint

from .schema import STRING, TIME, Column, build

__all__ = [
    "BILLINGS",
    "DELETED_DISKS",
    "DISKS",
    "DISK_OFFERS",
    "KEYS",
    "MEMBERS",
    "TEAMS",
    "WALLETS",
    "billings_frame",
    "deleted_disks_frame",
    "disk_offers_frame",
    "disks_frame",
    "keys_frame",
    "members_frame",
    "overview_frame",
    "teams_frame",
]


def disks_frame(disks: Iterable[Disk]) -> pd.DataFrame:
    """Build a frame of disks; each line of ``pods`` is a pod that the disk is attached to.

    >>> disks_frame([Disk(name="datasets", size=500)])[["name", "size_gb"]].to_dict("records")
    [{'name': 'datasets', 'size_gb': 500.0}]
    """
    return build(DISKS, disks)


def disk_offers_frame(offers: Iterable[DiskOffer]) -> pd.DataFrame:
    """Build a frame of the places where disks can be created, in the order given.

    >>> offer = DiskOffer(provider="hyperstack", spec={"pricePerUnit": 0.00012})
    >>> disk_offers_frame([offer])["price_usd_gb_month"].tolist()
    [0.0876]
    """
    return build(DISK_OFFERS, offers)


def deleted_disks_frame(removals: Iterable[DiskRemoval]) -> pd.DataFrame:
    """Build a frame of deleted disks, one row each.

    >>> deleted_disks_frame([DiskRemoval("datasets", "d1", 500.0, "deleted")])["outcome"].tolist()
    ['deleted']
    """
    return build(DELETED_DISKS, removals)


def keys_frame(keys: Iterable[SshKey]) -> pd.DataFrame:
    """Build a frame of SSH keys, in the order given.

    >>> keys_frame([SshKey(name="laptop", public_key="ssh-ed25519 AAAA me")])["type"].tolist()
    ['ssh-ed25519']
    """
    return build(KEYS, keys)


def teams_frame(teams: Iterable[Team]) -> pd.DataFrame:
    """Build a frame of teams, in the order given.

    >>> teams_frame([Team(name="vision", role="ADMIN")])[["name", "role"]].to_dict("records")
    [{'name': 'vision', 'role': 'ADMIN'}]
    """
    return build(TEAMS, teams)


def members_frame(members: Iterable[TeamMember]) -> pd.DataFrame:
    """Build a frame of the members of a team, in the order given.

    >>> members_frame([TeamMember(user_name="Ada")])["name"].tolist()
    ['Ada']
    """
    return build(MEMBERS, members)


def billings_frame(
    billings: Iterable[Billing],
    names: Mapping[str, str] | None = None,
    estimates: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Build a frame of what a wallet was billed, one row for each pod or disk.

    ``names`` has those known by id, and ``estimates`` the USD of pods that may not be billed yet.

    >>> df = billings_frame([Billing(amount_usd=2.5, resource_id="p1")], names={"p1": "train"})
    >>> df[["amount_usd", "name"]].to_dict("records")
    [{'amount_usd': 2.5, 'name': 'train'}]
    """
    rows = list(billings)
    frame = build(BILLINGS, rows)
    known = [(names or {}).get(row.resource_id or "") for row in rows]
    frame["name"] = pd.array(known, dtype=STRING)
    usd = [None if row.amount_usd else (estimates or {}).get(row.resource_id or "") for row in rows]
    frame["estimated_usd"] = pd.array(usd, dtype="Float64")
    return frame


def overview_frame(wallets: Iterable[WalletState]) -> pd.DataFrame:
    """Build a frame of wallets, mine first."""
    return build(WALLETS, wallets)


def _read_key_type(key: SshKey) -> str | None:
    return (key.public_key or "").partition(" ")[0] or None


def _compute_price_usd_gb_month(offer: DiskOffer) -> float | None:
    usd_hr = price_disk_usd_hr(offer, 1)
    return None if usd_hr is None else round(usd_hr * MONTH_HR, 6)


DISKS: tuple[Column[Disk], ...] = (
    Column("name", "string", format="strong"),
    Column("status", "string", doc="state of the disk, in the service's words"),
    Column("size_gb", "Float64", "size", "size in GB", format="number"),
    Column("price_usd_hr", "Float64", "price_hr", "USD per hour, attached or not"),
    Column("provider", "string", "provider_type"),
    Column("country", "string", "info.country"),
    Column("data_center", "string", "info.data_center_id"),
    Column(
        "pods",
        "string",
        doc="ids of the pods that it is attached to, one per line",
        format="code",
        max_length=34,
    ),
    Column("created_at", TIME),
    Column("id", "string", max_length=34),
    Column("cloud_id", "string", "info.cloud_id"),
    Column("is_multinode", "boolean", "info.is_multinode", "can be shared by several pods"),
    Column("stopped_price_usd_hr", "Float64", "stopped_price_hr"),
    Column("provisioning_price_usd_hr", "Float64", "provisioning_price_hr"),
    Column("clusters", "string", doc="ids of the clusters that it is attached to, one per line"),
    Column("updated_at", TIME),
    Column("terminated_at", TIME),
    Column("team_id", "string"),
    Column("user_id", "string", doc="id of its owner"),
    Column("wallet_id", "string"),
)
DISK_OFFERS: tuple[Column[DiskOffer], ...] = (
    Column("provider", "string"),
    Column("data_center", "string", doc="the provider's id of the data center"),
    Column("country", "string", doc="two-letter code of the country"),
    Column("region", "string", doc="region"),
    Column("price_usd_gb_month", "Float64", _compute_price_usd_gb_month, "USD per GB and month of 730 h"),
    Column("price_usd_gb_hr", "Float64", "spec.price_per_unit", "USD per GB and hour"),
    Column("stock", "string", "stock_status", "Available, High, Medium, Low or Unavailable"),
    Column("size_min_gb", "Float64", "spec.min_count", "smallest size in GB"),
    Column("size_max_gb", "Float64", "spec.max_count", "largest size in GB"),
    Column("size_step_gb", "Float64", "spec.step", "step between sizes in GB"),
    Column("is_multinode", "boolean", doc="can be shared by several pods"),
    Column("security", "string", doc="secure_cloud or community_cloud"),
    Column("cloud_id", "string"),
)
DELETED_DISKS: tuple[Column[DiskRemoval], ...] = (
    Column("name", "string", format="strong"),
    Column("outcome", "string", doc="'deleted', or what is in the way"),
    Column("size_gb", "Float64", "size", "size in GB", format="number"),
    Column("id", "string", max_length=34),
)
KEYS: tuple[Column[SshKey], ...] = (
    Column("name", "string", doc="name of the key", format="strong"),
    Column("is_primary", "boolean", doc="used by pods whose spec names no key"),
    Column("type", "string", _read_key_type, "such as ssh-ed25519"),
    Column(
        "fingerprint",
        "string",
        lambda key: fingerprint(key.public_key),
        "as printed by 'ssh-keygen -l'",
        format="code",
        max_length=52,
    ),
    Column("created_at", TIME),
    Column("id", "string", max_length=34),
    Column("is_user_key", "boolean", doc="belongs to a person"),
    Column("user_id", "string", doc="id of its owner"),
    Column("public_key_text", "string", "public_key", "the public key"),
)
TEAMS: tuple[Column[Team], ...] = (
    Column("name", "string"),
    Column("role", "string", doc="your role in the team"),
    Column("team_id", "string", doc="id of the team"),
    Column("slug", "string", doc="short name in URLs"),
    Column("created_at", TIME),
)
MEMBERS: tuple[Column[TeamMember], ...] = (
    Column("name", "string", "user_name", "name of the person"),
    Column("email", "string", "user_email", "e-mail address"),
    Column("role", "string", doc="role in the team"),
    Column("user_id", "string", doc="id of the person"),
    Column("joined_at", TIME, doc="when the person joined"),
)
BILLINGS: tuple[Column[Billing], ...] = (
    Column("resource_type", "string", doc="compute, disks, …"),
    Column("amount_usd", "Float64", doc="USD billed so far", format="billed"),
    Column("currency", "string"),
    Column("last_billed_at", TIME, doc="when it was billed last"),
    Column("created_at", TIME),
    Column("resource_id", "string", doc="id of the pod or disk", max_length=34),
    Column("id", "string"),
    Column("updated_at", TIME),
    Column(
        "name",
        "string",
        lambda billing: None,
        "name of the pod or disk, if it is known here or in the latest history; missing otherwise",
        format="strong",
    ),
    Column(
        "estimated_usd",
        "Float64",
        lambda billing: None,
        "estimate for a pod that is not billed yet",
        format="amount",
    ),
)
WALLETS: tuple[Column[WalletState], ...] = (
    Column(
        "wallet",
        "string",
        "name",
        "'mine', or a team's name, or its id if the name is unknown",
        format="strong",
    ),
    Column("pods", "Int64", doc="number of live pods billed to it"),
    Column(
        "disks",
        "Int64",
        doc="number of live disks billed to it; missing if the key may not list them",
        format="number",
    ),
    Column(
        "burn_usd_hr",
        "Float64",
        doc="estimated USD per hour now; without disks if the key may not list them",
    ),
    Column("today_usd", "Float64", doc="USD since midnight (UTC), estimates included"),
    Column("month_usd", "Float64", doc="USD since the first of the month (UTC), estimates included"),
    Column("balance_usd", "Float64", doc="USD available"),
    Column("hours_left", "Float64", doc="hours that the balance lasts at this rate"),
    Column("pods_mine", "Int64", doc="number of these pods that you launched"),
    Column(
        "burn_mine_usd_hr", "Float64", doc="estimated USD per hour now of the pods and disks that are yours"
    ),
    Column("team_id", "string", doc="id of its team; missing for your own wallet"),
)

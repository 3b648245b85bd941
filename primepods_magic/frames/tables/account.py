"""Frames of the account: disks, SSH keys, teams, members, billings and wallets."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

import pandas as pd

from primepods_magic.api.account import Billing, Disk, SshKey, Team, TeamMember
from primepods_magic.pods.account.overview import WalletState
from primepods_magic.pods.ssh.keys import fingerprint

from .schema import Column, build, lines, plain

__all__ = ["billings_frame", "disks_frame", "keys_frame", "members_frame", "overview_frame", "teams_frame"]


def disks_frame(disks: Iterable[Disk]) -> pd.DataFrame:
    """Build a frame of disks; each line of ``pods`` is a pod that the disk is attached to.

    >>> disks_frame([Disk(name="datasets", size=500)])[["name", "size_gb"]].to_dict("records")
    [{'name': 'datasets', 'size_gb': 500.0}]
    """
    return build(_DISK_COLUMNS, disks)


def keys_frame(keys: Iterable[SshKey]) -> pd.DataFrame:
    """Build a frame of SSH keys, in the order given.

    >>> keys_frame([SshKey(name="laptop", public_key="ssh-ed25519 AAAA me")])["type"].tolist()
    ['ssh-ed25519']
    """
    return build(_KEY_COLUMNS, keys)


def teams_frame(teams: Iterable[Team]) -> pd.DataFrame:
    """Build a frame of teams, in the order given.

    >>> teams_frame([Team(name="vision", role="ADMIN")])[["name", "role"]].to_dict("records")
    [{'name': 'vision', 'role': 'ADMIN'}]
    """
    return build(_TEAM_COLUMNS, teams)


def members_frame(members: Iterable[TeamMember]) -> pd.DataFrame:
    """Build a frame of the members of a team, in the order given.

    >>> members_frame([TeamMember(user_name="Ada")])["name"].tolist()
    ['Ada']
    """
    return build(_MEMBER_COLUMNS, members)


def billings_frame(billings: Iterable[Billing]) -> pd.DataFrame:
    """Build a frame of what a wallet was billed, one row for each pod or disk.

    >>> billings_frame([Billing(amount_usd=2.5, currency="USD")])["amount_usd"].tolist()
    [2.5]
    """
    return build(_BILLING_COLUMNS, billings)


def overview_frame(wallets: Iterable[WalletState]) -> pd.DataFrame:
    """Build a frame of wallets, mine first."""
    return build(_OVERVIEW_COLUMNS, wallets)


def _read_key_type(key: SshKey) -> str | None:
    return (key.public_key or "").partition(" ")[0] or None


_DISK_COLUMNS: tuple[Column[Disk], ...] = (
    Column("name", "string", attrgetter("name")),
    Column("status", "string", lambda disk: plain(disk.status)),
    Column("size_gb", "Float64", attrgetter("size")),
    Column("price_usd_hr", "Float64", attrgetter("price_hr")),
    Column("provider", "string", attrgetter("provider_type")),
    Column("country", "string", attrgetter("info.country")),
    Column("data_center", "string", attrgetter("info.data_center_id")),
    Column("pods", "string", lambda disk: lines(disk.pods)),
    Column("created_at", "datetime64[us, UTC]", attrgetter("created_at")),
    Column("id", "string", attrgetter("id")),
    Column("cloud_id", "string", attrgetter("info.cloud_id")),
    Column("is_multinode", "boolean", attrgetter("info.is_multinode")),
    Column("stopped_price_usd_hr", "Float64", attrgetter("stopped_price_hr")),
    Column("provisioning_price_usd_hr", "Float64", attrgetter("provisioning_price_hr")),
    Column("clusters", "string", lambda disk: lines(disk.clusters)),
    Column("updated_at", "datetime64[us, UTC]", attrgetter("updated_at")),
    Column("terminated_at", "datetime64[us, UTC]", attrgetter("terminated_at")),
    Column("team_id", "string", attrgetter("team_id")),
    Column("user_id", "string", attrgetter("user_id")),
    Column("wallet_id", "string", attrgetter("wallet_id")),
)
_KEY_COLUMNS: tuple[Column[SshKey], ...] = (
    Column("name", "string", attrgetter("name")),
    Column("is_primary", "boolean", attrgetter("is_primary")),
    Column("type", "string", _read_key_type),
    Column("fingerprint", "string", lambda key: fingerprint(key.public_key)),
    Column("created_at", "datetime64[us, UTC]", attrgetter("created_at")),
    Column("id", "string", attrgetter("id")),
    Column("is_user_key", "boolean", attrgetter("is_user_key")),
    Column("user_id", "string", attrgetter("user_id")),
    Column("public_key_text", "string", attrgetter("public_key")),
)
_TEAM_COLUMNS: tuple[Column[Team], ...] = (
    Column("name", "string", attrgetter("name")),
    Column("role", "string", attrgetter("role")),
    Column("team_id", "string", attrgetter("team_id")),
    Column("slug", "string", attrgetter("slug")),
    Column("created_at", "datetime64[us, UTC]", attrgetter("created_at")),
)
_MEMBER_COLUMNS: tuple[Column[TeamMember], ...] = (
    Column("name", "string", attrgetter("user_name")),
    Column("email", "string", attrgetter("user_email")),
    Column("role", "string", attrgetter("role")),
    Column("user_id", "string", attrgetter("user_id")),
    Column("joined_at", "datetime64[us, UTC]", attrgetter("joined_at")),
)
_BILLING_COLUMNS: tuple[Column[Billing], ...] = (
    Column("resource_type", "string", attrgetter("resource_type")),
    Column("amount_usd", "Float64", attrgetter("amount_usd")),
    Column("currency", "string", attrgetter("currency")),
    Column("last_billed_at", "datetime64[us, UTC]", attrgetter("last_billed_at")),
    Column("created_at", "datetime64[us, UTC]", attrgetter("created_at")),
    Column("resource_id", "string", attrgetter("resource_id")),
    Column("id", "string", attrgetter("id")),
    Column("updated_at", "datetime64[us, UTC]", attrgetter("updated_at")),
)
_OVERVIEW_COLUMNS: tuple[Column[WalletState], ...] = (
    Column("wallet", "string", attrgetter("name")),
    Column("pods", "Int64", attrgetter("pods")),
    Column("disks", "Int64", attrgetter("disks")),
    Column("burn_usd_hr", "Float64", attrgetter("burn_usd_hr")),
    Column("today_usd", "Float64", attrgetter("today_usd")),
    Column("month_usd", "Float64", attrgetter("month_usd")),
    Column("balance_usd", "Float64", attrgetter("balance_usd")),
    Column("hours_left", "Float64", attrgetter("hours_left")),
    Column("pods_mine", "Int64", attrgetter("pods_mine")),
    Column("burn_mine_usd_hr", "Float64", attrgetter("burn_mine_usd_hr")),
    Column("team_id", "string", attrgetter("team_id")),
)

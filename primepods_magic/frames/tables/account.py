"""What belongs to the account beside pods, as DataFrames: disks, SSH keys, teams, wallets."""

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
    """Disks as a frame, in the order given.

    Parameters
    ----------
    disks : iterable of Disk
        What the service says about each disk.

    Returns
    -------
    pandas.DataFrame
        ======================================  =======  ========================================
        ``name, status``                        string
        ``size_gb``                             Float64  GB
        ``price_usd_hr``                        Float64  USD per hour, attached or not
        ``provider, country, data_center``      string
        ``pods``                                string   a line for each pod that it is attached to
        ``created_at``                          datetime64[us, UTC]
        ``id, cloud_id``                        string
        ``is_multinode``                        boolean  several pods may share it
        ``stopped_price_usd_hr, …``             Float64  USD per hour; and ``provisioning_…``
        ``clusters``                            string   a line for each
        ``updated_at, terminated_at``           datetime64[us, UTC]
        ``team_id, user_id, wallet_id``         string
        ======================================  =======  ========================================

    Examples
    --------
    >>> disks_frame([Disk(name="datasets", size=500)])[["name", "size_gb"]].to_dict("records")
    [{'name': 'datasets', 'size_gb': 500.0}]
    """
    return build(_DISK_COLUMNS, disks)


def keys_frame(keys: Iterable[SshKey]) -> pd.DataFrame:
    """SSH keys as a frame, in the order given.

    Parameters
    ----------
    keys : iterable of SshKey
        What the service says about each key.

    Returns
    -------
    pandas.DataFrame
        ================================  =======  ================================================
        ``name``                          string
        ``is_primary``                    boolean  taken by pods whose spec names no key
        ``type, fingerprint``             string   as ``ssh-keygen -l`` says them
        ``created_at``                    datetime64[us, UTC]
        ``id``                            string   for ``ssh_key_id`` in a spec
        ``is_user_key``                   boolean
        ``user_id, public_key_text``      string
        ================================  =======  ================================================

    Examples
    --------
    >>> keys_frame([SshKey(name="laptop", public_key="ssh-ed25519 AAAA me")])["type"].tolist()
    ['ssh-ed25519']
    """
    return build(_KEY_COLUMNS, keys)


def teams_frame(teams: Iterable[Team]) -> pd.DataFrame:
    """Teams as a frame, in the order given: ``name, role, team_id, slug`` (string) and ``created_at``
    (datetime64[us, UTC]).

    Examples
    --------
    >>> teams_frame([Team(name="vision", role="ADMIN")])[["name", "role"]].to_dict("records")
    [{'name': 'vision', 'role': 'ADMIN'}]
    """
    return build(_TEAM_COLUMNS, teams)


def members_frame(members: Iterable[TeamMember]) -> pd.DataFrame:
    """The members of a team as a frame, in the order given: ``name, email, role, user_id`` (string) and
    ``joined_at`` (datetime64[us, UTC]).

    Examples
    --------
    >>> members_frame([TeamMember(user_name="Ada")])["name"].tolist()
    ['Ada']
    """
    return build(_MEMBER_COLUMNS, members)


def billings_frame(billings: Iterable[Billing]) -> pd.DataFrame:
    """What a wallet was billed, one row for each pod or disk, in the order given.

    Parameters
    ----------
    billings : iterable of Billing
        What the service says about each.

    Returns
    -------
    pandas.DataFrame
        ``resource_type`` (string: compute, disks, …), ``amount_usd`` (Float64, billed so far),
        ``currency`` (string), ``last_billed_at, created_at`` (datetime64[us, UTC]), ``resource_id`` (string:
        the pod's or disk's id), ``id`` (string) and ``updated_at``.

    Examples
    --------
    >>> billings_frame([Billing(amount_usd=2.5, currency="USD")])["amount_usd"].tolist()
    [2.5]
    """
    return build(_BILLING_COLUMNS, billings)


def overview_frame(wallets: Iterable[WalletState]) -> pd.DataFrame:
    """Wallets at a glance, mine first.

    Parameters
    ----------
    wallets : iterable of WalletState
        As `primepods_magic.pods.account.overview.overview` answers.

    Returns
    -------
    pandas.DataFrame
        ====================================  =======  ==========================================
        ``wallet``                            string   ``mine``, or a team's name
        ``pods, disks``                       Int64    that live and are billed to it
        ``burn_usd_hr``                       Float64  USD per hour now, an estimate
        ``today_usd, month_usd``              Float64  USD since midnight and the first (UTC)
        ``balance_usd``                       Float64  USD to spend
        ``hours_left``                        Float64  at this rate
        ``pods_mine``                         Int64    of the pods, those that I launched
        ``burn_mine_usd_hr``                  Float64  what those cost an hour
        ``team_id``                           string
        ====================================  =======  ==========================================
    """
    return build(_OVERVIEW_COLUMNS, wallets)


def _key_type(key: SshKey) -> str | None:
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
    Column("type", "string", _key_type),
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

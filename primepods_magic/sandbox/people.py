"""Who uses the sandbox: one account, its team, its keys and its disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

JOINED_AT = "2026-02-03T09:00:00Z"
WALLET_ID = "cmb7q0v5k0006v8l2h4d7c1pa"
START_BALANCE_USD = 1000.0


@dataclass(frozen=True)
class Person:
    """Somebody who rents pods."""

    user_id: str
    name: str
    email: str
    role: str


@dataclass(frozen=True)
class Team:
    """Somebody who pays for pods together."""

    team_id: str
    name: str
    slug: str
    role: str


@dataclass(frozen=True)
class Disk:
    """A disk that survives the pods it is attached to."""

    id: str
    name: str
    provider: str
    cloud_id: str
    data_center: str
    country: str
    size_gb: int
    price_usd_hr: float


ADA = Person("cmb7q0u1x0004v8l2k5n3r9tz", "Ada Lovelace", "ada@example.org", "ADMIN")
CHARLES = Person("cmb8r1w2y0007v8l2m6p4s0ua", "Charles Babbage", "charles@example.org", "MEMBER")
PEOPLE = (
    ADA,
    CHARLES,
    Person("cmb9s2x3z0008v8l2n7q5t1vb", "Mary Somerville", "mary@example.org", "MEMBER"),
)
TEAMS = (
    Team("team_id", "Analytical Engines", "analytical-engines", "ADMIN"),
    Team("cmc1t3a2b0001q7w9e8r6y5ui", "Bernoulli Numbers", "bernoulli-numbers", "MEMBER"),
)
DISKS = (Disk("disk_id_1", "datasets", "hyperstack", "n3-H100x1", "CANADA-1", "CA", 500, 0.035),)

SSH_KEYS: tuple[dict[str, Any], ...] = (
    {
        "id": "cmkey00000000000000000001",
        "userId": ADA.user_id,
        "name": "laptop",
        "publicKey": f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'Example' * 6}Ex ada@laptop",
        "isPrimary": True,
        "isUserKey": True,
        "createdAt": JOINED_AT,
        "updatedAt": JOINED_AT,
    },
)


def team(team_id: str) -> Team | None:
    """The team with this id, if there is one."""
    return next((team for team in TEAMS if team.team_id == team_id), None)


def disk(disk_id: str) -> Disk | None:
    """The disk with this id, if there is one."""
    return next((disk for disk in DISKS if disk.id == disk_id), None)

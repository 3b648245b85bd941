"""The users of the sandbox, their teams and wallets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

JOINED_AT = "2026-02-03T09:00:00Z"
START_BALANCE_USD = 1000.0
"""The initial balance of every wallet."""


@dataclass(frozen=True)
class Person:
    user_id: str
    name: str
    email: str
    slug: str
    wallet_id: str

    def wallets(self) -> tuple[str, ...]:
        """Return the wallets whose pods and disks this person sees: their own and their teams'."""
        return (self.wallet_id, *(team.wallet_id for team in teams_of(self)))


@dataclass(frozen=True)
class Team:
    """People who share a wallet."""

    team_id: str
    name: str
    slug: str
    wallet_id: str
    members: tuple[Person, ...]
    admin: Person

    def role_of(self, person: Person) -> Literal["ADMIN", "MEMBER"]:
        return "ADMIN" if person == self.admin else "MEMBER"


ADA = Person(
    "cmb7q0u1x0004v8l2k5n3r9tz", "Ada Lovelace", "ada@example.org", "ada", "cmb7q0v5k0006v8l2h4d7c1pa"
)
CHARLES = Person(
    "cmb8r1w2y0007v8l2m6p4s0ua",
    "Charles Babbage",
    "charles@example.org",
    "charles",
    "cmb8r1w7k0010v8l2q9f3d6wc",
)
MARY = Person(
    "cmb9s2x3z0008v8l2n7q5t1vb", "Mary Somerville", "mary@example.org", "mary", "cmb9s2x9m0011v8l2j4h8g2xd"
)
PEOPLE = (ADA, CHARLES, MARY)
TEAMS = (
    Team("team_id", "Analytical Engines", "analytical-engines", "cmc1s9q4r0012q7w9z3n5b7ve", PEOPLE, ADA),
    Team(
        "cmc1t3a2b0001q7w9e8r6y5ui",
        "Bernoulli Numbers",
        "bernoulli-numbers",
        "cmc1t3c8t0013q7w9k6m2x4yf",
        PEOPLE,
        MARY,
    ),
)
WALLETS = tuple(payer.wallet_id for payer in (*PEOPLE, *TEAMS))


def team_of(team_id: str, person: Person) -> Team | None:
    """Return the team with this id if the person is a member."""
    return next((team for team in teams_of(person) if team.team_id == team_id), None)


def teams_of(person: Person) -> tuple[Team, ...]:
    return tuple(team for team in TEAMS if person in team.members)


def person(user_id: str) -> Person:
    return next(person for person in PEOPLE if person.user_id == user_id)

"""The account: who it is, and its teams."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException

from primepods_magic.sandbox.docs.error_responses import refusals
from primepods_magic.sandbox.domain.users import JOINED_AT, Person, team_of, teams_of
from primepods_magic.sandbox.http.api_keys import AREAS, TheKey
from primepods_magic.sandbox.schemas.account import (
    KeyOwner,
    MemberList,
    MembershipList,
    User,
    UserAnswer,
    WhoAmI,
)
from primepods_magic.sandbox.schemas.requests import SlugChange
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .pagination import Limit, Offset, cut, envelope
from .response import ApiResponse

router = APIRouter()


@router.get("/user/whoami")
async def whoami(key: TheKey, world: ServiceDep) -> ApiResponse[WhoAmI]:
    """Whom the key belongs to, and what it may do."""
    with world.reading():
        user = _user(world, key.person)
    owner: KeyOwner = {
        **user,
        "scope": {area: {"read": area in key.reads, "write": area in key.writes} for area in AREAS},
    }
    return ApiResponse({"data": owner, "status": None})


@router.patch("/user/slug", responses=refusals(409))
async def change_slug(change: SlugChange, key: TheKey, world: ServiceDep) -> ApiResponse[UserAnswer]:
    """Choose the short name that stands in addresses."""
    with world.writing():
        if not world.store.account.set_slug(key.person.user_id, change.slug):
            raise HTTPException(409, "This slug is taken")
        return ApiResponse({"data": _user(world, key.person), "status": None})


@router.get("/user/teams")
async def teams(
    key: TheKey, world: ServiceDep, offset: Offset = 0, limit: Limit = 100
) -> ApiResponse[MembershipList]:
    """The teams that the account belongs to."""
    limit = world.page(limit)
    found = teams_of(key.person)
    return ApiResponse(
        {
            **envelope(len(found), offset, limit),
            "data": [
                {
                    "teamId": team.team_id,
                    "name": team.name,
                    "slug": team.slug,
                    "role": team.role_of(key.person),
                    "createdAt": JOINED_AT,
                }
                for team in cut(found, offset, limit)
            ],
        }
    )


@router.get("/teams/{team_id}/members", responses=refusals(404))
async def members(
    team_id: str, key: TheKey, world: ServiceDep, offset: Offset = 0, limit: Limit = 100
) -> ApiResponse[MemberList]:
    """Who belongs to a team."""
    limit = world.page(limit)
    team = team_of(team_id, key.person)
    if team is None:
        raise HTTPException(404, f"No team with id {team_id!r}")
    return ApiResponse(
        {
            **envelope(len(team.members), offset, limit),
            "data": [
                {
                    "userId": member.user_id,
                    "userName": member.name,
                    "userEmail": member.email,
                    "role": team.role_of(member),
                    "joinedAt": JOINED_AT,
                }
                for member in cut(team.members, offset, limit)
            ],
        }
    )


def _user(world: SandboxService, person: Person) -> User:
    return {
        "id": person.user_id,
        "role": "USER",
        "createdAt": JOINED_AT,
        "name": person.name,
        "slug": world.store.account.slug(person.user_id) or person.slug,
        "email": person.email,
        "image": None,
        "emailVerified": True,
        "hasBetaAccess": False,
        "isBanned": False,
        "skipPrepay": False,
        "blacklist": [],
    }

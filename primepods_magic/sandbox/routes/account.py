"""Routes of the account: user and teams."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException

from primepods_magic.sandbox.domain.users import JOINED_AT, Person, teams_of
from primepods_magic.sandbox.http.api_keys import AREAS, KeyDep
from primepods_magic.sandbox.schemas.account import (
    KeyOwner,
    MemberList,
    MembershipList,
    User,
    UserAnswer,
    WhoAmI,
)
from primepods_magic.sandbox.schemas.requests import SlugChange
from primepods_magic.sandbox.service.ordering import find_team
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .pagination import Limit, Offset, cut, envelope
from .response import ApiResponse, ApiRoute, error_responses

__all__ = ["router"]

router = APIRouter(route_class=ApiRoute)


@router.get("/user/whoami")
async def whoami(key: KeyDep, service: ServiceDep) -> ApiResponse[WhoAmI]:
    """Show the owner and the permissions of the key."""
    with service.reading():
        user = _serialize_user(service, key.person)
    owner: KeyOwner = {
        **user,
        "scope": {area: {"read": area in key.reads, "write": area in key.writes} for area in AREAS},
    }
    return ApiResponse({"data": owner, "status": None})


@router.patch("/user/slug", responses=error_responses(409))
async def change_slug(change: SlugChange, key: KeyDep, service: ServiceDep) -> ApiResponse[UserAnswer]:
    """Change the short name used in URLs."""
    with service.writing():
        if not service.store.account.set_slug(key.person.user_id, change.slug):
            raise HTTPException(409, "This slug is taken")
        return ApiResponse({"data": _serialize_user(service, key.person), "status": None})


@router.get("/user/teams")
async def teams(
    key: KeyDep, service: ServiceDep, offset: Offset = 0, limit: Limit = 100
) -> ApiResponse[MembershipList]:
    """List the teams of the account."""
    limit = service.page(limit)
    all_teams = teams_of(key.person)
    return ApiResponse(
        {
            **envelope(len(all_teams), offset, limit),
            "data": [
                {
                    "teamId": team.team_id,
                    "name": team.name,
                    "slug": team.slug,
                    "role": team.role_of(key.person),
                    "createdAt": JOINED_AT,
                }
                for team in cut(all_teams, offset, limit)
            ],
        }
    )


@router.get("/teams/{team_id}/members", responses=error_responses(404))
async def members(
    team_id: str, key: KeyDep, service: ServiceDep, offset: Offset = 0, limit: Limit = 100
) -> ApiResponse[MemberList]:
    """List the members of a team."""
    limit = service.page(limit)
    team = find_team(team_id, key.person)
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


def _serialize_user(service: SandboxService, person: Person) -> User:
    return {
        "id": person.user_id,
        "role": "USER",
        "createdAt": JOINED_AT,
        "name": person.name,
        "slug": service.store.account.slug(person.user_id) or person.slug,
        "email": person.email,
        "image": None,
        "emailVerified": True,
        "hasBetaAccess": False,
        "isBanned": False,
        "skipPrepay": False,
        "blacklist": [],
    }

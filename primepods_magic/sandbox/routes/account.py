"""The account: who it is, its teams, keys, disks and wallet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query

from primepods_magic.sandbox import people
from primepods_magic.sandbox.clock import iso
from primepods_magic.sandbox.keys import AREAS, TheKey
from primepods_magic.sandbox.records import HistoryRow
from primepods_magic.sandbox.world import TheWorld, World

from .pods import Limit, Offset

router = APIRouter()


@router.get("/user/whoami")
async def whoami(key: TheKey) -> dict[str, Any]:
    """Whom the key belongs to, and what it may do."""
    person = key.person
    return {
        "data": {
            "id": person.user_id,
            "role": "USER",
            "createdAt": people.JOINED_AT,
            "name": person.name,
            "slug": person.name.partition(" ")[0].lower(),
            "email": person.email,
            "image": None,
            "emailVerified": True,
            "hasBetaAccess": False,
            "isBanned": False,
            "skipPrepay": False,
            "blacklist": [],
            "scope": {area: {"read": area in key.reads, "write": area in key.writes} for area in AREAS},
        },
        "status": None,
    }


@router.get("/user/teams")
async def teams(world: TheWorld, offset: Offset = 0, limit: Limit = 100) -> dict[str, Any]:
    """The teams that the account belongs to."""
    rows = [
        {
            "teamId": team.team_id,
            "name": team.name,
            "slug": team.slug,
            "role": team.role,
            "createdAt": people.JOINED_AT,
        }
        for team in people.TEAMS
    ]
    return _listed(rows, offset, world.page(limit))


@router.get("/teams/{team_id}/members")
async def members(team_id: str, world: TheWorld, offset: Offset = 0, limit: Limit = 100) -> dict[str, Any]:
    """Who belongs to a team."""
    if people.team(team_id) is None:
        raise HTTPException(404, f"No team with id {team_id!r}")
    rows = [
        {
            "userId": person.user_id,
            "userName": person.name,
            "userEmail": person.email,
            "role": person.role,
            "joinedAt": people.JOINED_AT,
        }
        for person in people.PEOPLE
    ]
    return _listed(rows, offset, world.page(limit))


@router.get("/ssh_keys")
async def ssh_keys(world: TheWorld, offset: Offset = 0, limit: Limit = 100) -> dict[str, Any]:
    """The public keys that new pods accept."""
    return _listed(people.SSH_KEYS, offset, world.page(limit))


@router.get("/disks")
async def disks(world: TheWorld, offset: Offset = 0, limit: Limit = 100) -> dict[str, Any]:
    """The disks of the account, and which pods they are attached to."""
    rows = [_disk_json(world, disk) for disk in people.DISKS]
    return _listed(rows, offset, world.page(limit))


@router.get("/disks/{disk_id}")
async def disk_details(disk_id: str, world: TheWorld) -> dict[str, Any]:
    """One disk."""
    disk = people.disk(disk_id)
    if disk is None:
        raise HTTPException(404, f"No disk with id {disk_id!r}")
    return _disk_json(world, disk)


@router.get("/billing/wallet")
async def wallet(
    world: TheWorld,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    team_id: Annotated[str | None, Query(alias="teamId")] = None,
) -> dict[str, Any]:
    """The balance, and what was charged last: one row per pod, the live ones first."""
    with world.store.reading():
        now_ms = world.now_ms()
        live = [
            _billing_json(record.id, record.created_ms, now_ms, world.state(record).billed_usd, "compute")
            for record in reversed(world.store.live_pods(now_ms))
            if team_id is None or record.team_id == team_id
        ]
        limit = world.page(limit)
        shown = live[offset : offset + limit]
        ended = world.store.history(
            now_ms,
            limit=limit - len(shown),
            offset=max(0, offset - len(live)),
            sort_by="terminatedAt",
            sort_order="desc",
            team_id=team_id,
        )
        return {
            "wallet_id": people.WALLET_ID,
            "team_id": team_id,
            "balance_usd": world.balance_usd(),
            "currency": "USD",
            "total_billings": len(live) + world.store.count_history(now_ms, team_id),
            "recent_billings": shown + [_ended_billing_json(row) for row in ended],
        }


def _listed(rows: Sequence[dict[str, Any]], offset: int, limit: int) -> dict[str, Any]:
    return {
        "total_count": len(rows),
        "offset": offset,
        "limit": limit,
        "data": list(rows[offset : offset + limit]),
        "status": None,
    }


def _disk_json(world: World, disk: people.Disk) -> dict[str, Any]:
    with world.store.reading():
        attached = [pod.id for pod in world.store.live_pods(world.now_ms()) if disk.id in pod.disk_ids]
    return {
        "id": disk.id,
        "name": disk.name,
        "createdAt": people.JOINED_AT,
        "updatedAt": people.JOINED_AT,
        "terminatedAt": None,
        "status": "ACTIVE",
        "providerType": disk.provider,
        "size": disk.size_gb,
        "info": {
            "country": disk.country,
            "dataCenterId": disk.data_center,
            "cloudId": disk.cloud_id,
            "isMultinode": False,
        },
        "priceHr": disk.price_usd_hr,
        "stoppedPriceHr": None,
        "provisioningPriceHr": 0.0,
        "userId": people.ADA.user_id,
        "teamId": None,
        "walletId": people.WALLET_ID,
        "pods": attached,
        "clusters": [],
    }


def _ended_billing_json(row: HistoryRow) -> dict[str, Any]:
    kind = "disks" if row.type == "Disk" else "compute"
    return _billing_json(row.id, row.created_ms, row.terminated_ms, row.billed_usd, kind)


def _billing_json(
    resource_id: str, created_ms: int, billed_ms: int, amount_usd: float, resource_type: str
) -> dict[str, Any]:
    return {
        "id": f"b{resource_id[1:25]}",
        "created_at": iso(created_ms),
        "updated_at": iso(billed_ms),
        "last_billed_at": iso(billed_ms),
        "amount_usd": amount_usd,
        "currency": "USD",
        "resource_type": resource_type,
        "resource_id": resource_id,
    }

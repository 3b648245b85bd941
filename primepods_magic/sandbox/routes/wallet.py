"""What there is to spend, and what was charged last."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query

from primepods_magic.sandbox.docs.error_responses import refusals
from primepods_magic.sandbox.domain.clock import iso
from primepods_magic.sandbox.domain.records import HistoryRow
from primepods_magic.sandbox.domain.users import Person, team_of
from primepods_magic.sandbox.http.api_keys import TheKey
from primepods_magic.sandbox.schemas.account import Billing, Wallet
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .response import ApiResponse

router = APIRouter()

ResourceType = Literal["compute", "disks"]


@router.get("/billing/wallet", responses=refusals(404))
async def wallet(
    key: TheKey,
    world: ServiceDep,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    team_id: Annotated[str | None, Query(alias="teamId")] = None,
) -> ApiResponse[Wallet]:
    """The balance of one's own wallet or a team's, and one row for each pod and disk, what lives first."""
    wallet_id = wallet_of(key.person, team_id)
    limit = world.page(limit)
    with world.reading() as now_ms:
        living = _living(world, wallet_id, now_ms)
        shown = [
            _billing(
                resource_id,
                created_ms,
                now_ms,
                world.store.wallets.spent_usd(resource_id, now_ms),
                resource_type,
            )
            for created_ms, resource_id, resource_type in living[offset : offset + limit]
        ]
        ended = world.store.history.page(
            now_ms,
            [wallet_id],
            limit=limit - len(shown),
            offset=max(0, offset - len(living)),
            sort_by="terminatedAt",
            sort_order="desc",
        )
        return ApiResponse(
            {
                "wallet_id": wallet_id,
                "team_id": team_id,
                "balance_usd": world.store.wallets.balance_usd(wallet_id, now_ms),
                "currency": "USD",
                "total_billings": len(living) + world.store.history.count(now_ms, [wallet_id]),
                "recent_billings": shown + [_ended(row, now_ms) for row in ended],
            }
        )


def wallet_of(person: Person, team_id: str | None) -> str:
    """Which wallet is meant.

    Raises
    ------
    HTTPException
        404 when the person does not belong to such a team.
    """
    if team_id is None:
        return person.wallet_id
    team = team_of(team_id, person)
    if team is None:
        raise HTTPException(404, f"No team with id {team_id!r}")
    return team.wallet_id


def _living(world: SandboxService, wallet_id: str, now_ms: int) -> list[tuple[int, str, ResourceType]]:
    """What is still billed, the newest first: since when, its id, and what it is."""
    rows: list[tuple[int, str, ResourceType]] = [
        (created_ms, pod_id, "compute")
        for pod_id, created_ms in world.store.pods.live_since(now_ms, wallet_id)
    ]
    rows += [(disk.created_ms, disk.id, "disks") for disk in world.store.disks.page([wallet_id], now_ms)]
    return sorted(rows, reverse=True)


def _ended(row: HistoryRow, now_ms: int) -> Billing:
    kind: ResourceType = "disks" if row.type == "Disk" else "compute"
    return _billing(row.id, row.created_ms, row.terminated_ms, row.shown_usd(now_ms), kind)


def _billing(
    resource_id: str,
    created_ms: int,
    billed_ms: int,
    amount_usd: float,
    resource_type: ResourceType,
) -> Billing:
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

"""The route of wallets and billings."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from primepods_magic.sandbox.domain.clock import iso
from primepods_magic.sandbox.domain.records import HistoryRow
from primepods_magic.sandbox.http.api_keys import KeyDep
from primepods_magic.sandbox.schemas.account import Billing, Wallet
from primepods_magic.sandbox.service.ordering import find_team
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .response import ApiResponse, ApiRoute, error_responses

__all__ = ["router"]

router = APIRouter(route_class=ApiRoute)

ResourceType = Literal["compute", "disks"]


@router.get("/billing/wallet", responses=error_responses(404))
async def wallet(
    key: KeyDep,
    service: ServiceDep,
    offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    team_id: Annotated[str | None, Query(alias="teamId")] = None,
) -> ApiResponse[Wallet]:
    """Show the balance of your wallet or a team's, and the bills of each resource, live ones first."""
    wallet_id = (find_team(team_id, key.person) if team_id is not None else key.person).wallet_id
    limit = service.page(limit)
    with service.reading() as now_ms:
        live = _list_live_resources(service, wallet_id, now_ms)
        billings = [
            _serialize_billing(
                resource_id,
                created_ms,
                now_ms,
                service.store.wallets.spent_usd(resource_id, now_ms),
                resource_type,
            )
            for created_ms, resource_id, resource_type in live[offset : offset + limit]
        ]
        ended = service.store.history.page(
            now_ms,
            [wallet_id],
            limit=limit - len(billings),
            offset=max(0, offset - len(live)),
            sort_by="terminatedAt",
            sort_order="desc",
        )
        return ApiResponse(
            {
                "wallet_id": wallet_id,
                "team_id": team_id,
                "balance_usd": service.store.wallets.balance_usd(wallet_id, now_ms),
                "currency": "USD",
                "total_billings": len(live) + service.store.history.count(now_ms, [wallet_id]),
                "recent_billings": billings + [_serialize_ended(row, now_ms) for row in ended],
            }
        )


def _list_live_resources(
    service: SandboxService, wallet_id: str, now_ms: int
) -> list[tuple[int, str, ResourceType]]:
    """List live resources, newest first: creation time, id and type."""
    rows: list[tuple[int, str, ResourceType]] = [
        (created_ms, pod_id, "compute")
        for pod_id, created_ms in service.store.pods.live_since(now_ms, wallet_id)
    ]
    rows += [(disk.created_ms, disk.id, "disks") for disk in service.store.disks.page([wallet_id], now_ms)]
    return sorted(rows, reverse=True)


def _serialize_ended(row: HistoryRow, now_ms: int) -> Billing:
    kind: ResourceType = "disks" if row.type == "Disk" else "compute"
    return _serialize_billing(row.id, row.created_ms, row.terminated_ms, row.shown_usd(now_ms), kind)


def _serialize_billing(
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

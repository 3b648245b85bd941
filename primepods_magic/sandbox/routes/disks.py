"""Routes of disks."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter

from primepods_magic.sandbox.domain.clock import iso
from primepods_magic.sandbox.domain.disks import disk_state
from primepods_magic.sandbox.domain.records import DiskRecord
from primepods_magic.sandbox.http.api_keys import KeyDep
from primepods_magic.sandbox.schemas.account import Disk, DiskList, Done
from primepods_magic.sandbox.schemas.enums import ProviderType
from primepods_magic.sandbox.schemas.requests import DiskName, DiskOrder
from primepods_magic.sandbox.schemas.responses import Deleted
from primepods_magic.sandbox.service.disks import buy_disk, delete_disk, find_disk, rename_disk
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .pagination import Limit, Offset, envelope
from .response import ApiResponse, ApiRoute, error_responses

__all__ = ["router"]

router = APIRouter(prefix="/disks", route_class=ApiRoute)


@router.post("", responses=error_responses(402, 404, 409))
async def create_disk(order: DiskOrder, key: KeyDep, service: ServiceDep) -> ApiResponse[Disk]:
    """Create a disk. It can be attached once it is ACTIVE."""
    disk = buy_disk(service, order, key.person)
    return ApiResponse(_serialize_disk(service, disk))


@router.get("")
async def list_disks(
    key: KeyDep, service: ServiceDep, offset: Offset = 0, limit: Limit = 100
) -> ApiResponse[DiskList]:
    """List disks that are not terminated, your own and your teams', oldest first."""
    limit = service.page(limit)
    wallets = key.person.wallets()
    with service.reading() as now_ms:
        disks = service.store.disks.page(wallets, now_ms, limit=limit, offset=offset)
        total_count = service.store.disks.count(wallets, now_ms)
        data = [_serialize_disk(service, disk) for disk in disks]
    return ApiResponse({**envelope(total_count, offset, limit), "data": data})


@router.get("/{disk_id}", responses=error_responses(404))
async def disk_details(disk_id: str, key: KeyDep, service: ServiceDep) -> ApiResponse[Disk]:
    """Show one disk and the pods it is attached to."""
    with service.reading():
        return ApiResponse(_serialize_disk(service, find_disk(service, disk_id, key.person)))


@router.patch("/{disk_id}", responses=error_responses(404))
async def change_disk(disk_id: str, name: DiskName, key: KeyDep, service: ServiceDep) -> ApiResponse[Done]:
    """Rename a disk."""
    rename_disk(service, disk_id, name.name, key.person)
    return ApiResponse({"message": "Disk renamed"})


@router.delete("/{disk_id}", responses=error_responses(404, 409))
async def end_disk(disk_id: str, key: KeyDep, service: ServiceDep) -> ApiResponse[Deleted]:
    """Delete a disk that is ACTIVE and not attached to any pod. It is DELETING for a moment."""
    return ApiResponse({"status": delete_disk(service, disk_id, key.person)})


def _serialize_disk(service: SandboxService, disk: DiskRecord) -> Disk:
    now_ms = service.now_ms()
    state = disk_state(disk, now_ms)
    holders = service.store.pods.holding(disk.id, now_ms)
    return {
        "id": disk.id,
        "name": disk.name,
        "createdAt": iso(disk.created_ms),
        "updatedAt": iso(max(disk.updated_ms, state.since_ms)),
        "terminatedAt": None,
        "status": state.status,
        "providerType": cast(ProviderType, disk.provider),
        "size": disk.size_gb,
        "info": {
            "country": disk.country,
            "dataCenterId": disk.data_center,
            "cloudId": disk.cloud_id,
            "isMultinode": disk.is_multinode,
        },
        "priceHr": disk.price_usd_hr,
        "stoppedPriceHr": None,
        "provisioningPriceHr": 0.0,
        "userId": disk.user_id,
        "teamId": disk.team_id,
        "walletId": disk.wallet_id,
        "pods": [pod.id for pod in holders if pod.cluster_id is None],
        "clusters": [pod.cluster_id for pod in holders if pod.cluster_id is not None],
    }

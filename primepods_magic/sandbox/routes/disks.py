"""The disks, which survive the pods they are attached to: create, list, details, rename and delete."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, HTTPException

from primepods_magic.sandbox.docs.error_responses import refusals
from primepods_magic.sandbox.domain.clock import iso
from primepods_magic.sandbox.domain.disks import disk_state
from primepods_magic.sandbox.domain.records import DiskRecord
from primepods_magic.sandbox.domain.users import Person
from primepods_magic.sandbox.http.api_keys import TheKey
from primepods_magic.sandbox.schemas.account import Disk, DiskList, Done
from primepods_magic.sandbox.schemas.enums import ProviderType
from primepods_magic.sandbox.schemas.requests import DiskName, DiskOrder
from primepods_magic.sandbox.schemas.responses import Deleted
from primepods_magic.sandbox.service.disks import buy_disk, delete_disk, rename_disk
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .pagination import Limit, Offset, envelope
from .response import ApiResponse

router = APIRouter(prefix="/disks")


@router.post("", responses=refusals(402, 404, 409))
async def create_disk(order: DiskOrder, key: TheKey, world: ServiceDep) -> ApiResponse[Disk]:
    """Buy a disk; it can be attached as soon as it is ACTIVE."""
    disk = buy_disk(world, order, key.person)
    return ApiResponse(_disk_json(world, disk))


@router.get("")
async def list_disks(
    key: TheKey, world: ServiceDep, offset: Offset = 0, limit: Limit = 100
) -> ApiResponse[DiskList]:
    """The disks that have not ended, one's own and those of one's teams, oldest first."""
    limit = world.page(limit)
    wallets = key.person.wallets()
    with world.reading() as now_ms:
        disks = world.store.disks.page(wallets, now_ms, limit=limit, offset=offset)
        total_count = world.store.disks.count(wallets, now_ms)
        data = [_disk_json(world, disk) for disk in disks]
    return ApiResponse({**envelope(total_count, offset, limit), "data": data})


@router.get("/{disk_id}", responses=refusals(404))
async def disk_details(disk_id: str, key: TheKey, world: ServiceDep) -> ApiResponse[Disk]:
    """One disk, and which pods it is attached to."""
    with world.reading():
        return ApiResponse(_disk_json(world, _found(world, disk_id, key.person)))


@router.patch("/{disk_id}", responses=refusals(404))
async def change_disk(disk_id: str, name: DiskName, key: TheKey, world: ServiceDep) -> ApiResponse[Done]:
    """Give a disk another name."""
    rename_disk(world, disk_id, name.name, key.person)
    return ApiResponse({"message": "Disk renamed"})


@router.delete("/{disk_id}", responses=refusals(404, 409))
async def end_disk(disk_id: str, key: TheKey, world: ServiceDep) -> ApiResponse[Deleted]:
    """End a disk that is ACTIVE and attached to no pod; it is DELETING for a moment and then gone."""
    return ApiResponse({"status": delete_disk(world, disk_id, key.person)})


def _found(world: SandboxService, disk_id: str, person: Person) -> DiskRecord:
    disk = world.disk(disk_id, person)
    if disk is None:
        raise HTTPException(404, f"Disk not found: {disk_id}")
    return disk


def _disk_json(world: SandboxService, disk: DiskRecord) -> Disk:
    now_ms = world.now_ms()
    state = disk_state(disk, now_ms)
    holders = world.store.pods.holding(disk.id, now_ms)
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

"""Buying, renaming and ending disks."""

from __future__ import annotations

from fastapi import HTTPException

from primepods_magic.sandbox.domain.disk_offers import DiskOffer, disk_offers
from primepods_magic.sandbox.domain.disks import (
    delete_refusal,
    disk_charges,
    disk_end_ms,
    disk_history_row,
    disk_state,
)
from primepods_magic.sandbox.domain.records import DiskRecord
from primepods_magic.sandbox.domain.users import Person, person, team_of
from primepods_magic.sandbox.schemas.enums import PodStatus
from primepods_magic.sandbox.schemas.requests import DiskOrder

from .service import SandboxService
from .wallets import REFILL


def buy_disk(world: SandboxService, order: DiskOrder, buyer: Person) -> DiskRecord:
    """Buy a disk.

    Raises
    ------
    HTTPException
        400, 402, 404 or 409: why it cannot be bought.
    """
    disk = order.disk
    with world.writing() as now_ms:
        team = team_of(order.team.team_id, buyer) if order.team else None
        if order.team and team is None:
            raise HTTPException(404, f"No team with id {order.team.team_id!r}")
        offer = _choose(order)
        reason = offer.size_gb.refusal("size", disk.size)
        if reason:
            raise HTTPException(400, reason)
        number = world.store.next_number()
        disk_id = world.store.token("disk", number)
        record = DiskRecord(
            id=disk_id,
            user_id=buyer.user_id,
            team_id=team.team_id if team else None,
            wallet_id=(team or buyer).wallet_id,
            name=disk.name or f"disk-{disk_id[:6]}",
            created_ms=now_ms,
            updated_ms=now_ms,
            deleted_ms=None,
            provider=offer.provider,
            cloud_id=disk.cloud_id,
            data_center=offer.data_center,
            country=offer.country,
            size_gb=disk.size,
            is_multinode=offer.is_multinode,
            price_usd_hr=round(disk.size * offer.usd_gb_hr, 6),
        )
        if world.store.wallets.balance_usd(record.wallet_id, now_ms) < record.price_usd_hr:
            raise HTTPException(402, f"Insufficient balance for one hour of this disk{REFILL}")
        world.store.disks.add(record)
        world.store.wallets.charge(record.id, record.wallet_id, disk_charges(record, now_ms))
        world.charge_anew(record.wallet_id, now_ms)
    return record


def rename_disk(world: SandboxService, disk_id: str, name: str, asker: Person) -> None:
    """Give a disk another name.

    Raises
    ------
    HTTPException
        404 when there is no such disk.
    """
    with world.writing() as now_ms:
        _found(world, disk_id, asker)
        world.store.disks.rename(disk_id, name, now_ms)


def delete_disk(world: SandboxService, disk_id: str, asker: Person) -> PodStatus:
    """End a disk, and say what it is then.

    Raises
    ------
    HTTPException
        404 when there is no such disk, 409 when it is attached or not yet ACTIVE.
    """
    with world.writing() as now_ms:
        disk = _found(world, disk_id, asker)
        # Deleting what is being deleted is harmless.
        if disk.deleted_ms is not None:
            return disk_state(disk, now_ms).status
        reason = delete_refusal(disk, world.store.pods.holding(disk_id, now_ms), now_ms)
        if reason:
            raise HTTPException(409, reason)
        deleted = disk._replace(deleted_ms=now_ms)
        ends_ms = disk_end_ms(deleted)
        assert ends_ms is not None
        world.store.disks.delete(disk_id, now_ms)
        world.store.wallets.end_charges(disk_id, ends_ms)
        billed_usd = world.store.wallets.spent_usd(disk_id, ends_ms)
        owner = person(disk.user_id).name
        world.store.history.replace(
            disk_id, disk_history_row(deleted, owner=owner, billed_usd=billed_usd, ends_ms=ends_ms)
        )
        world.charge_anew(disk.wallet_id, now_ms)
        return disk_state(deleted, now_ms).status


def _choose(order: DiskOrder) -> DiskOffer:
    wanted = order.disk
    found = [offer for offer in disk_offers() if offer.provider == order.provider.type]
    if not found:
        raise HTTPException(400, f"{order.provider.type} has no disks")
    # The service's own client sends the cloudId of a machine; only some disks are tied to one.
    for field, attribute, value in (
        ("dataCenterId", "data_center", wanted.data_center_id),
        ("country", "country", wanted.country),
    ):
        fitting = [offer for offer in found if value in (None, getattr(offer, attribute))]
        if not fitting:
            offered = ", ".join(sorted({str(getattr(offer, attribute)) for offer in found}))
            raise HTTPException(
                400, f"{field} {value} does not fit the disks of {order.provider.type}: {offered}"
            )
        found = fitting
    offer = next((offer for offer in found if offer.stock != "Unavailable"), None)
    if offer is None:
        raise HTTPException(409, f"{order.provider.type} returned no capacity for disks there")
    return offer


def _found(world: SandboxService, disk_id: str, asker: Person) -> DiskRecord:
    disk = world.disk(disk_id, asker)
    if disk is None:
        raise HTTPException(404, f"Disk not found: {disk_id}")
    return disk

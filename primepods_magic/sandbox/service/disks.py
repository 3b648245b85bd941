"""Creating, renaming and deleting disks."""

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
from primepods_magic.sandbox.domain.users import Person, person
from primepods_magic.sandbox.schemas.enums import PodStatus
from primepods_magic.sandbox.schemas.requests import DiskOrder

from .ordering import find_team
from .service import SandboxService
from .wallets import REFILL_HINT

__all__ = ["buy_disk", "delete_disk", "find_disk", "rename_disk"]


def buy_disk(service: SandboxService, order: DiskOrder, buyer: Person) -> DiskRecord:
    """Create a disk, or raise HTTPException 400, 402, 404 or 409."""
    disk = order.disk
    with service.writing() as now_ms:
        team = find_team(order.team.team_id, buyer) if order.team else None
        offer = _choose_offer(order)
        reason = offer.size_gb.refusal("size", disk.size)
        if reason:
            raise HTTPException(400, reason)
        number = service.store.next_number()
        disk_id = service.store.token("disk", number)
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
        if service.store.wallets.balance_usd(record.wallet_id, now_ms) < record.price_usd_hr:
            raise HTTPException(402, f"Insufficient balance for one hour of this disk{REFILL_HINT}")
        service.store.disks.add(record)
        service.store.wallets.charge(record.id, record.wallet_id, disk_charges(record, now_ms))
        service.recompute_charges(record.wallet_id, now_ms)
    return record


def find_disk(service: SandboxService, disk_id: str, person: Person) -> DiskRecord:
    """Find a disk that is not terminated; raise 404 otherwise."""
    disk = service.disk(disk_id, person)
    if disk is None:
        raise HTTPException(404, f"Disk not found: {disk_id}")
    return disk


def rename_disk(service: SandboxService, disk_id: str, name: str, user: Person) -> None:
    with service.writing() as now_ms:
        find_disk(service, disk_id, user)
        service.store.disks.rename(disk_id, name, now_ms)


def delete_disk(service: SandboxService, disk_id: str, user: Person) -> PodStatus:
    """Delete a disk and return its status, or raise 409 if it is attached or not ACTIVE."""
    with service.writing() as now_ms:
        disk = find_disk(service, disk_id, user)
        # A repeated delete is harmless.
        if disk.deleted_ms is not None:
            return disk_state(disk, now_ms).status
        reason = delete_refusal(disk, service.store.pods.holding(disk_id, now_ms), now_ms)
        if reason:
            raise HTTPException(409, reason)
        deleted = disk._replace(deleted_ms=now_ms)
        ends_ms = disk_end_ms(deleted)
        assert ends_ms is not None
        service.store.disks.delete(disk_id, now_ms)
        service.store.wallets.end_charges(disk_id, ends_ms)
        billed_usd = service.store.wallets.spent_usd(disk_id, ends_ms)
        owner = person(disk.user_id).name
        service.store.history.replace(
            disk_id, disk_history_row(deleted, owner=owner, billed_usd=billed_usd, ends_ms=ends_ms)
        )
        service.recompute_charges(disk.wallet_id, now_ms)
        return disk_state(deleted, now_ms).status


def _choose_offer(order: DiskOrder) -> DiskOffer:
    disk = order.disk
    matches = [offer for offer in disk_offers() if offer.provider == order.provider.type]
    if not matches:
        raise HTTPException(400, f"{order.provider.type} has no disks")
    # Ignore cloudId: the official client sends a machine's.
    for field, attribute, value in (
        ("dataCenterId", "data_center", disk.data_center_id),
        ("country", "country", disk.country),
    ):
        narrowed = [offer for offer in matches if value in (None, getattr(offer, attribute))]
        if not narrowed:
            offered = ", ".join(sorted({str(getattr(offer, attribute)) for offer in matches}))
            raise HTTPException(
                400, f"{field} {value} does not fit the disks of {order.provider.type}: {offered}"
            )
        matches = narrowed
    offer = next((offer for offer in matches if offer.stock != "Unavailable"), None)
    if offer is None:
        raise HTTPException(409, f"{order.provider.type} returned no capacity for disks there")
    return offer

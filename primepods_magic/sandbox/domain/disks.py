"""The life of a disk: created within seconds, billed until deleted, independent of pods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from primepods_magic.sandbox.schemas.enums import PodStatus

from .billing import Charge, Rates, Span, charges_of
from .offers import Offer
from .records import DiskRecord, HistoryRow, PodRecord

MAKING_MS = 2000
DELETING_MS = 2000


class DiskState(NamedTuple):
    status: PodStatus
    since_ms: int


def disk_state(disk: DiskRecord, now_ms: int) -> DiskState:
    """Compute the state of a disk at `now_ms` from its record alone."""
    ends_ms = disk_end_ms(disk)
    if disk.deleted_ms is not None and ends_ms is not None and now_ms >= disk.deleted_ms:
        if now_ms >= ends_ms:
            return DiskState("TERMINATED", ends_ms)
        return DiskState("DELETING", disk.deleted_ms)
    made_ms = disk.created_ms + MAKING_MS
    return DiskState("ACTIVE", made_ms) if now_ms >= made_ms else DiskState("PROVISIONING", disk.created_ms)


def disk_end_ms(disk: DiskRecord) -> int | None:
    """Return when the disk becomes TERMINATED, if it has been deleted."""
    return None if disk.deleted_ms is None else disk.deleted_ms + DELETING_MS


def attach_refusal(disk: DiskRecord, offer: Offer, holders: Sequence[PodRecord], now_ms: int) -> str | None:
    """Explain why a disk cannot be attached to a pod of `offer`, or return None."""
    if (disk.provider, disk.data_center) != (offer.provider, offer.data_center):
        return f"disk {disk.id} is at {disk.provider} {disk.data_center} and cannot be attached elsewhere"
    status = disk_state(disk, now_ms).status
    if status != "ACTIVE":
        return f"disk {disk.id} is {status}, and only an ACTIVE disk can be attached"
    if not disk.is_multinode and offer.nodes > 1:
        return f"disk {disk.id} serves one machine, and {offer.cloud_id} has {offer.nodes}"
    if not disk.is_multinode and holders:
        return f"disk {disk.id} serves one pod and is attached to {holders[0].id}"
    return None


def delete_refusal(disk: DiskRecord, holders: Sequence[PodRecord], now_ms: int) -> str | None:
    """Explain why a disk cannot be deleted, or return None."""
    status = disk_state(disk, now_ms).status
    if status != "ACTIVE":
        return f"disk {disk.id} is {status}, and only an ACTIVE disk can be deleted"
    if holders:
        return f"disk {disk.id} is attached to {holders[0].id}: end that pod first"
    return None


def disk_charges(disk: DiskRecord, from_ms: int) -> list[Charge]:
    """Return the charges of a disk, which bills whether it is attached or not."""
    made_ms = max(from_ms, disk.created_ms + MAKING_MS)
    return charges_of([Span("ACTIVE", made_ms, disk_end_ms(disk))], Rates(disk.price_usd_hr))


def disk_history_row(disk: DiskRecord, *, owner: str, billed_usd: float, ends_ms: int) -> HistoryRow:
    return HistoryRow(
        id=disk.id,
        name=disk.name,
        provider=disk.provider,
        provisioned_by=owner,
        type="Disk",
        created_ms=disk.created_ms,
        terminated_ms=ends_ms,
        gpu_name="",
        gpu_count=0,
        socket=None,
        price_usd_hr=disk.price_usd_hr,
        user_id=disk.user_id,
        team_id=disk.team_id,
        wallet_id=disk.wallet_id,
        billed_usd=billed_usd,
        settled_ms=ends_ms,
        early_usd=billed_usd,
    )

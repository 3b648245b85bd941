"""Look for the disk of a create whose outcome is not clear."""

from __future__ import annotations

from datetime import timedelta

from primepods_magic.api.disks import Disk
from primepods_magic.api.errors import NotFound, OutcomeUnknown, PodsError
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.journal.name_lock import launching
from primepods_magic.pods.support.name_matching import fold_name, has_changed, is_same_payer

from .journal import DiskJournal, DiskRecord

__all__ = ["search_disk"]

_SKEW = timedelta(minutes=5)
_SUSPECT_WITHIN = timedelta(minutes=10)
_SHORTEST_CUT = 12
# The lock for taking a disk for a create's own; no name is empty.
_CLAIMS = "\0disk claims"


def search_disk(
    connection: Connection, journal: DiskJournal, record: DiskRecord, settle_s: float
) -> Disk | None:
    """Poll for the disk of a create, at least once.

    Raise OutcomeUnknown if it cannot be read whether there is one, or if another new disk may be it.
    """
    clock = connection.clock
    deadline = clock.monotonic() + settle_s
    while True:
        is_last = clock.monotonic() >= deadline
        try:
            disks = connection.client.list_disks()
            if record.disk_id is None:
                found = _claim_disk(connection, journal, record, disks)
            else:
                found = _find_known(connection, record.disk_id, disks)
            if found is None and is_last and record.disk_id is None:
                _refuse_suspect(connection, journal, record, disks)
            if found is not None or is_last:
                return found if found is not None and found.is_live else None
        except OutcomeUnknown:
            raise
        except PodsError as error:
            if is_last:
                raise OutcomeUnknown(
                    f"Could not determine whether the disk '{sanitize(record.name)}' exists: the search "
                    f"failed ({error}). It may exist and be billed. Run this again to look again"
                ) from None
        clock.sleep(connection.interval_s())


def _claim_disk(
    connection: Connection, journal: DiskJournal, record: DiskRecord, disks: list[Disk]
) -> Disk | None:
    """Return the disk of a create by what it is called, and record it before another create takes it."""
    with launching(connection, _CLAIMS):
        others = journal.read_other_ids()
        found = (disk for disk in disks if _is_created(connection, disk, record) and disk.id not in others)
        disk = next(found, None)
        if disk is not None:
            journal.note_disk(record, disk, is_seen=True)
        return disk


def _find_known(connection: Connection, disk_id: str, disks: list[Disk]) -> Disk | None:
    """Return a disk by its id: lists lag, and may call it something else."""
    try:
        return connection.client.get_disk(disk_id)
    except NotFound:
        return next((disk for disk in disks if disk.id == disk_id), None)


def _is_created(connection: Connection, disk: Disk, record: DiskRecord) -> bool:
    """Return whether a disk is the one that a create has made; services trim and cut names."""
    wanted, has = fold_name(record.name), fold_name(disk.name)
    is_named = has == wanted or (len(has) >= _SHORTEST_CUT and wanted.startswith(has))
    return (
        is_named and not has_changed(disk.size, record.size_gb) and _may_be_created(connection, disk, record)
    )


def _may_be_created(connection: Connection, disk: Disk, record: DiskRecord) -> bool:
    """Return whether a disk is new, mine, and from the time of a create, whatever it is called."""
    at, sent_at = disk.created_at or record.sent_at, record.sent_at
    return (
        disk.id not in record.known_ids
        and disk.is_live
        and sent_at - _SKEW <= at <= sent_at + _SUSPECT_WITHIN
        and not has_changed(disk.provider_type, record.provider)
        and is_same_payer(disk.team_id, connection.settings.team_id)
        and connection.may_be_mine(disk)
    )


def _refuse_suspect(
    connection: Connection, journal: DiskJournal, record: DiskRecord, disks: list[Disk]
) -> None:
    """Raise OutcomeUnknown if there is a new disk that the service may have given another name or size."""
    others = journal.read_other_ids()
    suspect = next(
        (disk for disk in disks if disk.id not in others and _may_be_created(connection, disk, record)), None
    )
    if suspect is not None:
        raise OutcomeUnknown(
            f"The response of the create of '{sanitize(record.name)}' was lost, and your account has the new "
            f"disk '{sanitize(suspect.name)}' ({sanitize(suspect.id)}), which may be it and is billed. "
            "Nothing was created now. If it is, use or rename it; if it is not, choose another name for this "
            "disk"
        )

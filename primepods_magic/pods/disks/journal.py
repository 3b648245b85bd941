"""Records of creates of disks: a file for each name on this computer, written before the request leaves.

A kernel may be killed after the service has acted. The record lets the next create of the name look for that
disk instead of making a second one.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from primepods_magic.api.errors import LaunchRefused
from primepods_magic.api.local.atomic_files import read_plain_file, write_atomically
from primepods_magic.api.local.folders import find_folder, make_folder
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.launching.journal.name_lock import launching
from primepods_magic.pods.support.name_matching import fold_letters, fold_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from primepods_magic.api.disks import Disk
    from primepods_magic.pods.connection.connection import Connection

__all__ = ["DiskJournal", "DiskRecord", "hold_disk_name"]


class DiskRecord(BaseModel):
    """A create that was, or was about to be, sent. ``known_ids`` existed before it.

    ``shown_name`` is what the service calls the disk, and ``is_seen`` says that it has shown it since.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    size_gb: int
    provider: str
    known_ids: tuple[str, ...]
    sent_at: AwareDatetime
    noted_at_s: float
    disk_id: str | None = None
    shown_name: str | None = None
    is_seen: bool = False


class DiskJournal:
    """The record of one name of an account and a team; only the holder of the name's lock writes it."""

    def __init__(
        self, connection: Connection, name: str, team_id: str | None, *, is_locked: bool = True
    ) -> None:
        self.is_locked = is_locked
        parts = (fold_name(name), f"{connection.account}\0{fold_letters(team_id)}")
        marks = (sha256(text.encode("utf-8", "replace")).hexdigest()[:24] for text in parts)
        state = find_folder("state")
        self._path: Path | None = state / "disks" / f"{'-'.join(marks)}.json" if state else None
        self._name = sanitize(name)

    def read(self) -> DiskRecord | None:
        """Return the record, or None if there is none; raise LaunchRefused if it cannot be read."""
        if self._path is None or not os.path.lexists(self._path):
            return None
        try:
            return DiskRecord.model_validate_json(read_plain_file(self._path))
        except (OSError, ValidationError):
            raise LaunchRefused(
                f"The record of an earlier create of the disk '{self._name}' cannot be read. That disk may "
                f"exist and be billed. Nothing was created now. See '%pods disks', then delete {self._path}"
            ) from None

    def write(self, record: DiskRecord) -> None:
        """Store the record; raise LaunchRefused if that fails."""
        try:
            if self._path is None:
                raise OSError("no home folder is known")
            make_folder(self._path.parent)
            write_atomically(self._path, record.model_dump_json(), is_durable=True)
        except OSError as error:
            raise LaunchRefused(
                f"The create of the disk '{self._name}' cannot be noted on this computer "
                f"({error.strerror or error}), so one that is cut off would not be found again. "
                "Nothing was created"
            ) from None

    def note_disk(self, record: DiskRecord, disk: Disk, *, is_seen: bool) -> None:
        """Store which disk it is, as far as possible: without that, it is found by its name."""
        update = {"disk_id": disk.id, "shown_name": disk.name, "is_seen": is_seen}
        with suppress(LaunchRefused):
            self.write(record.model_copy(update=update))

    def read_other_ids(self) -> set[str | None]:
        """Return the ids of the disks of all other names on this computer."""
        folder = self._path.parent if self._path else None
        found: set[str | None] = set()
        for path in folder.glob("*.json") if folder and folder.is_dir() else ():
            with suppress(OSError, ValidationError):
                if path != self._path:
                    found.add(DiskRecord.model_validate_json(read_plain_file(path)).disk_id)
        return found

    def clear(self) -> None:
        """Remove the record: nothing was created."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)


@contextmanager
def hold_disk_name(
    connection: Connection, name: str, on_wait: Callable[[], object] | None = None
) -> Iterator[DiskJournal]:
    """Hold the name of a disk during its create, among all kernels on this computer."""
    # No pod has this name. Services change the case of names.
    with launching(connection, f"\0disk {fold_name(name)}", on_wait=on_wait) as is_held:
        yield DiskJournal(connection, name, connection.settings.team_id, is_locked=is_held)

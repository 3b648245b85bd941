"""Records of creates of disks: a file for each name on this computer, written before the request leaves.

A kernel may be killed after the service has acted. The record lets the next create of the name look for that
disk instead of making a second one.
"""

from __future__ import annotations

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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from primepods_magic.pods.connection.connection import Connection

__all__ = ["DiskJournal", "DiskRecord", "hold_disk_name"]


class DiskRecord(BaseModel):
    """A create that was, or was about to be, sent. ``known_ids`` existed before it."""

    model_config = ConfigDict(frozen=True)

    name: str
    size_gb: int
    provider: str
    known_ids: tuple[str, ...]
    sent_at: AwareDatetime
    noted_at_s: float
    disk_id: str | None = None


class DiskJournal:
    """The record of one name in one account; only the holder of the name's lock writes it."""

    def __init__(self, connection: Connection, name: str) -> None:
        marks = (
            sha256(text.encode("utf-8", "replace")).hexdigest()[:24] for text in (name, connection.account)
        )
        state = find_folder("state")
        self._path: Path | None = state / "disks" / f"{'-'.join(marks)}.json" if state else None
        self._name = sanitize(name)

    def read(self) -> DiskRecord | None:
        """Return the record, or None if there is none that can be read."""
        try:
            return DiskRecord.model_validate_json(read_plain_file(self._path)) if self._path else None
        except (OSError, ValidationError):
            return None

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

    def note_id(self, record: DiskRecord, disk_id: str | None) -> None:
        """Store the id of the disk, as far as possible: without it, the disk is found by its name."""
        with suppress(LaunchRefused):
            self.write(record.model_copy(update={"disk_id": disk_id}))

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
    # No pod has this name.
    with launching(connection, f"\0disk {name}", on_wait=on_wait):
        yield DiskJournal(connection, name)

"""Launch records: a file for each name on this computer, written before the request leaves.

A kernel may be killed after the service has acted and before the response is read. The record lets the next
launch of the name search for that pod instead of renting a second one. Once the pod is known, the record
keeps its id: the service may call the pod something else, bill another team, or leave it out of its lists.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from primepods_magic.api.local.atomic_files import read_plain_file, write_atomically
from primepods_magic.api.local.folders import find_folder, make_folder
from primepods_magic.api.text.short_repr import ShortRepr

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["LaunchJournal", "LaunchRecord", "Order", "digest_accounts", "launch_path", "was_created_here"]

_PROBE = b"\0" * 4096
_MAX_EARLIER_IDS = 8


@dataclass(frozen=True, repr=False)
class Order(ShortRepr):
    """The parts of a create beside name, team and GPUs; ``None`` for what it left open."""

    provider: str | None = None
    socket: str | None = None
    image: str | None = None
    template_id: str | None = None
    disk_gb: float | None = None
    is_spot: bool = False


@dataclass(frozen=True, repr=False)
class LaunchRecord(ShortRepr):
    """A create that was, or was about to be, sent. Holds no secret.

    ``known_ids`` existed before the launch. ``sent_at`` is by the service's clock (UTC), ``noted_at_s`` by
    this computer's. ``accounts`` are digests of the user and the key. ``earlier_ids`` are pods of earlier
    launches of the name, newest first. ``is_search_over``: no pod was seen, and one more poll is enough.
    ``is_price_kept``: the pod was ready at its agreed price. ``is_found``: its id did not come in the
    create's response.
    """

    name: str
    team_id: str | None
    gpu_type: str
    gpu_count: int
    digest: str
    known_ids: tuple[str, ...]
    sent_at: AwareDatetime
    noted_at_s: float | None = None
    pod_id: str | None = None
    is_delivered: bool = False
    accounts: tuple[str, ...] = ()
    earlier_ids: tuple[str, ...] = ()
    is_search_over: bool = False
    agreed_usd_hr: float | None = None
    is_price_kept: bool = False
    order: Order | None = None
    is_found: bool = False
    is_seen: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all known pods of this name, newest first."""
        newest = () if self.pod_id is None else (self.pod_id,)
        return (*newest, *self.earlier_ids)[:_MAX_EARLIER_IDS]

    @property
    def was_seen(self) -> bool:
        """Something beside the create's response has named the pod."""
        return self.is_seen or self.is_found or self.is_price_kept

    def is_of(self, accounts: Iterable[str]) -> bool:
        """Return whether one of these digests is among the record's accounts."""
        return not set(self.accounts).isdisjoint(accounts)


# If nothing can be written, a launch run again in the same process still finds its record here.
_unwritten: dict[Path, LaunchRecord] = {}


class LaunchJournal:
    """The launch record of one name. Only the holder of the name's lock writes it."""

    def __init__(self, account: str, name: str, *, is_locked: bool = True) -> None:
        self._path = launch_path(account, name, ".json")
        self.is_locked = is_locked

    def read(self) -> LaunchRecord | None:
        """Return the record, or ``None`` if there is none that can be read."""
        return _unwritten.get(self._path) or _read_record(self._path)

    def read_others(self) -> list[LaunchRecord]:
        """Return the records of all other names on this computer."""
        paths = (path for path in _list_records(self._path.parent) if path != self._path)
        records = (_unwritten.get(path) or _read_record(path) for path in paths)
        return [record for record in records if record is not None]

    @classmethod
    def find_records(
        cls, pod_ids: Collection[str | None], *, max_age_s: float = math.inf
    ) -> list[tuple[LaunchJournal, LaunchRecord]]:
        """Find the records of these pods, skipping files written more than ``max_age_s`` ago."""
        paths = _list_records(launch_path("", "", ".json").parent)
        journals = [cls._open_at(path) for path in paths if _read_file_age_s(path) <= max_age_s]
        records = [(journal, record) for journal in journals if (record := journal.read()) is not None]
        return [(journal, record) for journal, record in records if record.pod_id in pod_ids]

    @classmethod
    def _open_at(cls, path: Path) -> LaunchJournal:
        journal = cls("", "")
        journal._path = path
        return journal

    def join_others(self, is_same: Callable[[LaunchRecord], bool]) -> None:
        """Merge records of this name under other accounts or teams that ``is_same`` accepts."""
        own = self.read()
        if own is None and os.path.lexists(self._path):
            # What cannot be read is reported, and not replaced before.
            return
        others = {path: record for path, record in self._read_of_name().items() if is_same(record)}
        if not others:
            return
        records = [*([own] if own else []), *others.values()]
        # A launch that was cut off is followed up first.
        records.sort(key=lambda record: (record.pod_id is None and not record.is_search_over, record.sent_at))
        newest = records.pop()
        ids = [pod_id for record in (newest, *reversed(records)) for pod_id in record.ids]
        accounts = dict.fromkeys(account for record in (newest, *records) for account in record.accounts)
        joined = replace(
            newest,
            accounts=tuple(accounts),
            earlier_ids=tuple(dict.fromkeys(pod_id for pod_id in ids if pod_id != newest.pod_id)),
        )
        if self.write(joined):
            for path in others:
                _remove_record(path)

    def _read_of_name(self) -> dict[Path, LaunchRecord]:
        """Return the other records of this name by their paths."""
        mark = self._path.name.partition("-")[0]
        paths = _list_records(self._path.parent, f"{mark}-")
        records = {path: _unwritten.get(path) or _read_record(path) for path in paths if path != self._path}
        return {path: record for path, record in records.items() if record is not None}

    def is_usable(self) -> bool:
        """Return whether a record can be written, and an existing one be read."""
        probe = self._path.with_suffix(".probe")
        try:
            make_folder(self._path.parent)
            write_atomically(probe, _PROBE, is_durable=True)
            probe.unlink()
        except OSError:
            return False
        return not os.path.lexists(self._path) or self.read() is not None

    def write(self, record: LaunchRecord) -> bool:
        """Store the record durably; return false if that fails."""
        try:
            make_folder(self._path.parent)
            write_atomically(self._path, _record_adapter().dump_json(record), is_durable=True)
        except OSError:
            _unwritten[self._path] = record
            return False
        _unwritten.pop(self._path, None)
        return True

    def clear(self) -> None:
        """Remove the record: its pod is gone, or was never created."""
        _remove_record(self._path)


def digest_accounts(connection: BaseConnection, *, may_ask: bool = True) -> tuple[str, ...]:
    """Return digests of the user, if known, and of the key; without ``may_ask``, send no request."""
    is_known = may_ask or "user_id" in connection.__dict__
    accounts = dict.fromkeys((connection.account, connection.access) if is_known else (connection.access,))
    return tuple(sha256(account.encode()).hexdigest()[:16] for account in accounts)


def was_created_here(connection: BaseConnection, pod_id: str | None) -> bool:
    """Return whether a create on this computer returned a pod's id to this account."""
    accounts = digest_accounts(connection)
    # One that was found by polling may be a team mate's.
    records = LaunchJournal.find_records([pod_id]) if pod_id else []
    return any(record.is_of(accounts) and not record.is_found for _, record in records)


def launch_path(account: str, name: str, suffix: str) -> Path:
    """Return the path of a file about launching a name in an account; it begins with the name's digest."""
    marks = (sha256(text.encode("utf-8", "replace")).hexdigest()[:24] for text in (name, account))
    # Without a home there is nowhere to write; nothing can be made below a device either.
    state = find_folder("state") or Path(os.devnull)
    return state / "launching" / f"{'-'.join(marks)}{suffix}"


@cache
def _record_adapter() -> TypeAdapter[LaunchRecord]:
    return TypeAdapter(LaunchRecord)


def _read_record(path: Path) -> LaunchRecord | None:
    try:
        return _record_adapter().validate_json(read_plain_file(path))
    except (OSError, ValidationError):
        return None


def _list_records(folder: Path, mark: str = "") -> list[Path]:
    """List the paths of records that begin with a mark, those that could not be written included."""
    try:
        paths = list(folder.glob(f"{mark}*.json"))
    except OSError:
        paths = []
    kept = (path for path in _unwritten if path.parent == folder and path.name.startswith(mark))
    return list(dict.fromkeys([*paths, *kept]))


def _read_file_age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _remove_record(path: Path) -> None:
    _unwritten.pop(path, None)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)

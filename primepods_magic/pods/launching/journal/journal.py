"""Launch records: a file for each name on this computer, written before the request leaves.

A kernel may be killed after the service has acted and before the response is read. The record lets the next
launch of the name look for that pod instead of renting a second one. Once the pod is known, the record keeps
its id: the service may call the pod something else, bill another team, or leave it out of its lists.
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
from primepods_magic.api.local.folders import find_folder

if TYPE_CHECKING:
    from primepods_magic.pods.connection.base import BaseConnection

__all__ = ["LaunchJournal", "LaunchRecord", "Order", "digest_accounts", "launch_path", "was_created_here"]

_PROBE = b"\0" * 4096
_MAX_EARLIER_IDS = 8


@dataclass(frozen=True)
class Order:
    """What a create asked for beside name, team and GPUs; ``None`` for what it left open.

    Parameters
    ----------
    provider, socket, image, template_id : str, optional
        As the request names them.
    disk_gb : float, optional
        The size of the disk.
    is_spot : bool
        A spot machine was ordered.
    """

    provider: str | None = None
    socket: str | None = None
    image: str | None = None
    template_id: str | None = None
    disk_gb: float | None = None
    is_spot: bool = False


@dataclass(frozen=True)
class LaunchRecord:
    """A create that was, or was about to be, sent. Holds no secret.

    Parameters
    ----------
    name : str
        The pod's name, as it was asked for.
    team_id : str, optional
        The team that was to be billed.
    gpu_type, gpu_count :
        What was asked for.
    digest : str
        Of the spec, to tell the same launch run again from another one.
    known_ids : tuple of str
        Pods that were there before, live or ended.
    sent_at : datetime
        When, by the service's clock (UTC).
    noted_at_s : float, optional
        The same by this computer's clock, in seconds since 1970.
    pod_id : str, optional
        The pod that was created, once that is known.
    is_delivered : bool
        The launch has returned the pod.
    accounts : tuple of str
        Digests that stand for whose launch it is: of the user, as far as known, and of the key.
    earlier_ids : tuple of str
        Pods that earlier launches of the name made, the newest first; some may live.
    is_over : bool
        No pod came of it, as far as could be seen; one more look is enough.
    agreed_usd_hr : float, optional
        The most that was agreed to, in USD per hour; runs of the launch in other kernels may raise it.
    is_price_kept : bool
        The pod was read at such a price after it was created: later runs do not hold it any more.
    order : Order, optional
        What else was asked for.
    is_found : bool
        The pod was found by looking; its id did not come in the create's response.
    is_seen : bool
        The pod was seen after its create was answered.
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
    is_over: bool = False
    agreed_usd_hr: float | None = None
    is_price_kept: bool = False
    order: Order | None = None
    is_found: bool = False
    is_seen: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the pods that are known to have this name, the newest first."""
        newest = () if self.pod_id is None else (self.pod_id,)
        return (*newest, *self.earlier_ids)[:_MAX_EARLIER_IDS]

    @property
    def was_seen(self) -> bool:
        """Something beside the create's response has named the pod."""
        return self.is_seen or self.is_found or self.is_price_kept

    def is_of(self, accounts: Iterable[str]) -> bool:
        """Return whether it is the launch of an account that has one of these digests."""
        return not set(self.accounts).isdisjoint(accounts)


# If nothing can be written, a launch run again in the same process still finds its record here.
_unwritten: dict[Path, LaunchRecord] = {}


class LaunchJournal:
    """The record of one name; read and written only by the holder of the name's lock.

    Parameters
    ----------
    account : str
        Whose name it is.
    name : str
        The name.
    is_locked : bool
        No other kernel launches the name meanwhile; false if no lock can be had.
    """

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
        """Find the records on this computer that name one of these pods, as they are now; of those that were
        written longer ago, none is read."""
        paths = _list_records(launch_path("", "", ".json").parent)
        notes = [cls._open_at(path) for path in paths if _read_file_age_s(path) <= max_age_s]
        records = [(note, record) for note in notes if (record := note.read()) is not None]
        return [(note, record) for note, record in records if record.pod_id in pod_ids]

    @classmethod
    def _open_at(cls, path: Path) -> LaunchJournal:
        note = cls("", "")
        note._path = path
        return note

    def join_others(self, is_same: Callable[[LaunchRecord], bool]) -> None:
        """Take over the name's records that are kept under another account or team, but are the same.

        Parameters
        ----------
        is_same : callable
            Tells that of a record of the name.
        """
        own = self.read()
        if own is None and os.path.lexists(self._path):
            # What cannot be read is reported, and not replaced before.
            return
        others = {path: record for path, record in self._read_of_name().items() if is_same(record)}
        if not others:
            return
        records = [*([own] if own else []), *others.values()]
        # A launch that was cut off is followed up first.
        records.sort(key=lambda record: (record.pod_id is None and not record.is_over, record.sent_at))
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
        """Try whether a record can be written, and whether one that is there can be read."""
        probe = self._path.with_suffix(".probe")
        try:
            _make_folder(self._path.parent)
            write_atomically(probe, _PROBE, is_durable=True)
            probe.unlink()
        except OSError:
            return False
        return not os.path.lexists(self._path) or self.read() is not None

    def write(self, intent: LaunchRecord) -> bool:
        """Store the record so that it survives the process and a power cut; return false if that fails."""
        try:
            _make_folder(self._path.parent)
            write_atomically(self._path, _records().dump_json(intent), is_durable=True)
        except OSError:
            _unwritten[self._path] = intent
            return False
        _unwritten.pop(self._path, None)
        return True

    def clear(self) -> None:
        """Remove the record: its pod is gone, or was never created."""
        _remove_record(self._path)


def digest_accounts(connection: BaseConnection, *, may_ask: bool = True) -> tuple[str, ...]:
    """Return what stands for an account in a record: the user, as far as known, and the key."""
    is_known = may_ask or "user_id" in connection.__dict__
    accounts = dict.fromkeys((connection.account, connection.access) if is_known else (connection.access,))
    return tuple(sha256(account.encode()).hexdigest()[:16] for account in accounts)


def was_created_here(connection: BaseConnection, pod_id: str | None) -> bool:
    """Return whether a create of this account on this computer was answered with a pod's id."""
    accounts = digest_accounts(connection)
    # One that was found by looking may be a team mate's.
    records = LaunchJournal.find_records([pod_id]) if pod_id else []
    return any(record.is_of(accounts) and not record.is_found for _, record in records)


def launch_path(account: str, name: str, suffix: str) -> Path:
    """Return the path of a file about launching one name in one account; it begins with the name's mark."""
    marks = (sha256(text.encode("utf-8", "replace")).hexdigest()[:24] for text in (name, account))
    # Without a home there is nowhere to write; nothing can be made below a device either.
    state = find_folder("state") or Path(os.devnull)
    return state / "launching" / f"{'-'.join(marks)}{suffix}"


@cache
def _records() -> TypeAdapter[LaunchRecord]:
    return TypeAdapter(LaunchRecord)


def _read_record(path: Path) -> LaunchRecord | None:
    try:
        return _records().validate_json(read_plain_file(path))
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


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)

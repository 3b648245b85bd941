"""Rename and delete disks, and say what has become of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from primepods_magic.api.disks import Disk
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import (
    InvalidRequest,
    NameInUse,
    NotFound,
    OutcomeUnknown,
    PodsError,
    WaitInterrupted,
)
from primepods_magic.api.text.sanitize import join_sanitized, sanitize
from primepods_magic.api.tracebacks import shorten_tracebacks
from primepods_magic.api.validation.bounds import check_flags, check_kind, check_seconds
from primepods_magic.api.validation.size_limits import shorten_word
from primepods_magic.pods.audit import note_event
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import choose_connection
from primepods_magic.pods.support.name_matching import fold_name

from .find import find_disk, find_disks, list_named
from .journal import DiskJournal

__all__ = ["DELETED", "DiskRemoval", "delete_disks", "rename_disk", "wait_for_disk"]

DELETED = "deleted"
_GOING = "not gone yet, may still be billed"
_TIMEOUT_S = 60.0
_FINAL = (PodStatus.ACTIVE, PodStatus.ERROR, PodStatus.TERMINATED, PodStatus.STOPPED)


@dataclass(frozen=True)
class DiskRemoval:
    """The result for one disk: ``outcome`` is "deleted" or a description of the problem."""

    name: str | None
    id: str | None
    size: float | None
    outcome: str

    def __repr__(self) -> str:
        return f"Disk {shorten_word(self.name or self.id or '')}: {sanitize(self.outcome)}"


@shorten_tracebacks
def rename_disk(disk: str, name: str, *, connection: Connection | None = None) -> Disk:
    """Rename a disk, and return it as the service shows it then.

    Parameters
    ----------
    disk : str
        Its exact name or id.
    name : str
        The new name.
    connection : Connection, optional
        The account to use; else the current connection.

    Raises
    ------
    NotFound
        There is no such disk.
    NameInUse
        Another disk of mine has the new name.
    OutcomeUnknown
        The service does not say whether it was renamed.

    Examples
    --------
    >>> rename_disk("datasets", "corpus").name                               # doctest: +SKIP
    'corpus'
    """
    connection = choose_connection(connection)
    check_kind("disk", disk, is_right=isinstance(disk, str), form="a name or an id")
    is_plain = isinstance(name, str) and name.encode("utf-8", "replace").decode() == name == name.strip()
    if disk is None or not is_plain or not fold_name(name) or len(name) > 255:
        raise InvalidRequest(
            "The new name has 1 to 255 characters, and no spaces around it. Nothing was done"
        )
    found = find_disk(connection, disk, to_change=True)
    others = list_named(connection, connection.client.list_disks(), name, found.team_id)
    if any(other.id != found.id for other in others):
        raise NameInUse(f"Another disk is called '{sanitize(name)}' already. Nothing was done")
    disk_id, failure = str(found.id), None
    try:
        connection.client.rename_disk(disk_id, name)
    except NotFound:
        raise
    except PodsError as error:
        # The response may be what failed.
        failure = error
    except KeyboardInterrupt:
        raise _describe_rename_interrupt(found) from None
    try:
        renamed = connection.client.get_disk(disk_id)
    except KeyboardInterrupt:
        raise _describe_rename_interrupt(found) from None
    except PodsError as error:
        raise OutcomeUnknown(
            f"Could not determine whether '{sanitize(found.name)}' was renamed ({failure or error}). Its "
            "data and its price stay as they are. '%pods disks' shows its name"
        ) from None
    if fold_name(renamed.name) == fold_name(name):
        # A create of the earlier name makes another disk from now on.
        DiskJournal(connection, str(found.name), found.team_id).clear()
        return renamed
    if failure is not None:
        raise failure
    raise PodsError(f"The service accepted the new name, but still calls the disk '{sanitize(renamed.name)}'")


def _describe_rename_interrupt(disk: Disk) -> WaitInterrupted:
    return WaitInterrupted(
        f"Interrupted. '{sanitize(disk.name)}' may have been renamed. Its data and its price stay as they "
        "are. '%pods disks' shows its name"
    )


@shorten_tracebacks
def delete_disks(
    disks: Iterable[str],
    *,
    yes: bool = False,
    others: bool = False,
    confirm: Callable[[str], bool] | None = None,
    connection: Connection | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> list[DiskRemoval]:
    """Delete disks and everything on them, and verify that they are gone.

    Parameters
    ----------
    disks : iterable of str
        Their exact names or ids.
    yes : bool
        Agree in advance.
    others : bool
        With `yes`, also delete several disks that are not known to be mine.
    confirm : callable, optional
        Asks a person a question; by default no one is asked.
    connection : Connection, optional
        The account to use; else the current connection.
    timeout_s : float
        How long to wait until they are gone.

    Raises
    ------
    InvalidRequest
        A disk is attached to a pod, or no one agreed. Nothing was deleted.
    NotFound
        There is no such disk. Nothing was deleted.

    Examples
    --------
    >>> [removal.outcome for removal in delete_disks(["datasets"], yes=True)]  # doctest: +SKIP
    ['deleted']
    """
    check_flags(yes=yes, others=others)
    check_seconds("timeout_s", timeout_s)
    # The letters of a text would be names, too.
    texts = [] if isinstance(disks, str) or not isinstance(disks, Iterable) else list(disks)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise InvalidRequest("disks: not a list of names or ids. Nothing was deleted")
    connection = choose_connection(connection)
    found = find_disks(connection, texts, to_change=True)
    _refuse_attached(connection, found)
    names = join_sanitized(f"{disk.name} ({disk.size or 0:g} GB)" for disk in found)
    theirs = join_sanitized(disk.id for disk in found if not _is_mine(connection, disk))
    if yes and theirs and len(found) > 1 and not (others or connection.is_sandbox):
        raise InvalidRequest(
            f"These disks are not known to be yours: {theirs}. Nothing was deleted. Add '--others' to -y (in "
            "Python: others=True) to delete them too, or delete one by its id"
        )
    question = f"Delete {names} and everything on {'it' if len(found) == 1 else 'them'}?"
    question += f" Not known to be yours: {theirs}." if theirs else ""
    is_agreed = yes or connection.is_sandbox or not found
    # Any text is true, also "n": only True itself agrees.
    if not is_agreed and (confirm is None or confirm(question) is not True):
        raise InvalidRequest(
            f"Deleting {names} was not confirmed. Nothing was done. Pass -y (in Python: yes=True) to confirm "
            "in advance"
        )
    outcomes: dict[str, str] = {}
    try:
        for disk in found:
            outcomes[str(disk.id)] = _GOING
            note_event(connection, "termination sent", disk=disk)
            outcomes[str(disk.id)] = _request_deletion(connection, disk, may_raise=len(outcomes) == 1)
        accepted = {disk_id for disk_id, outcome in outcomes.items() if outcome == _GOING}
        _await_deletion(connection, outcomes, accepted, timeout_s)
    except KeyboardInterrupt:
        raise WaitInterrupted(
            f"Interrupted. The deletion of {names} was requested in part or in full, but is not verified. "
            "'%pods disks' shows what is left"
        ) from None
    for disk in found:
        is_gone = outcomes[str(disk.id)] == DELETED
        note_event(connection, "terminated" if is_gone else "termination unknown", disk=disk)
        if is_gone:
            DiskJournal(connection, str(disk.name), disk.team_id).clear()
    return [DiskRemoval(disk.name, disk.id, disk.size, outcomes[str(disk.id)]) for disk in found]


def _is_mine(connection: Connection, disk: Disk) -> bool:
    return None not in (connection.user_id, disk.user_id) and connection.is_my_id(disk.user_id)


def _refuse_attached(connection: Connection, disks: Iterable[Disk]) -> None:
    """Raise InvalidRequest if a disk is attached: its pod would lose it."""
    attached = [disk for disk in disks if disk.holders]
    if not attached:
        return
    try:
        known = {pod.id: pod.name or pod.id for pod in connection.client.list_all_pods()}
    except PodsError:
        known = {}
    uses = "; ".join(
        f"'{sanitize(disk.name)}' by {join_sanitized(known.get(holder, holder) for holder in disk.holders)}"
        for disk in attached
    )
    raise InvalidRequest(
        f"In use: {uses}. Nothing was deleted. A disk can be deleted once its pods are terminated: '%pods rm'"
    )


def _request_deletion(connection: Connection, disk: Disk, *, may_raise: bool) -> str:
    try:
        connection.client.delete_disk(str(disk.id))
    except NotFound:
        return "not found by the deletion request, and not verified to be gone"
    except PodsError as error:
        if may_raise and error.status_code is not None and error.status_code < 500:
            raise
        return f"the deletion may not have arrived: {error}"
    return _GOING


def _await_deletion(
    connection: Connection, outcomes: dict[str, str], accepted: set[str], timeout_s: float
) -> None:
    """Wait until each disk is gone: by its stated end or, once the request is accepted, absent in two looks.

    One look is not enough: the service's machines may disagree for a moment.
    """
    clock = connection.clock
    deadline = clock.monotonic() + timeout_s
    absent_before: set[str] = set()
    while True:
        is_last = clock.monotonic() >= deadline
        open_ids = [disk_id for disk_id, outcome in outcomes.items() if outcome != DELETED]
        try:
            listed = {disk.id: disk for disk in connection.client.list_disks()}
            absent_now = {disk_id for disk_id in open_ids if disk_id not in listed}
            for disk_id in open_ids:
                shown = listed.get(disk_id) or _read_disk(connection, disk_id)
                absent_now -= {disk_id} if shown is not None else set()
                is_stated = shown is not None and shown.status == PodStatus.TERMINATED
                is_absent = disk_id in accepted & absent_now & absent_before
                if is_stated or is_absent:
                    outcomes[disk_id] = DELETED
            absent_before = absent_now
        except PodsError as error:
            absent_before = set()
            if is_last:
                for disk_id in open_ids:
                    outcomes[disk_id] = f"deletion requested, not verified: {error}"
        if is_last or all(outcome == DELETED for outcome in outcomes.values()):
            return
        clock.sleep(connection.interval_s())


def _read_disk(connection: Connection, disk_id: str) -> Disk | None:
    try:
        return connection.client.get_disk(disk_id)
    except NotFound:
        return None


def wait_for_disk(
    connection: Connection, disk: Disk, *, timeout_s: float | None = None, tell: Callable[[str], object]
) -> Disk:
    """Wait until a disk can be attached or has failed, and return it; each new state is told.

    Raises PodsError after ``timeout_s``, and WaitInterrupted at Ctrl-C: the disk stays, and is billed.
    """
    clock, name = connection.clock, sanitize(disk.name)
    if not disk.id:
        raise PodsError(f"The service gives no id for '{name}', so it cannot be watched")
    deadline = None if timeout_s is None else clock.monotonic() + timeout_s
    seen = None
    try:
        while True:
            disk = connection.client.get_disk(str(disk.id))
            if disk.status != seen:
                seen = disk.status
                tell(f"{name}: {sanitize(str(getattr(seen, 'value', seen)))}")
            if seen in _FINAL:
                return disk
            if deadline is not None and clock.monotonic() >= deadline:
                raise PodsError(f"'{name}' is not ready after {timeout_s:g} s. It stays, and is billed")
            clock.sleep(connection.interval_s())
    except KeyboardInterrupt:
        raise WaitInterrupted(f"Interrupted. '{name}' stays, and is billed until it is deleted") from None

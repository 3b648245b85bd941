"""Find the pod of a launch once: by its id, or as a new pod that matches the order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from primepods_magic.api.errors import OutcomeUnknown
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.api.text.money import format_usd_hr
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.existence import PodFate, examine_pod
from primepods_magic.pods.launching.journal.journal import LaunchRecord
from primepods_magic.pods.support.gpu_counts import has_other_gpus
from primepods_magic.pods.support.name_matching import fold_letters, is_name_of, is_same_id, is_same_payer

from .agreed_prices import is_above, name_agreed
from .differences import list_doubts

__all__ = [
    "CreateOutcome",
    "describe_suspect",
    "find_listed",
    "known_ids",
    "poll_by_id",
    "poll_for_new",
    "rate_likeness",
]

_HISTORY_ROWS = 100
# Times without a zone, or of a clock that is off, are hours apart.
_SUSPECT_WITHIN_S = 86_400.0
_CLOCK_SKEW_S = 60.0
_SHORTEST_PART = 4


@dataclass(frozen=True)
class CreateOutcome:
    """The outcome of a create, as far as it is known.

    ``pods`` are the live candidates, best first. ``ended_id`` is set if the pod has ended or is ending.
    ``suspect`` is a new live pod under another name that may be the ordered one. ``is_absent``: the id is
    known, the service does not show it, and no one states its end.
    """

    pods: tuple[PodDetails, ...] = ()
    ended_id: str | None = None
    listed: tuple[PodDetails, ...] = ()
    suspect: PodDetails | None = None
    is_absent: bool = False


def known_ids(connection: Connection, pods: Iterable[PodDetails]) -> tuple[str, ...]:
    """Return the ids of pods that a create cannot have made: these, and those in the history."""
    ids = [pod.id for pod in pods]
    ids += [row.id for row in _newest_rows(connection)]
    return tuple({pod_id for pod_id in ids if pod_id})


def poll_for_new(
    connection: Connection, record: LaunchRecord, claimed: tuple[LaunchRecord, ...]
) -> CreateOutcome:
    listed = tuple(connection.client.list_all_pods())
    ranked = sorted(
        ((likeness, pod) for pod in listed if (likeness := rate_likeness(connection, pod, record, claimed))),
        key=lambda rated: (-rated[0], _count_doubts(rated[1], record), _seconds_apart(rated[1], record)),
    )
    came = [pod for _, pod in ranked]
    live = tuple(pod for pod in came if pod.is_live)
    if live:
        return CreateOutcome(live, listed=listed)
    rows = [row for row in _newest_rows(connection) if rate_likeness(connection, row, record, claimed)]
    ended = []
    for pod_id in dict.fromkeys([*(row.id for row in rows), *(pod.id for pod in came)]):
        # A row may be of a pod that lives, and one endpoint alone may be mistaken.
        finding = examine_pod(connection, str(pod_id), listed=listed)
        if finding.pod is not None and finding.pod.is_live:
            return CreateOutcome((finding.pod,), listed=listed)
        ended += [pod_id] if finding.has_ended or finding.is_live else []
    suspect = next((pod for pod in listed if _is_suspect(connection, pod, record, claimed)), None)
    return CreateOutcome(ended_id=ended[0] if ended else None, listed=listed, suspect=suspect)


def poll_by_id(connection: Connection, record: LaunchRecord, pod_id: str) -> CreateOutcome:
    """Look for one pod that was created: a list may leave it out although it lives."""
    listed = tuple(connection.client.list_all_pods())
    respelled = find_listed(connection, listed, record, pod_id)
    pod_id = pod_id if respelled is None else str(respelled.id)
    finding = examine_pod(connection, pod_id, listed=listed)
    if finding.fate is PodFate.UNKNOWN:
        raise OutcomeUnknown(finding.reason)
    if finding.fate is PodFate.ABSENT and not listed and not _newest_rows(connection):
        raise OutcomeUnknown("the service shows no pods and no history at all")
    pod = finding.pod
    if pod is None or not pod.is_live:
        is_absent = finding.fate is PodFate.ABSENT
        return CreateOutcome(ended_id=None if is_absent else pod_id, listed=listed, is_absent=is_absent)
    if pod.name is None:
        # The status endpoint does not say what a pod is called.
        pod = pod.model_copy(update={"name": record.name})
    return CreateOutcome((pod,), listed=listed)


def find_listed(
    connection: Connection, listed: Iterable[PodDetails], record: LaunchRecord, pod_id: str | None
) -> PodDetails | None:
    """Find the pod of an id in a list.

    A new pod with the ordered machine whose id differs only in spelling counts: the service may have changed
    the name as well.
    """
    listed = list(listed)
    exact = next((pod for pod in listed if pod.id == pod_id), None)
    alike = (
        pod
        for pod in listed
        if is_same_id(pod.id, pod_id)
        and pod.id not in record.known_ids
        and connection.may_be_mine(pod)
        and _is_machine(pod, record)
    )
    return exact or next(alike, None)


def rate_likeness(
    connection: Connection,
    pod: PodDetails | HistoryRow,
    record: LaunchRecord,
    claimed: tuple[LaunchRecord, ...],
) -> int:
    """Rate from 0 to 3 how surely a pod is the one that was ordered."""
    if not pod.id or pod.id in record.known_ids or not connection.may_be_mine(pod):
        return 0
    if any(_is_claimed(pod, record, other) for other in claimed) or _is_older_row(pod, record):
        return 0
    is_machine = _is_machine(pod, record)
    is_team = is_same_payer(pod.team_id, record.team_id)
    is_exact = pod.name == record.name and is_machine and is_team
    is_old = pod.created_at is not None and (
        (record.sent_at - pod.created_at).total_seconds() > _SUSPECT_WITHIN_S
    )
    # A pod of mine that is exactly what was ordered, and was not there before, outweighs any clock.
    if is_old and not (is_exact and isinstance(pod, PodDetails) and connection.is_mine(pod)):
        return 0
    if is_exact:
        return 3
    # Others launch too: what the service has changed is recognized only if the rest tells that it is mine.
    is_mine = connection.is_mine(pod)
    if not is_name_of(pod.name, record.name) or not (is_mine or (is_machine and is_team)):
        return 0
    return 2 if is_machine else 1


def _count_doubts(pod: PodDetails, record: LaunchRecord) -> int:
    """Count signs that a pod is another computer's, a price above the agreed one included."""
    is_dearer = record.agreed_usd_hr is not None and is_above(pod, record.agreed_usd_hr)
    return is_dearer + len(list_doubts(pod, replace(record, is_found=True)))


def _is_older_row(pod: PodDetails | HistoryRow, record: LaunchRecord) -> bool:
    """Return whether this is the history row of a pod that began before the launch."""
    if not isinstance(pod, HistoryRow) or pod.created_at is None:
        return False
    return (record.sent_at - pod.created_at).total_seconds() > _CLOCK_SKEW_S


def _is_machine(pod: PodDetails | HistoryRow, record: LaunchRecord) -> bool:
    is_type = fold_letters(pod.gpu_name) == fold_letters(record.gpu_type)
    return is_type and pod.gpu_count is not None and not has_other_gpus(pod, record.gpu_count)


def _is_suspect(
    connection: Connection, pod: PodDetails, record: LaunchRecord, claimed: tuple[LaunchRecord, ...]
) -> bool:
    """Return whether a pod is new and has the machine of a launch, or its name as a part."""
    is_new = bool(pod.id) and pod.id not in record.known_ids and pod.is_live
    letters = fold_letters(record.name)
    # A name of a letter or two is in every other one.
    is_named = len(letters) >= _SHORTEST_PART and letters in fold_letters(pod.name)
    is_alike = is_named or (_is_machine(pod, record) and not record.is_search_over)
    is_exact = pod.name == record.name and _is_machine(pod, record)
    return (
        is_new
        and is_alike
        and (connection.may_be_mine(pod) or is_exact)
        and (pod.created_at is None or is_exact or _seconds_apart(pod, record) <= _SUSPECT_WITHIN_S)
        and not any(_is_claimed(pod, record, other) for other in claimed)
    )


def describe_suspect(pod: PodDetails, record: LaunchRecord) -> str:
    name, price = sanitize(record.name), ""
    if pod.highest_usd_hr is not None:
        price = f" at {format_usd_hr(pod.highest_usd_hr)}"
        if record.agreed_usd_hr is not None and is_above(pod, record.agreed_usd_hr):
            # It may be another launch's, and its work.
            price += f", above {name_agreed(record.agreed_usd_hr)} for '{name}', and was not terminated"
    return (
        f"Could not determine whether '{name}' was created: your pod '{sanitize(pod.name)}' "
        f"({sanitize(pod.id)}) "
        f"is new and is billed{price}. If it is this one, use it under that name or terminate it. If it is "
        f"not, '--new' (in Python: new=True) rents '{name}'"
    )


def _is_claimed(pod: PodDetails | HistoryRow, record: LaunchRecord, other: LaunchRecord) -> bool:
    """Return whether a pod belongs to another launch of this account, by its id or its exact name."""
    is_by_name = other.pod_id is None and other.name == pod.name and other.name != record.name
    return other.is_of(record.accounts) and (other.pod_id == pod.id or is_by_name)


def _seconds_apart(pod: PodDetails, record: LaunchRecord) -> float:
    """Return the time between the order and the creation, for breaking ties."""
    return abs((pod.created_at - record.sent_at).total_seconds()) if pod.created_at else float("inf")


def _newest_rows(connection: Connection) -> list[HistoryRow]:
    page = connection.client.pod_history(limit=_HISTORY_ROWS, sort_by="createdAt", sort_order="desc")
    return page.items

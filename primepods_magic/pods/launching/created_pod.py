"""Look once for the pod of a launch: by its id, or for a new one that is what was ordered."""

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

from .agreed_prices import is_above, name_agreed
from .differences import list_doubts
from .name_matching import fold_letters, is_name_of, is_same_id

__all__ = [
    "CreateOutcome",
    "describe_suspect",
    "find_listed",
    "known_ids",
    "look_by_id",
    "look_for_new",
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

    Parameters
    ----------
    pods : tuple of PodDetails
        The live pods that the create may have made, the likeliest first; empty if there is none.
    ended_id : str, optional
        The id of its pod, if that has ended already or is ending.
    listed : tuple of PodDetails
        Everything that was in the list at that look.
    suspect : PodDetails, optional
        A new live pod of mine under another name that may be what was ordered.
    is_absent : bool
        The pod is known by its id, the service does not show it, and its end is not stated.
    """

    pods: tuple[PodDetails, ...] = ()
    ended_id: str | None = None
    listed: tuple[PodDetails, ...] = ()
    suspect: PodDetails | None = None
    is_absent: bool = False


def known_ids(connection: Connection, pods: Iterable[PodDetails]) -> tuple[str, ...]:
    """Return the ids of all pods that a create cannot have made: these, and what has ended.

    Raises
    ------
    PodsError
        The history cannot be read.
    """
    ids = [pod.id for pod in pods]
    ids += [row.id for row in _newest_rows(connection)]
    return tuple({pod_id for pod_id in ids if pod_id})


def look_for_new(
    connection: Connection, intent: LaunchRecord, claimed: tuple[LaunchRecord, ...]
) -> CreateOutcome:
    listed = tuple(connection.client.list_all_pods())
    ranked = sorted(
        ((likeness, pod) for pod in listed if (likeness := rate_likeness(connection, pod, intent, claimed))),
        key=lambda rated: (-rated[0], _count_doubts(rated[1], intent), _seconds_apart(rated[1], intent)),
    )
    came = [pod for _, pod in ranked]
    live = tuple(pod for pod in came if pod.is_live)
    if live:
        return CreateOutcome(live, listed=listed)
    rows = [row for row in _newest_rows(connection) if rate_likeness(connection, row, intent, claimed)]
    ended = []
    for pod_id in dict.fromkeys([*(row.id for row in rows), *(pod.id for pod in came)]):
        # A row may be of a pod that lives, and one endpoint alone may be mistaken.
        finding = examine_pod(connection, str(pod_id), listed=listed)
        if finding.pod is not None and finding.pod.is_live:
            return CreateOutcome((finding.pod,), listed=listed)
        ended += [pod_id] if finding.has_ended or finding.is_live else []
    suspect = next((pod for pod in listed if _is_suspect(connection, pod, intent, claimed)), None)
    return CreateOutcome(ended_id=ended[0] if ended else None, listed=listed, suspect=suspect)


def look_by_id(connection: Connection, intent: LaunchRecord, pod_id: str) -> CreateOutcome:
    """Look for one pod that was created: a list may leave it out although it lives."""
    listed = tuple(connection.client.list_all_pods())
    respelled = find_listed(connection, listed, intent, pod_id)
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
        pod = pod.model_copy(update={"name": intent.name})
    return CreateOutcome((pod,), listed=listed)


def find_listed(
    connection: Connection, listed: Iterable[PodDetails], intent: LaunchRecord, pod_id: str | None
) -> PodDetails | None:
    """Find the pod of an id in a list, or the new one with the machine that was ordered whose id differs in
    spelling only: the service may have changed the name as well."""
    listed = list(listed)
    exact = next((pod for pod in listed if pod.id == pod_id), None)
    alike = (
        pod
        for pod in listed
        if is_same_id(pod.id, pod_id)
        and pod.id not in intent.known_ids
        and connection.may_be_mine(pod)
        and _is_machine(pod, intent)
    )
    return exact or next(alike, None)


def rate_likeness(
    connection: Connection,
    pod: PodDetails | HistoryRow,
    intent: LaunchRecord,
    claimed: tuple[LaunchRecord, ...],
) -> int:
    """Rate how surely a pod is the one that was ordered: 0 is not at all."""
    if not pod.id or pod.id in intent.known_ids or not connection.may_be_mine(pod):
        return 0
    if any(_is_claimed(pod, intent, other) for other in claimed) or _is_older_row(pod, intent):
        return 0
    is_machine = _is_machine(pod, intent)
    is_team = pod.team_id == intent.team_id
    is_exact = pod.name == intent.name and is_machine and is_team
    is_old = pod.created_at is not None and (
        (intent.sent_at - pod.created_at).total_seconds() > _SUSPECT_WITHIN_S
    )
    # A pod of mine that is exactly what was ordered, and was not there before, outweighs any clock.
    if is_old and not (is_exact and isinstance(pod, PodDetails) and connection.is_mine(pod)):
        return 0
    if is_exact:
        return 3
    # Others launch too: what the service has changed is recognized only if the rest tells that it is mine.
    is_mine = connection.is_mine(pod)
    if not is_name_of(pod.name, intent.name) or not (is_mine or (is_machine and is_team)):
        return 0
    return 2 if is_machine else 1


def _count_doubts(pod: PodDetails, intent: LaunchRecord) -> int:
    """Count what speaks for a pod of another computer, a price above the agreed one included."""
    is_dearer = intent.agreed_usd_hr is not None and is_above(pod, intent.agreed_usd_hr)
    return is_dearer + len(list_doubts(pod, replace(intent, is_found=True)))


def _is_older_row(pod: PodDetails | HistoryRow, intent: LaunchRecord) -> bool:
    """Return whether this is the history's row of a pod that began before the launch: rows come late."""
    if not isinstance(pod, HistoryRow) or pod.created_at is None:
        return False
    return (intent.sent_at - pod.created_at).total_seconds() > _CLOCK_SKEW_S


def _is_machine(pod: PodDetails | HistoryRow, intent: LaunchRecord) -> bool:
    return (fold_letters(pod.gpu_name), pod.gpu_count) == (fold_letters(intent.gpu_type), intent.gpu_count)


def _is_suspect(
    connection: Connection, pod: PodDetails, intent: LaunchRecord, claimed: tuple[LaunchRecord, ...]
) -> bool:
    """Return whether a pod is new and has the machine of a launch, or its name within another one."""
    is_new = bool(pod.id) and pod.id not in intent.known_ids and pod.is_live
    letters = fold_letters(intent.name)
    # A name of a letter or two is in every other one.
    is_named = len(letters) >= _SHORTEST_PART and letters in fold_letters(pod.name)
    is_alike = is_named or (_is_machine(pod, intent) and not intent.is_over)
    is_exact = pod.name == intent.name and _is_machine(pod, intent)
    return (
        is_new
        and is_alike
        and (connection.may_be_mine(pod) or is_exact)
        and (pod.created_at is None or is_exact or _seconds_apart(pod, intent) <= _SUSPECT_WITHIN_S)
        and not any(_is_claimed(pod, intent, other) for other in claimed)
    )


def describe_suspect(pod: PodDetails, intent: LaunchRecord) -> str:
    name, price = sanitize(intent.name), ""
    if pod.highest_usd_hr is not None:
        price = f" at {format_usd_hr(pod.highest_usd_hr)}"
        if intent.agreed_usd_hr is not None and is_above(pod, intent.agreed_usd_hr):
            # It may be another launch's, and its work.
            price += f", above {name_agreed(intent.agreed_usd_hr)} for '{name}', and was not ended"
    return (
        f"Could not determine whether '{name}' was created: your pod '{sanitize(pod.name)}' "
        f"({sanitize(pod.id)}) "
        f"is new and is billed{price}. If it is this one, use it under that name or terminate it. If it is "
        f"not, '--new' (in Python: new=True) rents '{name}'"
    )


def _is_claimed(pod: PodDetails | HistoryRow, intent: LaunchRecord, other: LaunchRecord) -> bool:
    """Return whether a pod is another launch's of this account, by its id or by its very name."""
    is_by_name = other.pod_id is None and other.name == pod.name and other.name != intent.name
    return other.is_of(intent.accounts) and (other.pod_id == pod.id or is_by_name)


def _seconds_apart(pod: PodDetails, intent: LaunchRecord) -> float:
    """Break ties only, by the service's own clock."""
    return abs((pod.created_at - intent.sent_at).total_seconds()) if pod.created_at else float("inf")


def _newest_rows(connection: Connection) -> list[HistoryRow]:
    page = connection.client.pod_history(limit=_HISTORY_ROWS, sort_by="createdAt", sort_order="desc")
    return page.items

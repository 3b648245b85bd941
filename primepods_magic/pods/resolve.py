"""Resolve the outcome of a create that the service may have acted on by looking, never by sending again."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from primepods_magic.api.errors import ConnectionClosed, NotFound, OutcomeUnknown, PodsError
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.api.text import clean

from .agreements import is_above, name_agreed
from .connection import Connection
from .intents import Intent, IntentFile
from .likeness import fold_letters, is_name_of
from .locks import launching
from .order_changes import list_doubts
from .pace import SETTLE_S, interval_s
from .witnesses import Fate, examine_pod

__all__ = [
    "SETTLE_S",
    "Earlier",
    "Outcome",
    "claim_pod",
    "digest_accounts",
    "find_out",
    "find_unlisted",
    "known_ids",
    "recall_launch",
]

_HISTORY_ROWS = 100
_LISTED_WITHIN_S = 600.0
# The lock for taking a pod for a launch's own; no name is empty.
_CLAIMS = "\0claims"
# Times without a zone, or of a clock that is off, are hours apart.
_SUSPECT_WITHIN_S = 86_400.0
_CLOCK_SKEW_S = 60.0
_SHORTEST_PART = 4


@dataclass(frozen=True)
class Outcome:
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
    """

    pods: tuple[PodDetails, ...] = ()
    ended_id: str | None = None
    listed: tuple[PodDetails, ...] = ()
    suspect: PodDetails | None = None


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


def find_unlisted(connection: Connection, note: IntentFile, pods: Iterable[PodDetails]) -> list[PodDetails]:
    """Find the live pods that this computer launched a short while ago and that lists leave out as yet.

    A launch that was cut off a moment ago, whose pod may still turn up, counts as a pod without an id at the
    price that was agreed to.

    Raises
    ------
    PodsError
        One of them cannot be asked for.
    """
    listed = {pod.id for pod in pods}
    found = []
    own, others = note.read(), note.read_others()
    for record in [*([own] if own else []), *others]:
        at_least_s = connection.clock.least_age_s(record.sent_at, record.noted_at_s)
        if at_least_s >= _LISTED_WITHIN_S or not record.is_of(digest_accounts(connection)):
            continue
        for pod_id in record.ids:
            if pod_id not in listed:
                with suppress(NotFound):
                    found.append(connection.client.get_pod(pod_id))
        # The name's own record has been followed up before.
        is_open = record is not own and record.pod_id is None and not record.is_over and at_least_s < SETTLE_S
        if is_open and not any(_rate_likeness(connection, pod, record, ()) for pod in pods):
            found.append(PodDetails(name=record.name, price_hr=record.agreed_usd_hr))
    return [pod for pod in found if pod.is_live]


def digest_accounts(connection: Connection) -> tuple[str, ...]:
    """Return what stands for an account in a record: the user, as far as known, and the key."""
    accounts = dict.fromkeys((connection.account, connection.access))
    return tuple(sha256(account.encode()).hexdigest()[:16] for account in accounts)


@dataclass(frozen=True)
class Earlier:
    """The live pod of an earlier launch of the name on this computer.

    Parameters
    ----------
    pod : PodDetails
        The pod.
    intent : Intent
        The record of its launch.
    is_untold : bool
        That launch was cut off before it returned: the same launch, run again.
    listed : tuple of PodDetails
        All pods that were seen with it.
    """

    pod: PodDetails
    intent: Intent
    is_untold: bool
    listed: tuple[PodDetails, ...]


def recall_launch(
    connection: Connection, note: IntentFile, digest: str, settle_s: float, *, is_new: bool = False
) -> Earlier | None:
    """Find the live pod of the name's recorded launch, whatever the service calls it or lists.

    Parameters
    ----------
    connection : Connection
        Where to look.
    note : IntentFile
        The record; the name's lock is held.
    digest : str
        Of the launch that asks.
    settle_s : float
        How long after a launch its pod may still turn up.
    is_new : bool
        Another pod is wanted, whether or not a pod under another name is the earlier launch's.

    Raises
    ------
    OutcomeUnknown
        Whether the pod lives could not be found out.
    """
    intent = note.read()
    if intent is None or (is_new and intent.is_delivered):
        return None
    at_least_s = connection.clock.least_age_s(intent.sent_at, intent.noted_at_s)
    left_s = 0.0 if intent.is_over else max(0.0, settle_s - at_least_s)
    outcome = find_out(connection, note, intent, left_s, ignores_suspect=is_new)
    for place, pod_id in enumerate(intent.earlier_ids):
        if outcome.pods:
            break
        older = replace(intent, pod_id=pod_id, earlier_ids=intent.earlier_ids[place + 1 :])
        older = replace(older, digest="", is_delivered=True, agreed_usd_hr=None)
        outcome = find_out(connection, note, older, 0.0)
        intent = older if outcome.pods else intent
    if not outcome.pods:
        # The record of a pod that has ended stays, so that a late row of it is known when it comes.
        if intent.pod_id is None and not intent.earlier_ids:
            note.clear()
        return None
    pod = outcome.pods[0]
    is_untold = not intent.is_delivered and intent.digest == digest
    return Earlier(pod, note.read() or replace(intent, pod_id=pod.id), is_untold, outcome.listed)


def find_out(
    connection: Connection,
    note: IntentFile,
    intent: Intent,
    settle_s: float,
    *,
    ignores_suspect: bool = False,
) -> Outcome:
    """Look for the pod of a launch in the list and in the history, until it is there or the time is over.

    Parameters
    ----------
    connection : Connection
        Where to look.
    note : IntentFile
        The record; the name's lock is held. A pod that is found is written into it.
    intent : Intent
        What was sent.
    settle_s : float
        After that many seconds, a pod that is not there was not created. There is at least one look.
    ignores_suspect : bool
        Conclude that there is no pod even if there is a new one under another name.

    Raises
    ------
    OutcomeUnknown
        The last look failed, or there is a pod that only its name tells from the one that was ordered.
    """
    deadline = connection.clock.monotonic() + settle_s
    while True:
        # Read before the look, so that the last look is not older than the deadline.
        is_last = connection.clock.monotonic() >= deadline
        try:
            outcome = _look_and_claim(connection, note, intent)
        except PodsError as error:
            if is_last or isinstance(error, ConnectionClosed):
                raise OutcomeUnknown(
                    f"Could not determine whether '{clean(intent.name)}' exists: looking failed ({error}). "
                    "It may exist and be billed. Run this again to look again, or '%pods ls' to see your pods"
                ) from None
        else:
            if is_last and outcome.suspect is not None and not ignores_suspect:
                raise OutcomeUnknown(_describe_suspect(outcome.suspect, intent))
            if is_last or outcome.pods or outcome.ended_id:
                return outcome
        connection.clock.sleep(interval_s(connection))


def claim_pod(connection: Connection, note: IntentFile, intent: Intent, pod: PodDetails) -> bool:
    """Write the pod of a create's response into the record; return false if it cannot be this launch's."""
    with launching(connection, _CLAIMS):
        others = (other.pod_id for other in note.read_others() if other.is_of(intent.accounts))
        if pod.id in (*intent.known_ids, *others) or not connection.may_be_mine(pod):
            return False
        note.write(replace(intent, pod_id=pod.id))
        return True


def _look_and_claim(connection: Connection, note: IntentFile, intent: Intent) -> Outcome:
    """Look once, and write a pod that is found into the record before another launch can claim it."""
    if intent.pod_id is not None:
        outcome = _look_by_id(connection, intent, intent.pod_id)
    else:
        with launching(connection, _CLAIMS):
            outcome = _look_for_new(connection, intent, tuple(note.read_others()))
            if outcome.pods:
                note.write(replace(intent, pod_id=outcome.pods[0].id, is_found=True))
            return outcome
    if outcome.pods and note.read() != intent:
        note.write(intent)
    return outcome


def _look_for_new(connection: Connection, intent: Intent, claimed: tuple[Intent, ...]) -> Outcome:
    listed = tuple(connection.client.list_all_pods())
    ranked = sorted(
        ((likeness, pod) for pod in listed if (likeness := _rate_likeness(connection, pod, intent, claimed))),
        key=lambda rated: (-rated[0], _count_doubts(rated[1], intent), _seconds_apart(rated[1], intent)),
    )
    came = [pod for _, pod in ranked]
    live = tuple(pod for pod in came if pod.is_live)
    if live:
        return Outcome(live, listed=listed)
    rows = [row for row in _newest_rows(connection) if _rate_likeness(connection, row, intent, claimed)]
    ended = []
    for pod_id in dict.fromkeys([*(row.id for row in rows), *(pod.id for pod in came)]):
        # A row may be of a pod that lives, and one endpoint alone may be mistaken.
        finding = examine_pod(connection, str(pod_id), listed=listed)
        if finding.pod is not None and finding.pod.is_live:
            return Outcome((finding.pod,), listed=listed)
        ended += [pod_id] if finding.has_ended or finding.is_live else []
    suspect = next((pod for pod in listed if _is_suspect(connection, pod, intent, claimed)), None)
    return Outcome(ended_id=ended[0] if ended else None, listed=listed, suspect=suspect)


def _look_by_id(connection: Connection, intent: Intent, pod_id: str) -> Outcome:
    """Look for one pod that was created: a list may leave it out although it lives."""
    listed = tuple(connection.client.list_all_pods())
    finding = examine_pod(connection, pod_id, listed=listed)
    if finding.fate is Fate.UNKNOWN:
        raise OutcomeUnknown(finding.reason)
    if finding.fate is Fate.ABSENT and not listed and not _newest_rows(connection):
        raise OutcomeUnknown("the service shows no pods and no history at all")
    pod = finding.pod
    if pod is None or not pod.is_live:
        return Outcome(ended_id=None if finding.fate is Fate.ABSENT else pod_id, listed=listed)
    if pod.name is None:
        # The status endpoint does not say what a pod is called.
        pod = pod.model_copy(update={"name": intent.name})
    return Outcome((pod,), listed=listed)


def _rate_likeness(
    connection: Connection, pod: PodDetails | HistoryRow, intent: Intent, claimed: tuple[Intent, ...]
) -> int:
    """Rate how surely a pod is the one that was ordered: 0 is not at all."""
    if not pod.id or pod.id in intent.known_ids or not connection.may_be_mine(pod):
        return 0
    if any(_is_claimed(pod, intent, other) for other in claimed) or _is_older_row(pod, intent):
        return 0
    if pod.created_at is not None and (intent.sent_at - pod.created_at).total_seconds() > _SUSPECT_WITHIN_S:
        return 0
    is_machine = _is_machine(pod, intent)
    is_team = pod.team_id == intent.team_id
    if pod.name == intent.name and is_machine and is_team:
        return 3
    # Others launch too: what the service has changed is recognized only if the rest tells that it is mine.
    is_mine = connection.is_mine(pod)
    if not is_name_of(pod.name, intent.name) or not (is_mine or (is_machine and is_team)):
        return 0
    return 2 if is_machine else 1


def _count_doubts(pod: PodDetails, intent: Intent) -> int:
    """Count what speaks for a pod of another computer, a price above the agreed one included."""
    is_dearer = intent.agreed_usd_hr is not None and is_above(pod, intent.agreed_usd_hr)
    return is_dearer + len(list_doubts(pod, replace(intent, is_found=True)))


def _is_older_row(pod: PodDetails | HistoryRow, intent: Intent) -> bool:
    """Return whether this is the history's row of a pod that began before the launch: rows come late."""
    if not isinstance(pod, HistoryRow) or pod.created_at is None:
        return False
    return (intent.sent_at - pod.created_at).total_seconds() > _CLOCK_SKEW_S


def _is_machine(pod: PodDetails | HistoryRow, intent: Intent) -> bool:
    return (fold_letters(pod.gpu_name), pod.gpu_count) == (fold_letters(intent.gpu_type), intent.gpu_count)


def _is_suspect(connection: Connection, pod: PodDetails, intent: Intent, claimed: tuple[Intent, ...]) -> bool:
    """Return whether a pod is new and has the machine of a launch, or its name within another one."""
    is_new = bool(pod.id) and pod.id not in intent.known_ids and pod.is_live
    letters = fold_letters(intent.name)
    # A name of a letter or two is in every other one.
    is_named = len(letters) >= _SHORTEST_PART and letters in fold_letters(pod.name)
    is_alike = is_named or (_is_machine(pod, intent) and not intent.is_over)
    return (
        is_new
        and is_alike
        and (connection.may_be_mine(pod) or (pod.name == intent.name and _is_machine(pod, intent)))
        and (pod.created_at is None or _seconds_apart(pod, intent) <= _SUSPECT_WITHIN_S)
        and not any(_is_claimed(pod, intent, other) for other in claimed)
    )


def _describe_suspect(pod: PodDetails, intent: Intent) -> str:
    name, price = clean(intent.name), ""
    if pod.highest_usd_hr is not None:
        price = f" at ${pod.highest_usd_hr:.2f}/h"
        if intent.agreed_usd_hr is not None and is_above(pod, intent.agreed_usd_hr):
            # It may be another launch's, and its work.
            price += f", above {name_agreed(intent.agreed_usd_hr)} for '{name}', and was not ended"
    return (
        f"Could not determine whether '{name}' was created: your pod '{clean(pod.name)}' ({clean(pod.id)}) "
        f"is new and is billed{price}. If it is this one, use it under that name or terminate it. If it is "
        f"not, '--new' (in Python: new=True) rents '{name}'"
    )


def _is_claimed(pod: PodDetails | HistoryRow, intent: Intent, other: Intent) -> bool:
    """Return whether a pod is another launch's of this account, by its id or by its very name."""
    is_by_name = other.pod_id is None and other.name == pod.name and other.name != intent.name
    return other.is_of(intent.accounts) and (other.pod_id == pod.id or is_by_name)


def _seconds_apart(pod: PodDetails, intent: Intent) -> float:
    """Break ties only, by the service's own clock."""
    return abs((pod.created_at - intent.sent_at).total_seconds()) if pod.created_at else float("inf")


def _newest_rows(connection: Connection) -> list[HistoryRow]:
    page = connection.client.pod_history(limit=_HISTORY_ROWS, sort_by="createdAt", sort_order="desc")
    return page.items

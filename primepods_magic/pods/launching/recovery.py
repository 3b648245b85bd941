"""Resolve the outcome of a create that the service may have acted on by looking, never by sending again."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from primepods_magic.api.errors import ConnectionClosed, OutcomeUnknown, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.journal.journal import LaunchJournal, LaunchRecord, digest_accounts
from primepods_magic.pods.launching.journal.name_lock import launching
from primepods_magic.pods.watching.backoff import BELIEVED_S, SETTLE_S

from .created_pod import CreateOutcome, describe_suspect, look_by_id, look_for_new

__all__ = [
    "SETTLE_S",
    "ResumedLaunch",
    "claim_pod",
    "digest_accounts",
    "find_created_pod",
    "resume_launch",
]

# The lock for taking a pod for a launch's own; no name is empty.
_CLAIMS = "\0claims"


@dataclass(frozen=True)
class ResumedLaunch:
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
    intent: LaunchRecord
    is_untold: bool
    listed: tuple[PodDetails, ...]


def resume_launch(
    connection: Connection,
    note: LaunchJournal,
    digest: str,
    settle_s: float,
    *,
    is_new: bool = False,
) -> ResumedLaunch | None:
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
    outcome = find_created_pod(
        connection, note, intent, left_s, ignores_suspect=is_new, believes_absence=is_new
    )
    for place, pod_id in enumerate(intent.earlier_ids):
        if outcome.pods:
            break
        older = replace(intent, pod_id=pod_id, earlier_ids=intent.earlier_ids[place + 1 :])
        older = replace(older, digest="", is_delivered=True, is_seen=True, agreed_usd_hr=None)
        outcome = find_created_pod(connection, note, older, 0.0, believes_absence=True)
        intent = older if outcome.pods else intent
    if not outcome.pods:
        # The record of a pod that has ended stays, so that a late row of it is known when it comes.
        if intent.pod_id is None and not intent.earlier_ids:
            note.clear()
        return None
    pod = outcome.pods[0]
    is_untold = not intent.is_delivered and intent.digest == digest
    return ResumedLaunch(pod, note.read() or replace(intent, pod_id=pod.id), is_untold, outcome.listed)


def find_created_pod(
    connection: Connection,
    note: LaunchJournal,
    intent: LaunchRecord,
    settle_s: float,
    *,
    ignores_suspect: bool = False,
    believes_absence: bool = False,
) -> CreateOutcome:
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
    believes_absence : bool
        Conclude that a recorded pod is gone after one look that does not show it. Else there are two, and one
        that was created or seen to live a short while ago may be there.

    Raises
    ------
    OutcomeUnknown
        The last look failed, there is a pod that only its name tells from the one that was ordered, or the
        recorded pod may be there although it is not shown.
    """
    deadline = connection.clock.monotonic() + settle_s
    seen_at_s, looks = time.monotonic() - connection.memory.read_age_s(intent.pod_id), 0
    while True:
        looks += 1
        # Read before the look, so that the last look is not older than the deadline.
        is_last = connection.clock.monotonic() >= deadline
        try:
            outcome = _look_and_claim(connection, note, intent)
        except PodsError as error:
            if is_last or isinstance(error, ConnectionClosed):
                raise OutcomeUnknown(
                    f"Could not determine whether '{sanitize(intent.name)}' exists: looking failed "
                    f"({error}). "
                    "It may exist and be billed. Run this again to look again, or '%pods ls' to see your pods"
                ) from None
        else:
            if is_last and outcome.suspect is not None and not ignores_suspect:
                raise OutcomeUnknown(describe_suspect(outcome.suspect, intent))
            is_open = outcome.is_absent and not believes_absence
            if is_last and is_open and looks > 1 and _may_live(connection, intent, seen_at_s):
                raise OutcomeUnknown(_describe_absent(intent))
            if outcome.pods or outcome.ended_id or (is_last and (looks > 1 or not is_open)):
                return outcome
        connection.clock.sleep(connection.interval_s())


def claim_pod(connection: Connection, note: LaunchJournal, intent: LaunchRecord, pod: PodDetails) -> bool:
    """Write the pod of a create's response into the record; return false if it cannot be this launch's."""
    with launching(connection, _CLAIMS):
        others = (other.pod_id for other in note.read_others() if other.is_of(intent.accounts))
        if pod.id in (*intent.known_ids, *others) or not connection.may_be_mine(pod):
            return False
        note.write(replace(intent, pod_id=pod.id))
        return True


def _look_and_claim(connection: Connection, note: LaunchJournal, intent: LaunchRecord) -> CreateOutcome:
    """Look once, and write a pod that is found into the record before another launch can claim it."""
    if intent.pod_id is None:
        return _look_and_claim_new(connection, note, intent)
    outcome = look_by_id(connection, intent, intent.pod_id)
    if outcome.pods:
        seen = replace(intent, pod_id=outcome.pods[0].id, is_seen=True)
        if note.read() != seen:
            note.write(seen)
    if not outcome.is_absent or intent.was_seen:
        return outcome
    # The create's response may have named something else than its pod.
    unnamed = replace(intent, pod_id=None, earlier_ids=intent.ids)
    found = _look_and_claim_new(connection, note, unnamed)
    return found if found.pods or found.ended_id or found.suspect else outcome


def _look_and_claim_new(connection: Connection, note: LaunchJournal, intent: LaunchRecord) -> CreateOutcome:
    with launching(connection, _CLAIMS):
        outcome = look_for_new(connection, intent, tuple(note.read_others()))
        if outcome.pods:
            note.write(replace(intent, pod_id=outcome.pods[0].id, is_found=True))
        return outcome


def _may_live(connection: Connection, intent: LaunchRecord, seen_at_s: float) -> bool:
    """Return whether a pod that is not shown was created or seen a short while ago."""
    age_s = connection.clock.least_age_s(intent.sent_at, intent.noted_at_s)
    is_young = not (intent.was_seen or connection.memory.is_gone(intent.pod_id)) and age_s < BELIEVED_S
    return is_young or time.monotonic() - seen_at_s < BELIEVED_S


def _describe_absent(intent: LaunchRecord) -> str:
    name = sanitize(intent.name)
    return (
        f"Could not determine whether your pod '{name}' ({sanitize(intent.pod_id)}) is still there: the "
        "service "
        "does not show it, and does not say that it has ended. It may be billed. Nothing was created. Run "
        f"this again in some minutes, or rent another '{name}' with '--new' (in Python: new=True)"
    )

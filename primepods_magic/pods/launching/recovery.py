"""Resolve the outcome of an ambiguous create by polling, never by sending it again."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from primepods_magic.api.errors import ConnectionClosed, OutcomeUnknown, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.text.short_repr import ShortRepr
from primepods_magic.pods.audit import note_event
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.journal.journal import LaunchJournal, LaunchRecord, digest_accounts
from primepods_magic.pods.launching.journal.name_lock import launching
from primepods_magic.pods.watching.backoff import BELIEVED_S, SETTLE_S

from .created_pod import CreateOutcome, describe_suspect, poll_by_id, poll_for_new

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


@dataclass(frozen=True, repr=False)
class ResumedLaunch(ShortRepr):
    """The live pod of an earlier launch of the name on this computer.

    ``is_undelivered``: that launch was cut off before it returned, and the same launch runs again. ``listed``
    are all pods that were seen with it.
    """

    pod: PodDetails
    record: LaunchRecord
    is_undelivered: bool
    listed: tuple[PodDetails, ...]


def resume_launch(
    connection: Connection,
    journal: LaunchJournal,
    digest: str,
    settle_s: float,
    *,
    is_new: bool = False,
) -> ResumedLaunch | None:
    """Find the live pod of the name's recorded launch; the caller holds the name's lock.

    Raise OutcomeUnknown if the pod may live. ``is_new`` ignores a suspect under another name.
    """
    record = journal.read()
    if record is None or (is_new and record.is_delivered):
        return None
    at_least_s = connection.clock.least_age_s(record.sent_at, record.noted_at_s)
    left_s = 0.0 if record.is_search_over else max(0.0, settle_s - at_least_s)
    outcome = find_created_pod(
        connection, journal, record, left_s, ignores_suspect=is_new, believes_absence=is_new
    )
    for index, pod_id in enumerate(record.earlier_ids):
        if outcome.pods:
            break
        older = replace(record, pod_id=pod_id, earlier_ids=record.earlier_ids[index + 1 :])
        older = replace(older, digest="", is_delivered=True, is_seen=True, agreed_usd_hr=None)
        outcome = find_created_pod(connection, journal, older, 0.0, believes_absence=True)
        record = older if outcome.pods else record
    if not outcome.pods:
        # The record of a pod that has ended stays, so that a late row of it is known when it comes.
        if record.pod_id is None and not record.earlier_ids:
            journal.clear()
        return None
    pod = outcome.pods[0]
    is_undelivered = not record.is_delivered and record.digest == digest
    if is_undelivered:
        note_event(connection, "found", pod=pod)
    return ResumedLaunch(
        pod, journal.read() or replace(record, pod_id=pod.id), is_undelivered, outcome.listed
    )


def find_created_pod(
    connection: Connection,
    journal: LaunchJournal,
    record: LaunchRecord,
    settle_s: float,
    *,
    ignores_suspect: bool = False,
    believes_absence: bool = False,
) -> CreateOutcome:
    """Poll for the pod of a launch for ``settle_s`` seconds, at least once, and record what is found.

    With ``believes_absence``, one poll that does not show a recorded pod is enough; else two are needed, and
    OutcomeUnknown is raised if the pod may live.
    """
    deadline = connection.clock.monotonic() + settle_s
    seen_at_s, polls = time.monotonic() - connection.completion_cache.read_age_s(record.pod_id), 0
    while True:
        polls += 1
        # Read before polling, so that the last poll is not older than the deadline.
        is_last = connection.clock.monotonic() >= deadline
        try:
            outcome = _poll_and_claim(connection, journal, record)
        except PodsError as error:
            if is_last or isinstance(error, ConnectionClosed):
                raise OutcomeUnknown(
                    f"Could not determine whether '{sanitize(record.name)}' exists: the search failed "
                    f"({error}). "
                    "It may exist and be billed. Run this again to look again, or '%pods ls' to see your pods"
                ) from None
        else:
            if is_last and outcome.suspect is not None and not ignores_suspect:
                raise OutcomeUnknown(describe_suspect(outcome.suspect, record))
            is_open = outcome.is_absent and not believes_absence
            if is_last and is_open and polls > 1 and _may_live(connection, record, seen_at_s):
                raise OutcomeUnknown(_describe_absent(record))
            if outcome.pods or outcome.ended_id or (is_last and (polls > 1 or not is_open)):
                return outcome
        connection.clock.sleep(connection.interval_s())


def claim_pod(connection: Connection, journal: LaunchJournal, record: LaunchRecord, pod: PodDetails) -> bool:
    """Record the pod of a create's response; return false if it cannot be this launch's."""
    with launching(connection, _CLAIMS):
        others = (other.pod_id for other in journal.read_others() if other.is_of(record.accounts))
        if pod.id in (*record.known_ids, *others) or not connection.may_be_mine(pod):
            return False
        journal.write(replace(record, pod_id=pod.id))
        return True


def _poll_and_claim(connection: Connection, journal: LaunchJournal, record: LaunchRecord) -> CreateOutcome:
    """Poll once, and record a pod that is found before another launch can claim it."""
    if record.pod_id is None:
        return _poll_and_claim_new(connection, journal, record)
    outcome = poll_by_id(connection, record, record.pod_id)
    if outcome.pods:
        seen = replace(record, pod_id=outcome.pods[0].id, is_seen=True)
        if journal.read() != seen:
            journal.write(seen)
    if not outcome.is_absent or record.was_seen:
        return outcome
    # The create's response may have named something else than its pod.
    unnamed = replace(record, pod_id=None, earlier_ids=record.ids)
    new_outcome = _poll_and_claim_new(connection, journal, unnamed)
    return new_outcome if new_outcome.pods or new_outcome.ended_id or new_outcome.suspect else outcome


def _poll_and_claim_new(
    connection: Connection, journal: LaunchJournal, record: LaunchRecord
) -> CreateOutcome:
    with launching(connection, _CLAIMS):
        outcome = poll_for_new(connection, record, tuple(journal.read_others()))
        if outcome.pods:
            journal.write(replace(record, pod_id=outcome.pods[0].id, is_found=True))
        return outcome


def _may_live(connection: Connection, record: LaunchRecord, seen_at_s: float) -> bool:
    """Return whether a pod that is not shown was created or seen recently."""
    age_s = connection.clock.least_age_s(record.sent_at, record.noted_at_s)
    is_young = (
        not (record.was_seen or connection.completion_cache.is_gone(record.pod_id)) and age_s < BELIEVED_S
    )
    return is_young or time.monotonic() - seen_at_s < BELIEVED_S


def _describe_absent(record: LaunchRecord) -> str:
    name = sanitize(record.name)
    return (
        f"Could not determine whether your pod '{name}' ({sanitize(record.pod_id)}) is still there: the "
        "service "
        "does not show it, and does not say that it has ended. It may be billed. Nothing was created. Run "
        f"this again in some minutes, or rent another '{name}' with '--new' (in Python: new=True)"
    )

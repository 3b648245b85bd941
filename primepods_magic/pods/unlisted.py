"""Pods that a list leaves out although they were seen or launched here a short while ago."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import OutcomeUnknown, UnexpectedAnswer
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.created_pod import rate_likeness
from primepods_magic.pods.launching.journal.journal import LaunchJournal, LaunchRecord, digest_accounts
from primepods_magic.pods.launching.name_matching import fold_name
from primepods_magic.pods.support.notices import warn
from primepods_magic.pods.watching.backoff import BELIEVED_S, SETTLE_S

from .existence import Finding, PodFate, examine_pods

__all__ = ["find_burning", "find_left_out", "list_for_launch", "read_shown"]

# No word of a path, such as "status", is taken for an id.
_FULL_ID = re.compile(r"(?=.*[0-9])[0-9A-Za-z-]{16,64}")


@dataclass(frozen=True)
class _Suspect:
    """A pod that may live although a list leaves it out, as it was known ``age_s`` ago.

    That is infinite for a pod that was launched before others of its name, and ``None`` for an id that is not
    known here.
    """

    pod: PodDetails
    age_s: float | None


def read_shown(connection: Connection) -> list[PodDetails]:
    """Read all pods for a person, with those of `find_left_out`, held to their agreed prices. Errors as
    `Agreements.check`."""
    pods = connection.client.list_all_pods()
    connection.agreements.check(pods)
    left_out = find_left_out(connection, pods)
    connection.agreements.check(left_out)
    return [*pods, *left_out]


def _warn_of_doubt(text: str) -> None:
    warn(text, stacklevel=3)


def find_left_out(
    connection: Connection,
    listed: Sequence[PodDetails],
    text: str | None = None,
    *,
    tell: Callable[[str], object] = _warn_of_doubt,
) -> list[PodDetails]:
    """Find my live pods that a list leaves out, by asking the other witnesses.

    Pods that were seen here or launched on this computer within ten minutes are looked for; nothing is asked
    if there are none. A pod whose fate is not known is returned as last known, with the status UNKNOWN: what
    it costs counts as if it ran.

    Parameters
    ----------
    connection : Connection
        Where the pods are.
    listed : sequence of PodDetails
        A complete list that was read just now.
    text : str, optional
        A name or an id: its earlier launches on this computer are looked for too, and a text that is a whole
        id is asked for, whoever launched that pod.
    tell : callable
        Is given a sentence about each pod whose fate is not known; a warning unless given.

    Raises
    ------
    UnexpectedAnswer
        Whether there is a pod with the id ``text``, which is not known here, cannot be found out.
    """
    suspects = _collect_suspects(connection, listed, text)
    if not suspects:
        return []
    pods = [suspect.pod for suspect in suspects.values()]
    findings = examine_pods(connection, pods, listed=listed, is_detailed=True)
    found = []
    for pod_id, finding in findings.items():
        suspect = suspects[pod_id]
        if finding.pod is not None:
            found.append(finding.pod)
            connection.memory.note_seen([finding.pod])
        elif doubt := _describe_doubt(finding, suspect.age_s):
            if suspect.age_s is None:
                raise UnexpectedAnswer(
                    f"Could not determine whether there is a pod '{sanitize(pod_id)}': {doubt}. Nothing "
                    "was done"
                )
            tell(_describe_unsure(suspect, doubt))
            found.append(suspect.pod.model_copy(update={"status": PodStatus.UNKNOWN}))
    return [pod for pod in found if pod.is_live and (connection.may_be_mine(pod) or pod.id == text)]


def _collect_suspects(
    connection: Connection, listed: Sequence[PodDetails], text: str | None
) -> dict[str, _Suspect]:
    """Collect by id what was launched or seen here and is not in a list, and what a text may be the id of."""
    suspects = {str(one.pod.id): one for one in _recall_launched(connection, text)}
    for pod in connection.memory.find_left_out(listed, within_s=BELIEVED_S):
        if pod.id and (connection.may_be_mine(pod) or pod.id == text):
            suspects[pod.id] = _Suspect(pod, connection.memory.read_age_s(pod.id))
    if text is not None and _FULL_ID.fullmatch(text):
        suspects.setdefault(text, _Suspect(PodDetails(id=text), None))
    for pod_id in [pod.id for pod in listed] + [i for i in suspects if connection.memory.is_gone(i)]:
        suspects.pop(str(pod_id), None)
    return suspects


def _recall_launched(connection: Connection, text: str | None) -> Iterator[_Suspect]:
    """Recall the pods that this account launched here a short while ago, or under a name, or with an id."""
    for record in LaunchJournal("", "").read_others():
        age_s = connection.clock.least_age_s(record.sent_at, record.noted_at_s)
        is_named = text is not None and record.name == text
        if not record.is_of(digest_accounts(connection)):
            continue
        for pod_id in record.ids:
            if is_named or pod_id == text or age_s < BELIEVED_S:
                is_newest = pod_id == record.pod_id
                yield _Suspect(_describe_launched(record, pod_id), age_s if is_newest else math.inf)


def _describe_launched(record: LaunchRecord, pod_id: str) -> PodDetails:
    """Describe a pod as far as the record of its name says what was launched."""
    is_newest = pod_id == record.pod_id
    return PodDetails(
        id=pod_id,
        name=record.name,
        team_id=record.team_id,
        gpu_name=record.gpu_type if is_newest else None,
        gpu_count=record.gpu_count if is_newest else None,
        price_hr=record.agreed_usd_hr if is_newest else None,
    )


def _describe_doubt(finding: Finding, age_s: float | None) -> str:
    """Describe why a pod that is not shown may live; empty if nothing speaks for that."""
    if finding.fate is PodFate.UNKNOWN:
        return finding.reason
    # One that was launched a moment ago may not be there yet.
    is_recent = age_s is not None and age_s < BELIEVED_S
    if finding.fate is PodFate.ABSENT and is_recent:
        return "the service does not show it, and does not say that it has ended"
    return ""


def _describe_unsure(suspect: _Suspect, doubt: str) -> str:
    is_dated = suspect.age_s is not None and suspect.age_s < math.inf
    ago = f" {suspect.age_s:.0f} s ago" if is_dated else ""
    pod = f"'{sanitize(suspect.pod.name)}' ({sanitize(suspect.pod.id)})"
    return (
        f"Could not determine whether your pod {pod} is still there: {doubt}. It is shown as last "
        f"known{ago}, and may be billed"
    )


def find_burning(
    connection: Connection,
    note: LaunchJournal,
    listed: Sequence[PodDetails],
    tell: Callable[[str], object] = _warn_of_doubt,
) -> list[PodDetails]:
    """Find what may be billed beside the listed pods, before a pod is launched under a ceiling for all.

    Those are the pods of `find_left_out`, and the launches on this computer that were cut off a moment ago:
    their pods may still turn up, and each counts as a pod without an id, at the price that was agreed to. The
    name's own record, ``note``, has been followed up before.
    """
    found = find_left_out(connection, listed, tell=tell)
    accounts = digest_accounts(connection)
    for record in note.read_others():
        age_s = connection.clock.least_age_s(record.sent_at, record.noted_at_s)
        is_open = record.pod_id is None and not record.is_over and age_s < SETTLE_S
        is_listed = any(rate_likeness(connection, pod, record, ()) for pod in listed)
        if is_open and not is_listed and record.is_of(accounts):
            found.append(PodDetails(name=record.name, price_hr=record.agreed_usd_hr))
    return found


def list_for_launch(connection: Connection, name: str, *, is_new: bool = False) -> list[PodDetails]:
    """List all pods, and those of a name that the list leaves out although they live.

    Parameters
    ----------
    connection : Connection
        Where the pods are.
    name : str
        What is to be launched. Other witnesses are asked only if a pod of this name is missing.
    is_new : bool
        Another pod of the name is wanted, whether or not such a pod lives.

    Raises
    ------
    OutcomeUnknown
        Whether such a pod lives cannot be found out. Nothing was created.
    """
    pods = connection.client.list_all_pods()
    missing = [
        pod
        for pod in connection.memory.find_left_out(pods)
        if fold_name(pod.name) == fold_name(name) and connection.may_be_mine(pod)
    ]
    if not missing:
        return pods
    ages_s = {pod.id: connection.memory.read_age_s(pod.id) for pod in missing}
    findings = examine_pods(connection, missing, listed=pods)
    for pod_id, finding in findings.items():
        doubt = _describe_doubt(finding, ages_s[pod_id])
        if doubt and not is_new:
            raise OutcomeUnknown(
                f"Could not determine whether your pod '{sanitize(name)}' ({sanitize(pod_id)}) is still "
                "there: "
                f"{doubt}. It may be billed. Nothing was created. Run this again to look again, or rent "
                f"another '{sanitize(name)}' with '--new' (in Python: new=True)"
            )
    return [*pods, *(finding.pod for finding in findings.values() if finding.pod is not None)]

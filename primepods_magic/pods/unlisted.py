"""Live pods that a list leaves out although they were seen or launched here recently."""

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
from primepods_magic.pods.support.name_matching import fold_name
from primepods_magic.pods.support.notices import warn
from primepods_magic.pods.watching.backoff import BELIEVED_S, SETTLE_S

from .existence import Finding, PodFate, examine_pods

__all__ = ["find_burning", "find_left_out", "list_for_launch", "read_shown"]

# No word of a path, such as "status", is taken for an id.
_FULL_ID = re.compile(r"(?=.*[0-9])[0-9A-Za-z-]{16,64}")


@dataclass(frozen=True)
class _Suspect:
    """A pod that may live although a list leaves it out, as it was known ``age_s`` seconds ago.

    The age is infinite for a pod launched before others of its name, and ``None`` for an unknown id.
    """

    pod: PodDetails
    age_s: float | None


def read_shown(connection: Connection) -> list[PodDetails]:
    """Read all pods for a person, those of `find_left_out` included, and enforce their agreed prices.

    Errors as `Agreements.check`.
    """
    pods = connection.client.list_all_pods()
    connection.agreements.check(pods)
    left_out = find_left_out(connection, pods)
    connection.agreements.check(left_out)
    return _date_pods([*pods, *left_out])


def _date_pods(pods: list[PodDetails]) -> list[PodDetails]:
    """Date pods without ``created_at`` by their launch records, if there are some: cost needs a beginning."""
    undated = {pod.id for pod in pods if pod.id and pod.created_at is None}
    records = LaunchJournal.find_records(undated) if undated else []
    dates = {record.pod_id: record.sent_at for _, record in records}
    return [
        pod.model_copy(update={"created_at": dates[pod.id]})
        if pod.created_at is None and pod.id in dates
        else pod
        for pod in pods
    ]


def find_left_out(
    connection: Connection,
    listed: Sequence[PodDetails],
    text: str | None = None,
    *,
    tell: Callable[[str], object] = warn,
) -> list[PodDetails]:
    """Find my live pods that a list leaves out, by asking other endpoints.

    Pods seen or launched here within ten minutes are candidates; without any, no request is sent. With
    ``text``, a name or an id, its earlier launches and a pod of that id are as well. A pod whose fate is
    unknown is reported by ``tell`` and returned as last known, with status UNKNOWN. Raise UnexpectedAnswer if
    the existence of an unknown id ``text`` cannot be determined.
    """
    suspects = _collect_suspects(connection, listed, text)
    if not suspects:
        return []
    pods = [suspect.pod for suspect in suspects.values()]
    findings = examine_pods(connection, pods, listed=listed, is_detailed=True)
    shown = []
    for pod_id, finding in findings.items():
        suspect = suspects[pod_id]
        if finding.pod is not None:
            shown.append(finding.pod)
            connection.completion_cache.note_seen([finding.pod])
        elif doubt := _describe_doubt(finding, suspect.age_s):
            if suspect.age_s is None:
                raise UnexpectedAnswer(
                    f"Could not determine whether there is a pod '{sanitize(pod_id)}': {doubt}. Nothing "
                    "was done"
                )
            tell(_describe_unsure(suspect, doubt))
            shown.append(suspect.pod.model_copy(update={"status": PodStatus.UNKNOWN}))
    return [pod for pod in shown if pod.is_live and (connection.may_be_mine(pod) or pod.id == text)]


def _collect_suspects(
    connection: Connection, listed: Sequence[PodDetails], text: str | None
) -> dict[str, _Suspect]:
    """Collect by id the pods to ask for that are not in a list."""
    suspects = {str(one.pod.id): one for one in _recall_launched(connection, text)}
    for pod in connection.completion_cache.find_left_out(listed, within_s=BELIEVED_S):
        if pod.id and (connection.may_be_mine(pod) or pod.id == text):
            suspects[pod.id] = _Suspect(pod, connection.completion_cache.read_age_s(pod.id))
    if text is not None and _FULL_ID.fullmatch(text):
        suspects.setdefault(text, _Suspect(PodDetails(id=text), None))
    for pod_id in [pod.id for pod in listed] + [
        i for i in suspects if connection.completion_cache.is_gone(i)
    ]:
        suspects.pop(str(pod_id), None)
    return suspects


def _recall_launched(connection: Connection, text: str | None) -> Iterator[_Suspect]:
    """Recall the pods that this account launched here recently, or under a name or id."""
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
    """Build a pod from the record of its launch."""
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
    """Describe why a pod that is not shown may live, or return ""."""
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
    journal: LaunchJournal,
    listed: Sequence[PodDetails],
    tell: Callable[[str], object] = warn,
) -> list[PodDetails]:
    """Find pods that may be billed beside the listed ones, for the ceiling for all pods.

    Launches on this computer that were cut off recently count as pods without an id, at their agreed prices.
    The launch of ``journal`` itself was resolved before.
    """
    shown = find_left_out(connection, listed, tell=tell)
    accounts = digest_accounts(connection)
    for record in journal.read_others():
        age_s = connection.clock.least_age_s(record.sent_at, record.noted_at_s)
        is_open = record.pod_id is None and not record.is_search_over and age_s < SETTLE_S
        is_listed = any(rate_likeness(connection, pod, record, ()) for pod in listed)
        if is_open and not is_listed and record.is_of(accounts):
            shown.append(PodDetails(name=record.name, price_hr=record.agreed_usd_hr))
    return shown


def list_for_launch(connection: Connection, name: str, *, is_new: bool = False) -> list[PodDetails]:
    """List all pods, and live pods of a name that the list leaves out.

    Raise OutcomeUnknown if such a pod may live, unless ``is_new``; nothing was created.
    """
    pods = connection.client.list_all_pods()
    missing = [
        pod
        for pod in connection.completion_cache.find_left_out(pods)
        if fold_name(pod.name) == fold_name(name) and connection.may_be_mine(pod)
    ]
    if not missing:
        return pods
    ages_s = {pod.id: connection.completion_cache.read_age_s(pod.id) for pod in missing}
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

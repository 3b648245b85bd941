"""Pods that a list leaves out although they were seen or launched here a short while ago."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from primepods_magic.api.errors import (
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    ServiceUnavailable,
    UnexpectedAnswer,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text import clean

from .agreements import read_pods
from .connection import Connection
from .intents import IntentFile, digest_accounts
from .likeness import fold_name
from .pace import BELIEVED_S
from .witnesses import Fate, examine_pods

__all__ = ["find_left_out", "list_for_launch", "read_shown"]

# More are not asked for one by one.
_MAX_ASKED = 10
# No word of a path, such as "status", is taken for an id.
_FULL_ID = re.compile(r"(?=.*[0-9])[0-9A-Za-z-]{16,64}")


def read_shown(connection: Connection) -> list[PodDetails]:
    """Read all pods for a person, with those of `find_left_out`. Errors as `agreements.read_pods`."""
    pods = read_pods(connection)
    left_out = find_left_out(connection, pods)
    connection.agreements.check(left_out)
    return [*pods, *left_out]


def find_left_out(
    connection: Connection, listed: Sequence[PodDetails], text: str | None = None
) -> list[PodDetails]:
    """Find my live pods that a list leaves out: each is asked for by its id.

    Pods that were seen here or launched on this computer within ten minutes are looked for; nothing is asked
    if there are none. A pod that was seen and cannot be asked for is returned as last seen.

    Parameters
    ----------
    connection : Connection
        Where the pods are.
    listed : sequence of PodDetails
        A complete list that was read just now.
    text : str, optional
        A name or an id: its earlier launches on this computer are looked for too, and a text that is a whole
        id is asked for, whoever launched that pod.
    """
    seen = {
        pod.id: pod
        for pod in connection.memory.find_left_out(listed, within_s=BELIEVED_S)
        if pod.id and (connection.may_be_mine(pod) or pod.id == text)
    }
    ids = [*_list_recorded(connection, text), *seen]
    if text is not None and _FULL_ID.fullmatch(text):
        ids.insert(0, text)
    ids.sort(key=lambda pod_id: pod_id != text)
    listed_ids = {pod.id for pod in listed}
    asked = [pod_id for pod_id in dict.fromkeys(ids) if pod_id not in listed_ids][:_MAX_ASKED]
    found = []
    for pod_id in asked:
        if connection.memory.is_gone(pod_id):
            continue
        with suppress(NotFound, PermissionDenied, InvalidRequest):
            pod = _read_pod(connection, pod_id, seen.get(pod_id))
            # A response that says no status is about something else.
            is_shown = pod.is_live and "status" in pod.model_fields_set
            if is_shown and (connection.may_be_mine(pod) or pod_id == text):
                found.append(pod)
    connection.memory.see_pods(found)
    return found


def _read_pod(connection: Connection, pod_id: str, seen: PodDetails | None) -> PodDetails:
    try:
        return connection.client.get_pod(pod_id)
    except (RateLimited, ServiceUnavailable, UnexpectedAnswer):
        if seen is None:
            raise
        return seen


def _list_recorded(connection: Connection, text: str | None) -> list[str]:
    """List the pods that this account launched here a short while ago, or under a name, or with an id."""
    ids: list[str] = []
    for record in IntentFile("", "").read_others():
        age_s = connection.clock.least_age_s(record.sent_at, record.noted_at_s)
        is_wanted = text is not None and (record.name == text or text in record.ids)
        if (is_wanted or age_s < BELIEVED_S) and record.is_of(digest_accounts(connection)):
            ids += record.ids
    return ids


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
        is_recent = ages_s[pod_id] < BELIEVED_S
        if not is_new and (finding.fate is Fate.UNKNOWN or (finding.fate is Fate.ABSENT and is_recent)):
            reason = finding.reason or "the service does not show it, and does not say that it has ended"
            raise OutcomeUnknown(
                f"Could not determine whether your pod '{clean(name)}' ({clean(pod_id)}) is still there: "
                f"{reason}. It may be billed. Nothing was created. Run this again to look again, or rent "
                f"another '{clean(name)}' with '--new' (in Python: new=True)"
            )
    return [*pods, *(finding.pod for finding in findings.values() if finding.pod is not None)]

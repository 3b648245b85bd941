"""Pods that a list leaves out although this connection has seen them live a short while ago."""

from __future__ import annotations

from primepods_magic.api.errors import OutcomeUnknown
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text import clean

from .connection import Connection
from .likeness import fold_name
from .witnesses import Fate, examine_pods

__all__ = ["list_for_launch"]

# For as long, a pod that was seen to live is believed to, although no one shows it.
_BELIEVED_S = 600.0


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
        is_recent = ages_s[pod_id] < _BELIEVED_S
        if not is_new and (finding.fate is Fate.UNKNOWN or (finding.fate is Fate.ABSENT and is_recent)):
            reason = finding.reason or "the service does not show it, and does not say that it has ended"
            raise OutcomeUnknown(
                f"Could not determine whether your pod '{clean(name)}' ({clean(pod_id)}) is still there: "
                f"{reason}. It may be billed. Nothing was created. Run this again to look again, or rent "
                f"another '{clean(name)}' with '--new' (in Python: new=True)"
            )
    return [*pods, *(finding.pod for finding in findings.values() if finding.pod is not None)]

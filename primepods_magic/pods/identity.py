"""Who a pod is: its name, among my live pods in one account and team."""

from __future__ import annotations

from dataclasses import dataclass

from primepods_magic.api.errors import NameInUse, PodFailed, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text import brief, clean, join_clean

from .connection import Connection
from .find import same_name
from .spec import PodSpec

__all__ = ["Standing", "name_space", "named_pods", "standing", "team_of"]


@dataclass(frozen=True)
class Standing:
    """How the live pods of a name stand to a spec.

    Parameters
    ----------
    pod : PodDetails, optional
        The one pod that is what was asked for.
    in_the_way : tuple of PodDetails
        Mine, and not what was asked for: failed, or different.
    why : str
        Why nothing can be launched beside them, in words.
    refusal : PodsError, optional
        The same as an error, with what can be done about it in a cell.
    """

    pod: PodDetails | None = None
    in_the_way: tuple[PodDetails, ...] = ()
    why: str = ""
    refusal: PodsError | None = None


def team_of(connection: Connection, spec: PodSpec) -> str | None:
    """Which team is billed: the spec's, else the settings'."""
    return spec.team or connection.settings.team_id


def name_space(connection: Connection, spec: PodSpec) -> str:
    """Within what a name is one pod's: the service, me, and the team that is billed."""
    return f"{connection.account}\n{team_of(connection, spec)}"


def named_pods(
    connection: Connection, pods: list[PodDetails], name: str, team_id: str | None
) -> list[PodDetails]:
    """The live pods of a name and team that are mine, or may be."""
    return [pod for pod in same_name(connection, pods, name) if pod.team_id == team_id]


def standing(connection: Connection, pods: list[PodDetails], spec: PodSpec) -> Standing:
    """Compare the live pods of a spec's name with the spec.

    Parameters
    ----------
    connection : Connection
        Whose pods they are.
    pods : list of PodDetails
        All that this key can see.
    spec : PodSpec
        What is wanted.
    """
    matches = named_pods(connection, pods, spec.pod_name, team_of(connection, spec))
    name = clean(spec.pod_name)
    if not matches:
        return Standing()
    if not all(connection.is_mine(pod) for pod in matches):
        why = f"a live pod is called '{name}', and your key may not say whether it is yours"
        ways = "Use another name, or '--new' for one more of this name"
        return Standing(why=why, refusal=NameInUse(f"{why}; nothing was created. {ways}"))
    if len(matches) > 1:
        ids = join_clean(pod.id for pod in matches)
        why = f"{len(matches)} live pods are called '{name}' ({ids})"
        ways = "'%pods rm ID' ends the one that is too many"
        return Standing(why=why, refusal=NameInUse(f"{why}; nothing was created. {ways}"))
    pod = matches[0]
    if pod.has_failed:
        reason = f": {brief(pod.installation_failure)}" if pod.installation_failure else ""
        why = f"the pod '{name}' has failed{reason}"
        ways = (
            f"It may go on being billed; '%pods rm {pod.word}' ends it, and '--replace' ends it and launches "
            "it anew"
        )
        return Standing(None, (pod,), why, PodFailed(f"{why}; nothing was created. {ways}"))
    differences = _differences(pod, spec)
    if differences:
        why = f"a live pod is called '{name}' and differs ({'; '.join(differences)})"
        ways = "Use another name, '--new' for one more of this name, or '--replace' to end that one first"
        return Standing(None, (pod,), why, NameInUse(f"{why}; nothing was created. {ways}"))
    return Standing(pod=pod)


def _differences(pod: PodDetails, spec: PodSpec) -> list[str]:
    disk_gb = f"{pod.resources.disk:g}" if pod.resources and pod.resources.disk is not None else None
    pairs = (
        ("gpu", pod.gpu_name, spec.gpu_type),
        ("count", pod.gpu_count, spec.count),
        ("socket", pod.socket, spec.socket),
        ("image", pod.environment_type, spec.image),
        ("disk", disk_gb, spec.disk_size),
    )
    return [
        f"{what} is {clean(has)}, not {clean(wanted)}"
        for what, has, wanted in pairs
        if wanted is not None and has is not None and str(wanted).casefold() != str(has).casefold()
    ]

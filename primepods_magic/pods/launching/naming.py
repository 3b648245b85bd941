"""Who a pod is: its name, among my live pods in one account and team."""

from __future__ import annotations

from dataclasses import dataclass

from primepods_magic.api.errors import NameInUse, PodFailed, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import brief, join_sanitized, sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.find import same_name
from primepods_magic.pods.spec.spec import PodSpec

from .differences import is_billed_to
from .name_matching import fold_name, has_changed
from .recovery import ResumedLaunch

__all__ = ["NameCheck", "check_name", "name_scope", "named_pods", "shares_by_default", "team_of"]


@dataclass(frozen=True)
class NameCheck:
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


def shares_by_default(connection: Connection, spec: PodSpec) -> bool:
    """Return whether a pod is shared with its team because the settings say so, and the spec nothing."""
    is_open = spec.shared_with_team is None and spec.team_member_ids is None
    return is_open and connection.settings.shares_with_team and team_of(connection, spec) is not None


def name_scope(connection: Connection, spec: PodSpec) -> str:
    """Within what a name is one pod's: the service, me, and the team that is billed."""
    return f"{connection.account}\n{team_of(connection, spec)}"


def named_pods(
    connection: Connection, pods: list[PodDetails], name: str, team_id: str | None
) -> list[PodDetails]:
    """The live pods of a name and team that are mine, or may be."""
    return [pod for pod in same_name(connection, pods, name) if is_billed_to(pod, team_id)]


def check_name(
    connection: Connection,
    pods: list[PodDetails],
    spec: PodSpec,
    *,
    earlier: ResumedLaunch | None = None,
    digest: str = "",
) -> NameCheck:
    """Compare the live pods of a spec's name with the spec.

    Parameters
    ----------
    connection : Connection
        Whose pods they are.
    pods : list of PodDetails
        All that this key can see.
    spec : PodSpec
        What is wanted.
    earlier : Earlier, optional
        The pod that this computer has launched under the name: it is the name's pod, whatever the service
        calls it.
    digest : str
        Of the launch that asks. If it is the one that made the earlier pod, that pod is what was asked for.
    """
    recorded = earlier.pod if earlier is not None and earlier.pod.is_live else None
    team_id = team_of(connection, spec)
    matches = named_pods(connection, pods, spec.pod_name, team_id)
    if recorded is not None:
        matches = [recorded, *(pod for pod in matches if pod.id != recorded.id)]
    name = sanitize(spec.pod_name)
    if not matches:
        return _compare_spellings(connection, pods, spec, team_id)
    if not all(pod is recorded or connection.is_mine(pod) for pod in matches):
        why = f"a live pod is called '{name}', and your key may not say whether it is yours"
        ways = "Use another name, or '--new' for one more of this name"
        return NameCheck(why=why, refusal=NameInUse(f"{why}; nothing was created. {ways}"))
    if len(matches) > 1:
        ids = join_sanitized(pod.id for pod in matches)
        why = f"{len(matches)} live pods are called '{name}' ({ids})"
        ways = "'%pods rm ID' ends the one that is too many"
        return NameCheck(why=why, refusal=NameInUse(f"{why}; nothing was created. {ways}"))
    pod = matches[0]
    if pod.has_failed:
        reason = f": {brief(pod.installation_failure)}" if pod.installation_failure else ""
        why = f"the pod '{name}' has failed{reason}"
        ways = (
            f"It may go on being billed; '%pods rm {pod.cli_name}' ends it, and '--replace' ends it and "
            "launches "
            "it anew"
        )
        return NameCheck(None, (pod,), why, PodFailed(f"{why}; nothing was created. {ways}"))
    is_same_launch = pod is recorded and earlier is not None and earlier.intent.digest == digest
    differences = [] if is_same_launch else _differences(pod, spec)
    if differences:
        why = f"a live pod is called '{name}' and differs ({'; '.join(differences)})"
        ways = "Use another name, '--new' for one more of this name, or '--replace' to end that one first"
        return NameCheck(None, (pod,), why, NameInUse(f"{why}; nothing was created. {ways}"))
    return NameCheck(pod=pod)


def _compare_spellings(
    connection: Connection, pods: list[PodDetails], spec: PodSpec, team_id: str | None
) -> NameCheck:
    """Refuse a name that differs from a live pod's in nothing that a person sees: a service may have changed
    it, and renting again would be the second time."""
    wanted = fold_name(spec.pod_name)
    for pod in pods:
        if (
            fold_name(pod.name) == wanted
            and pod.is_live
            and is_billed_to(pod, team_id)
            and connection.is_mine(pod)
        ):
            why = (
                f"your live pod '{sanitize(pod.name)}' ({sanitize(pod.id)}) differs from "
                f"'{sanitize(spec.pod_name)}' in spelling only"
            )
            ways = "Use that name or another one, or '--new' to rent one more"
            return NameCheck(why=why, refusal=NameInUse(f"{why}; nothing was created. {ways}"))
    return NameCheck()


def _differences(pod: PodDetails, spec: PodSpec) -> list[str]:
    disk_gb = pod.resources.disk if pod.resources else None
    pairs = (
        ("gpu", pod.gpu_name, spec.gpu_type),
        ("count", pod.gpu_count, spec.count),
        ("socket", pod.socket, spec.socket),
        ("image", pod.environment_type, spec.image),
        ("disk", disk_gb, spec.disk_size),
    )
    return [
        f"{what} is {_format_value(has)}, not {_format_value(wanted)}"
        for what, has, wanted in pairs
        if has_changed(has, wanted)
    ]


def _format_value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else sanitize(value)

"""The name of a pod among my live pods in one account and team."""

from __future__ import annotations

from dataclasses import dataclass

from primepods_magic.api.errors import NameInUse, PodFailed, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import brief, join_sanitized, sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.find import same_name
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.name_matching import fold_name, has_changed

from .differences import is_billed_to
from .recovery import ResumedLaunch

__all__ = ["NameCheck", "check_name", "name_scope", "named_pods", "shares_by_default", "team_of"]


@dataclass(frozen=True)
class NameCheck:
    """The result of comparing the live pods of a name with a spec.

    ``pod`` is the one that matches. ``conflicting`` are mine and have failed or differ. ``why`` says why
    nothing can be launched beside them; ``refusal`` is the same as an error, with what to do.
    """

    pod: PodDetails | None = None
    conflicting: tuple[PodDetails, ...] = ()
    why: str = ""
    refusal: PodsError | None = None


def team_of(connection: Connection, spec: PodSpec) -> str | None:
    """Return the team that is billed: the spec's, else the settings'."""
    return spec.team or connection.settings.team_id


def shares_by_default(connection: Connection, spec: PodSpec) -> bool:
    """Return whether only the settings say that a pod is shared with its team."""
    is_open = spec.shared_with_team is None and spec.team_member_ids is None
    return is_open and connection.settings.shares_with_team and team_of(connection, spec) is not None


def name_scope(connection: Connection, spec: PodSpec) -> str:
    """Return the scope of a name: the service, the user, and the team that is billed."""
    return f"{connection.account}\n{team_of(connection, spec)}"


def named_pods(
    connection: Connection, pods: list[PodDetails], name: str, team_id: str | None
) -> list[PodDetails]:
    """Return the live pods of a name and team that are mine, or may be."""
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

    The pod of ``earlier`` is the name's pod whatever the service calls it; if ``digest`` is that launch's, it
    matches.
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
        why = f"A live pod is called '{name}', and this key cannot check whether it is yours"
        ways = "Use another name, or '--new' to rent one more"
        return NameCheck(why=why, refusal=NameInUse(f"{why}. Nothing was created. {ways}"))
    if len(matches) > 1:
        ids = join_sanitized(pod.id for pod in matches)
        why = f"{len(matches)} live pods are called '{name}' ({ids})"
        ways = "'%pods rm ID' terminates the extra one"
        return NameCheck(why=why, refusal=NameInUse(f"{why}. Nothing was created. {ways}"))
    pod = matches[0]
    if pod.has_failed:
        reason = f": {brief(pod.installation_failure)}" if pod.installation_failure else ""
        why = f"The pod '{name}' has failed{reason}"
        ways = (
            f"It may still be billed. '%pods rm {pod.cli_name}' terminates it; '--replace' terminates it and "
            "launches it again"
        )
        return NameCheck(None, (pod,), why, PodFailed(f"{why}. Nothing was created. {ways}"))
    is_same_launch = pod is recorded and earlier is not None and earlier.record.digest == digest
    differences = [] if is_same_launch else _list_differences(pod, spec)
    if differences:
        why = f"A live pod is called '{name}' and differs ({'; '.join(differences)})"
        ways = "Use another name, '--new' to rent one more, or '--replace' to terminate that one first"
        return NameCheck(None, (pod,), why, NameInUse(f"{why}. Nothing was created. {ways}"))
    return NameCheck(pod=pod)


def _compare_spellings(
    connection: Connection, pods: list[PodDetails], spec: PodSpec, team_id: str | None
) -> NameCheck:
    """Refuse a name that differs from a live pod's only in spelling.

    The service may have changed it, and renting again would be a second pod.
    """
    wanted = fold_name(spec.pod_name)
    for pod in pods:
        if (
            fold_name(pod.name) == wanted
            and pod.is_live
            and is_billed_to(pod, team_id)
            and connection.is_mine(pod)
        ):
            why = (
                f"Your live pod '{sanitize(pod.name)}' ({sanitize(pod.id)}) differs from "
                f"'{sanitize(spec.pod_name)}' only in spelling"
            )
            ways = "Use that name or another one, or '--new' to rent one more"
            return NameCheck(why=why, refusal=NameInUse(f"{why}. Nothing was created. {ways}"))
    return NameCheck()


def _list_differences(pod: PodDetails, spec: PodSpec) -> list[str]:
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

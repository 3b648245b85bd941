"""The verdict on a launch by the live pods: whether its name is free, has its pod, or is in the way."""

from __future__ import annotations

from dataclasses import dataclass

from primepods_magic.api.errors import NameInUse, PodFailed, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import brief, join_sanitized, sanitize
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.offers import join_any
from primepods_magic.pods.spec.requirements import is_below_vram
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.gpu_counts import has_other_gpus
from primepods_magic.pods.support.name_matching import fold_name, has_changed

from .differences import is_billed_to
from .naming import named_pods, team_of
from .recovery import ResumedLaunch

__all__ = ["Assessment", "assess"]


@dataclass(frozen=True)
class Assessment:
    """The verdict on a launch; with no field set, a pod may be created.

    ``pod`` is returned instead. ``refusal`` says why nothing can be created and what to do, ``why`` the
    reason alone. ``replaceable`` are mine, have failed or differ, and may be terminated first.
    """

    pod: PodDetails | None = None
    replaceable: tuple[PodDetails, ...] = ()
    why: str = ""
    refusal: PodsError | None = None


def assess(
    connection: Connection,
    pods: list[PodDetails],
    spec: PodSpec,
    *,
    earlier: ResumedLaunch | None = None,
    digest: str = "",
    is_new: bool = False,
) -> Assessment:
    """Compare the live pods of a spec's name with the spec. Used before consent, and again under the lock.

    The pod of ``earlier`` is the name's pod whatever the service calls it; if ``digest`` is that launch's, it
    matches. If another pod of the name is wanted (``is_new``), it is returned only if it is undelivered.
    """
    if is_new:
        return Assessment(earlier.pod if earlier is not None and earlier.is_undelivered else None)
    recorded = earlier.pod if earlier is not None and earlier.pod.is_live else None
    matches = named_pods(connection, pods, spec.pod_name, team_of(connection, spec))
    if recorded is not None:
        matches = [recorded, *(pod for pod in matches if pod.id != recorded.id)]
    name = sanitize(spec.pod_name)
    if not matches:
        return _compare_spellings(connection, pods, spec)
    if not all(pod is recorded or connection.is_mine(pod) for pod in matches):
        why = f"A live pod is called '{name}', and this key cannot check whether it is yours"
        return _make_refusal(NameInUse, why, "Use another name, or '--new' to rent one more")
    if len(matches) > 1:
        ids = join_sanitized(pod.id for pod in matches)
        why = f"{len(matches)} live pods are called '{name}' ({ids})"
        return _make_refusal(NameInUse, why, "'%pods rm ID' terminates the extra one")
    pod = matches[0]
    if pod.has_failed:
        reason = f": {brief(pod.installation_failure)}" if pod.installation_failure else ""
        ways = (
            f"It may still be billed. '%pods rm {pod.cli_name}' terminates it; '--replace' terminates it and "
            "launches it again"
        )
        return _make_refusal(PodFailed, f"The pod '{name}' has failed{reason}", ways, pod)
    is_same_launch = pod is recorded and earlier is not None and earlier.record.digest == digest
    differences = [] if is_same_launch else _list_differences(pod, spec)
    if differences:
        why = f"A live pod is called '{name}' and differs ({'; '.join(differences)})"
        ways = "Use another name, '--new' to rent one more, or '--replace' to terminate that one first"
        return _make_refusal(NameInUse, why, ways, pod)
    return Assessment(pod)


def _make_refusal(kind: type[PodsError], why: str, ways: str, *replaceable: PodDetails) -> Assessment:
    return Assessment(None, replaceable, why, kind(f"{why}. Nothing was created. {ways}"))


def _compare_spellings(connection: Connection, pods: list[PodDetails], spec: PodSpec) -> Assessment:
    """Refuse a name that differs from a live pod's only in spelling.

    The service may have changed it, and renting again would be a second pod.
    """
    wanted, team_id = fold_name(spec.pod_name), team_of(connection, spec)
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
            return _make_refusal(NameInUse, why, "Use that name or another one, or '--new' to rent one more")
    return Assessment()


def _list_differences(pod: PodDetails, spec: PodSpec) -> list[str]:
    disk_gb = pod.resources.disk if pod.resources else None
    pairs = (
        ("gpu", pod.gpu_name, spec.gpu_type),
        ("count", pod.total_gpus if has_other_gpus(pod, spec.count) else None, spec.count),
        ("socket", pod.socket, spec.socket),
        ("image", pod.environment_type, spec.image),
        ("disk", disk_gb, spec.disk_size),
    )
    differences = [
        f"{what} is {_format_value(has)}, not {_format_value(wanted)}"
        for what, has, wanted in pairs
        if all(has_changed(has, each) for each in (wanted if isinstance(wanted, tuple) else (wanted,)))
    ]
    if is_below_vram(pod, spec):
        differences.append("it has less GPU memory than this spec asks for")
    return differences


def _format_value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else join_any(value)

"""Differences between a pod and its order; a value that the service leaves out does not differ."""

from __future__ import annotations

from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.pods.launching.journal.journal import LaunchRecord, Order
from primepods_magic.pods.support.gpu_counts import has_other_gpus
from primepods_magic.pods.support.name_matching import has_changed, is_same_payer

__all__ = ["is_billed_to", "list_changes", "list_doubts"]

# Times of one service come from several of its machines.
_CLOCK_SKEW_S = 60.0


def list_changes(pod: PodDetails, record: LaunchRecord) -> list[str]:
    """List how a pod differs from its order."""
    changes = []
    if pod.name is not None and pod.name != record.name:
        changes.append(f"its name is '{sanitize(pod.name)}', not '{sanitize(record.name)}'")
    if not is_billed_to(pod, record.team_id):
        team, wanted = (f"team {sanitize(id)}" if id else "you" for id in (pod.team_id, record.team_id))
        changes.append(f"it is billed to {team}, not to {wanted}")
    if has_changed(pod.gpu_name, record.gpu_type):
        changes.append(f"its GPU is {sanitize(pod.gpu_name)}, not {sanitize(record.gpu_type)}")
    if has_other_gpus(pod, record.gpu_count):
        changes.append(f"it has {pod.total_gpus} GPUs, not {record.gpu_count}")
    return changes + (_list_further_changes(pod, record.order) if record.order else [])


def list_doubts(pod: PodDetails, record: LaunchRecord) -> list[str]:
    """List signs that a pod which was found by polling was launched elsewhere under the same name.

    The pod in a create's response is beyond doubt. Services that change names, teams and GPUs are known, so
    those are no sign.
    """
    if not record.is_found:
        return []
    doubts = _list_further_changes(pod, record.order) if record.order else []
    if pod.created_at is not None:
        moments_s = [record.sent_at.timestamp(), *([record.noted_at_s] if record.noted_at_s else [])]
        # Either clock may have jumped.
        if min(moments_s) - pod.created_at.timestamp() > _CLOCK_SKEW_S:
            doubts.append("it was created before it was ordered here")
    return doubts


def is_billed_to(pod: PodDetails, team_id: str | None) -> bool:
    """Return whether a pod is billed to a team, whose id may be spelled differently."""
    return is_same_payer(pod.team_id, team_id)


def _list_further_changes(pod: PodDetails, order: Order) -> list[str]:
    changes = []
    if pod.is_spot is not None and pod.is_spot != order.is_spot:
        kinds = ("on demand", "a spot pod, which may be reclaimed at any time")
        changes.append(f"it is {kinds[pod.is_spot]}, not {kinds[order.is_spot].split(',')[0]}")
    words = (
        ("provider", pod.provider_type, order.provider),
        ("socket", pod.socket, order.socket),
        ("image", pod.environment_type, order.image),
        ("template", pod.custom_template_id, order.template_id),
    )
    changes += [
        f"its {what} is {sanitize(has)}, not {sanitize(wanted)}"
        for what, has, wanted in words
        if has_changed(has, wanted)
    ]
    disk_gb = pod.resources.disk if pod.resources else None
    if disk_gb is not None and order.disk_gb is not None and has_changed(disk_gb, order.disk_gb):
        changes.append(f"its disk has {disk_gb:g} GB, not {order.disk_gb:g} GB")
    return changes

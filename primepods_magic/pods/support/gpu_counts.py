"""Comparison of a pod's GPUs with an order: a service may state those of one node, or of all."""

from __future__ import annotations

from primepods_magic.api.fields.nodes import MAX_NODE_GPUS
from primepods_magic.api.models import HistoryRow, PodDetails

from .name_matching import has_changed

__all__ = ["has_other_gpus"]


def has_other_gpus(pod: PodDetails | HistoryRow, wanted: object) -> bool:
    """Return whether a pod's number of GPUs differs from the requested one.

    The GPUs of one node do not differ while the number of nodes is unknown, as it is in the history.

    >>> one, some = PodDetails(gpu_count=8), PodDetails(gpu_count=8, cluster_id="c1")
    >>> has_other_gpus(one, 16), has_other_gpus(some, 16)
    (True, False)
    """
    if isinstance(pod, HistoryRow):
        total, nodes = pod.gpu_count, None
    else:
        total, nodes = pod.total_gpus, pod.nodes
    if not has_changed(total, wanted):
        return False
    if nodes is not None or not total or not isinstance(wanted, int) or wanted <= MAX_NODE_GPUS:
        return True
    return wanted % total != 0

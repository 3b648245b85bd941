"""Which pods of many get a row of their own: those that matter to whoever waits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails

__all__ = ["MOST_ROWS", "select_rows"]

MOST_ROWS = 20
"""More than that is not watched but searched, and a listing is better for that."""


def select_rows(
    pods: Sequence[PodDetails], shown: Collection[str | None] = (), *, limit: int = MOST_ROWS
) -> tuple[list[PodDetails], list[PodDetails]]:
    """Those that get a row, and the rest, both in their order.

    What has failed comes first, then what is still coming up, then what was created last. A pod that has a
    row keeps it before others that matter as much: rows that come and go cannot be read.

    Parameters
    ----------
    pods : sequence of PodDetails
        All of them.
    shown : collection of str
        The ids of those that have a row.
    limit : int
        As many rows at most.
    """
    if len(pods) <= limit:
        return list(pods), []

    def rank(index: int) -> tuple[int, bool, float, int]:
        pod = pods[index]
        created = pod.created_at.timestamp() if pod.created_at else 0.0
        return _matters(pod), pod.id not in shown, -created, -index

    chosen = set(sorted(range(len(pods)), key=rank)[:limit])
    rows = [pod for index, pod in enumerate(pods) if index in chosen]
    return rows, [pod for index, pod in enumerate(pods) if index not in chosen]


def _matters(pod: PodDetails) -> int:
    if not pod.is_live:
        return 3
    if pod.has_failed:
        return 0
    return 2 if pod.is_ready else 1

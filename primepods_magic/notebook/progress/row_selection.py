"""Selection of the pods that get a row: those that matter most to a person who waits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from primepods_magic.api.models import PodDetails

__all__ = ["MOST_ROWS", "select_rows"]

MOST_ROWS = 20
"""No one watches more rows than that; a listing is better for searching."""


def select_rows(
    pods: Sequence[PodDetails], shown: Collection[str | None] = (), *, limit: int = MOST_ROWS
) -> tuple[list[PodDetails], list[PodDetails]]:
    """Return the pods that get a row, and the rest, both in their order.

    Failed pods come first, then those still starting, then the newest. A pod with a row, by its id in
    ``shown``, keeps it before others that matter as much: rows that come and go cannot be read.
    """
    if len(pods) <= limit:
        return list(pods), []

    def rank(index: int) -> tuple[int, bool, float, int]:
        pod = pods[index]
        created = pod.created_at.timestamp() if pod.created_at else 0.0
        return _rank_state(pod), pod.id not in shown, -created, -index

    chosen = set(sorted(range(len(pods)), key=rank)[:limit])
    rows = [pod for index, pod in enumerate(pods) if index in chosen]
    return rows, [pod for index, pod in enumerate(pods) if index not in chosen]


def _rank_state(pod: PodDetails) -> int:
    if not pod.is_live:
        return 3
    if pod.has_failed:
        return 0
    return 2 if pod.is_ready else 1

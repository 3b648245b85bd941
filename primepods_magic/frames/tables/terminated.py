"""Frame of terminated pods."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING

import pandas as pd

from .schema import Column, build

if TYPE_CHECKING:
    from primepods_magic.pods.terminate import TerminationResult

__all__ = ["removed_frame"]


def removed_frame(removals: Iterable[TerminationResult]) -> pd.DataFrame:
    """Build a frame of termination results, in the order given.

    >>> from primepods_magic.pods.terminate import TerminationResult
    >>> removed_frame([TerminationResult("train", "p1", "terminated", 56.16)])["billed_usd"].tolist()
    [56.16]
    """
    return build(_REMOVED_COLUMNS, removals)


def _compute_duration(removal: TerminationResult) -> timedelta | None:
    if removal.terminated_at is None or removal.created_at is None:
        return None
    return removal.terminated_at - removal.created_at


_REMOVED_COLUMNS: tuple[Column[TerminationResult], ...] = (
    Column("name", "string", attrgetter("name")),
    Column("id", "string", attrgetter("id")),
    Column("outcome", "string", attrgetter("outcome")),
    Column("billed_usd", "Float64", attrgetter("billed_usd")),
    Column("duration", "timedelta64[us]", _compute_duration),
)

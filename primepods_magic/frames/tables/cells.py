"""Frame of the cells that ran on pods."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import pandas as pd

from primepods_magic.remote.cells import CellRecord

from .schema import SPAN, TIME, Column, build

__all__ = ["CELLS", "cells_frame"]


def cells_frame(cells: Iterable[CellRecord]) -> pd.DataFrame:
    """Build a frame of cells that ran on pods, in the order given.

    >>> cells_frame([]).columns.tolist()[:5]
    ['started_at', 'pod', 'session', 'title', 'state']
    """
    return build(CELLS, cells)


def _measure_idle(cell: CellRecord) -> timedelta | None:
    return None if cell.idle_s is None else timedelta(seconds=cell.idle_s)


CELLS: tuple[Column[CellRecord], ...] = (
    Column("started_at", TIME, doc="when it began to run"),
    Column("pod", "string", doc="name of its pod", format="strong"),
    Column("session", "string", doc="kernel on the pod"),
    Column("title", "string", doc="first line of its code, without strings", format="code", max_length=80),
    Column("state", "string", doc="ok, error, cancelled or died", format="badge"),
    Column(
        "duration", SPAN, lambda cell: timedelta(seconds=cell.seconds), "how long it ran", format="duration"
    ),
    Column(
        "estimated_usd",
        "Float64",
        doc="USD that the pod cost while the cell ran, at its price then",
        format="amount",
    ),
    Column("gpu_mean_pct", "Float64", doc="mean utilization of its GPUs in percent", format="number"),
    Column("gpu_peak_pct", "Float64", doc="highest utilization of a GPU in percent", format="number"),
    Column(
        "idle",
        SPAN,
        _measure_idle,
        "how long the pod had been idle before; for its first cell, the age of the pod",
        format="duration",
    ),
    Column("idle_usd", "Float64", doc="USD that the pod cost in that time, at its price then"),
    Column("gpu", "string"),
    Column("gpu_count", "Int64"),
    Column("price_usd_hr", "Float64", doc="USD per hour of the pod at that time"),
    Column("job", "string", doc="id of the job", format="code"),
    Column("pod_id", "string", doc="id of its pod", max_length=34),
)

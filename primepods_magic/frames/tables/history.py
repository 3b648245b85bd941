"""Frame of the billing history."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pandas as pd

from primepods_magic.api.models import HistoryRow
from primepods_magic.pods.history.table import (
    MISSING,
    ODD_TIME,
    UNREADABLE,
    Array,
    HistoryTable,
    microseconds,
)

from .estimates import estimate_unbilled
from .schema import SPAN, STRING, TIME, Column

__all__ = ["HISTORY", "history_frame", "overlapping"]

_MICROSECONDS_PER_HOUR = 3_600_000_000
_POD = "Instance"
HISTORY: tuple[Column[HistoryTable], ...] = (
    Column("name", "string", format="strong"),
    Column("gpu", "string", "gpu_name"),
    Column("gpu_count", "Int64"),
    Column("created_at", TIME),
    Column("terminated_at", TIME),
    Column(
        "duration",
        SPAN,
        doc="time from creation to end, or to now if it has not ended",
        format="duration",
    ),
    Column("gpu_hours", "Float64"),
    Column("price_usd_hr", "Float64", "price_hr", "average USD per hour, for the whole pod"),
    Column(
        "billed_usd",
        "Float64",
        "total_billed_price",
        "USD billed in total: the service's totalBilledPrice; 0 or missing if not billed yet",
        format="billed",
    ),
    Column("provider", "string", "provider_type"),
    Column("team_id", "string"),
    Column("user_id", "string"),
    Column("provisioned_by", "string", doc="name of the person who launched it"),
    Column("id", "string"),
    Column("state", "string", doc="closed, or open if it has not ended"),
    Column("socket", "string"),
    Column("type", "string", doc="'Instance' is a pod"),
    Column("remarks", "string", doc="anomalies of the row; missing if there are none", max_length=40),
    Column(
        "estimated_usd",
        "Float64",
        doc="USD by price and duration, shown as ≈ until the pod is billed; missing once it is",
    ),
)
"""Its `read` is the name in a `HistoryTable`, if it is another one."""


def history_frame(rows: HistoryTable | Iterable[HistoryRow], now: datetime | None = None) -> pd.DataFrame:
    """Build a frame of what was rented and what it cost, in the order given.

    A `HistoryTable` is used up: its columns move into the frame. Open rows are measured up to `now`;
    without it their ``duration``, ``gpu_hours`` and ``estimated_usd`` are missing. Undocumented single values
    follow as ``object`` columns.

    >>> row = HistoryRow(name="train", gpu_count=8, created_at="2026-09-01T00:00:00Z",
    ...     terminated_at="2026-09-01T03:00:00Z", total_billed_price=56.16)
    >>> history_frame([row])[["gpu_hours", "billed_usd", "state"]].to_dict("records")
    [{'gpu_hours': 24.0, 'billed_usd': 56.16, 'state': 'closed'}]
    """
    table = rows if isinstance(rows, HistoryTable) else HistoryTable.of_models(rows)
    span = _measure_span(table, now)
    # The duration of a row that ends before it begins is unknown.
    length = np.where(span < 0, MISSING, span)
    data: dict[str, Any] = {
        "duration": length.view("timedelta64[us]"),
        "gpu_hours": _to_floats(_compute_gpu_hours(table, length)),
        "state": pd.array(np.where(table.is_open, "open", "closed").astype(object), dtype=STRING),
        "remarks": pd.array(_write_remarks(table, span), dtype=STRING),
    }
    is_open = pd.Series(table.is_open)
    data = {
        column.name: data[column.name] if column.name in data else _take_column(table, column)
        for column in HISTORY
        if column.name != "estimated_usd"
    }
    data["estimated_usd"] = _estimate_costs(data, is_open, now)
    extras = {name: values for name, values in table.extras.items() if name not in data}
    data.update({name: pd.Series(values, dtype=object) for name, values in extras.items()})
    frame: pd.DataFrame = pd.DataFrame(data, copy=False)
    return frame


def _estimate_costs(data: dict[str, Any], is_open: pd.Series, now: datetime | None) -> pd.Series:
    """Estimate what unbilled rows cost; without ``now``, the latest end stands for it."""
    names = ("billed_usd", "price_usd_hr", "created_at", "terminated_at")
    billed_usd, price_usd_hr, begin, end = (pd.Series(data[name]) for name in names)
    if now is None:
        return estimate_unbilled(billed_usd, price_usd_hr, begin, end, is_open & False, end.max())[1]
    moment = pd.Timestamp(now if now.tzinfo else now.replace(tzinfo=timezone.utc)).as_unit("us")
    return estimate_unbilled(billed_usd, price_usd_hr, begin, end, is_open, moment)[1]


def _take_column(table: HistoryTable, column: Column[HistoryTable]) -> Any:
    # Remove each column once it is converted: there may be very many rows.
    values = table.columns.pop(str(column.read or column.name))
    if column.dtype == "string":
        return pd.array(values, dtype=STRING)
    if column.dtype == "Float64":
        return _to_floats(values)
    if column.dtype == TIME:
        return pd.DatetimeIndex(values.view("datetime64[us]"), tz="UTC").array
    is_missing = values == MISSING
    return pd.arrays.IntegerArray(np.where(is_missing, 0, values), is_missing)


def _to_floats(values: Array) -> Any:
    is_missing = np.isnan(values)
    return pd.arrays.FloatingArray(np.where(is_missing, 0.0, values), is_missing)


def _measure_span(table: HistoryTable, now: datetime | None) -> Array:
    """Return microseconds from begin to end, or to now for open rows; `MISSING` if unknown."""
    begin, end = table.columns["created_at"], table.columns["terminated_at"]
    if now is not None:
        moment = now if now.tzinfo else now.replace(tzinfo=timezone.utc)
        end = np.where(table.is_open, microseconds(moment), end)
    is_known = (begin != MISSING) & (end != MISSING)
    return np.where(is_known, end - np.where(is_known, begin, 0), MISSING)


def _compute_gpu_hours(table: HistoryTable, length: Array) -> Array:
    count = table.columns["gpu_count"]
    is_known = (count != MISSING) & (length != MISSING)
    return np.where(is_known, count * (length / _MICROSECONDS_PER_HOUR), np.nan)


def _write_remarks(table: HistoryTable, span: Array) -> Array:
    """Describe what is odd about each row; ``None`` for most."""
    kind = table.columns["type"]
    oddities = {
        "open": table.is_open,
        "no beginning": table.columns["created_at"] == MISSING,
        "no time between": span == 0,
        "ends before it begins": (span < 0) & (span != MISSING) & ~table.is_open,
        "begins later than now": (span < 0) & (span != MISSING) & table.is_open,
        "no name": pd.isna(table.columns["name"]) | (table.columns["name"] == ""),
        "no price": np.isnan(table.columns["total_billed_price"]),
        "time without a zone": (table.marks & ODD_TIME) != 0,
        "unreadable value": (table.marks & UNREADABLE) != 0,
        "no pod": (kind != _POD) & ~pd.isna(kind),
    }
    words = np.full(len(table), None, object)
    for index in np.flatnonzero(np.logical_or.reduce(list(oddities.values()))):
        words[index] = ", ".join(oddity for oddity, holds in oddities.items() if holds[index])
    return words


def overlapping(
    frame: pd.DataFrame, since: datetime | None = None, until: datetime | None = None
) -> pd.DataFrame:
    """Return the rows of a history whose life overlaps a range, with a new index.

    `until` is exclusive. Open rows have no end; rows without any time are left out.

    >>> row = HistoryRow(created_at="2026-09-01T00:00:00Z", terminated_at="2026-09-03T00:00:00Z")
    >>> days = [datetime(2026, 9, day, tzinfo=timezone.utc) for day in (2, 3)]
    >>> [len(overlapping(history_frame([row]), since=day)) for day in days]
    [1, 0]
    """
    if since is None and until is None:
        return frame
    begin = frame["created_at"].fillna(frame["terminated_at"])
    end = frame["terminated_at"]
    chosen = begin.notna()
    if since is not None:
        # A row of no length lies at its beginning.
        chosen &= (end > since) | end.isna() | ((end <= begin) & (begin >= since))
    if until is not None:
        chosen &= begin < until
    part: pd.DataFrame = frame[chosen].reset_index(drop=True)
    return part

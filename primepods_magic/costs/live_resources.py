"""Ledger rows of live pods and disks, which the history does not have yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from primepods_magic.api.disks import Disk
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.models import PodDetails
from primepods_magic.frames.tables.schema import STRING
from primepods_magic.pods.account.billings import Billed, add_up, cost_so_far_usd

from .coerce import booleans, column_of, life_spans, numbers, prices, require, statuses, text, times

__all__ = [
    "LIVE",
    "hours_between",
    "living_disks",
    "living_pods",
    "parse_now",
    "read_disks",
    "read_pods",
    "to_dollars",
]

LIVE = "live"

_HOUR = pd.Timedelta(hours=1)


def parse_now(given: datetime | None) -> pd.Timestamp:
    """Return the given time (UTC if naive), or the present."""
    try:
        now: Any = pd.Timestamp.now("UTC") if given is None else pd.Timestamp(given)
        now = now.tz_localize("UTC") if now.tzinfo is None else now.tz_convert("UTC")
    except (ValueError, TypeError):
        now = pd.NaT
    if now is pd.NaT:
        raise ValueError(f"now={given!r} is not a time")
    present: pd.Timestamp = now.as_unit("us")
    return present


def living_pods(
    pods: pd.DataFrame, billings: pd.DataFrame | None, known: pd.Series, now: pd.Timestamp
) -> pd.DataFrame:
    """Build rows of the live pods whose id is not `known` from the history, counted up to now."""
    require(pods, "pods", ("id", "status", "price_usd_hr", "created_at"))
    alive = _select_alive(pods, known)
    rows = _build_rows(alive, "Instance", now)
    rows["gpu"] = column_of(alive, "gpu", "string")
    rows["gpu_count"] = column_of(alive, "gpu_count", "Int64")
    rows["socket"] = column_of(alive, "socket", "string")
    rows["is_spot"] = booleans(alive, "is_spot")
    return _add_costs(rows, read_pods(alive, now), billings, now)


def living_disks(
    disks: pd.DataFrame, billings: pd.DataFrame | None, known: pd.Series, now: pd.Timestamp
) -> pd.DataFrame:
    """Build rows of the live disks likewise; they cost the same attached or not."""
    require(disks, "disks", ("id", "price_usd_hr", "created_at"))
    alive = _select_alive(disks, known)
    rows = _build_rows(alive, "Disk", now)
    rows["gpu"] = pd.Series(index=rows.index, dtype=STRING)
    rows["gpu_count"] = pd.Series(0, index=rows.index, dtype="Int64")
    rows["socket"] = rows["gpu"]
    rows["is_spot"] = pd.Series(index=rows.index, dtype="boolean")
    return _add_costs(rows, read_disks(alive, now), billings, now)


def _select_alive(frame: pd.DataFrame, known: pd.Series) -> pd.DataFrame:
    ids = text(frame, "id")
    # Pages read during a change may contain one resource twice.
    again = ids.notna() & (ids.duplicated() | ids.isin(known))
    gone = statuses(frame).eq(PodStatus.TERMINATED.value).fillna(False).astype(bool)
    alive: pd.DataFrame = frame[~(again | gone).astype(bool)].reset_index(drop=True)
    return alive


def _build_rows(alive: pd.DataFrame, kind: str, now: pd.Timestamp) -> pd.DataFrame:
    """Build the columns that pods and disks have in common."""
    words = ("name", "provider", "team_id", "user_id", "id")
    rows: pd.DataFrame = pd.DataFrame(
        {name: column_of(alive, name, "string") for name in words}, index=alive.index
    )
    rows["type"] = pd.Series(kind, index=alive.index, dtype=STRING)
    rows["price_usd_hr"] = column_of(alive, "price_usd_hr", "Float64")
    begin, end = life_spans(alive, now)
    rows["created_at"] = rows["begin_at"] = begin
    rows["terminated_at"] = end.where(end < now)
    rows["end_at"] = end.where(begin.notna())
    rows["estimated"] = pd.Series(True, index=alive.index, dtype="boolean")
    return rows


def _add_costs(
    rows: pd.DataFrame,
    things: Sequence[PodDetails | Disk],
    billings: pd.DataFrame | None,
    now: pd.Timestamp,
) -> pd.DataFrame:
    """Add what each row costs: as billed so far, and as accrued since."""
    billed, until = _read_billings(billings), now.to_pydatetime()
    known = [billed.get(thing.id) if thing.id else None for thing in things]
    rows["billed_usd"] = to_dollars([each.usd if each else None for each in known], rows.index)
    costs = [cost_so_far_usd(thing, each, until) for thing, each in zip(things, known, strict=True)]
    rows["cost_usd"] = to_dollars(costs, rows.index)
    rows["duration"] = (rows["end_at"] - rows["begin_at"]).astype("timedelta64[us]")
    rows["gpu_hours"] = rows["gpu_count"] * hours_between(rows["begin_at"], rows["end_at"])
    return rows


def to_dollars(values: Sequence[float | None], index: pd.Index) -> pd.Series:
    """Build a column of USD."""
    dollars: pd.Series = pd.Series(list[Any](values), index=index, dtype="Float64")
    return dollars


def _read_billings(billings: pd.DataFrame | None) -> dict[str, Billed]:
    if billings is None:
        return {}
    require(billings, "billings", ("resource_id", "amount_usd"))
    cells = pd.DataFrame(
        {
            "id": text(billings, "resource_id"),
            "usd": numbers(billings, "amount_usd"),
            "until": times(billings, "last_billed_at"),
        }
    )
    return add_up((row["id"], row["usd"], row["until"]) for row in _list_cells(cells))


def read_pods(frame: pd.DataFrame, now: pd.Timestamp) -> list[PodDetails]:
    """Read what the cost of pods depends on."""
    cells = _select_cost_cells(frame, now).assign(
        provisioning_price_hr=prices(frame, "provisioning_price_usd_hr"),
        stopped_price_hr=prices(frame, "stopped_price_usd_hr"),
        updated_at=times(frame, "updated_at"),
    )
    return [PodDetails(**row) for row in _list_cells(cells)]


def read_disks(frame: pd.DataFrame, now: pd.Timestamp) -> list[Disk]:
    """Read what the cost of disks depends on."""
    return [Disk(**row) for row in _list_cells(_select_cost_cells(frame, now))]


def _select_cost_cells(frame: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Select the columns that pods and disks have in common, under the names of the models."""
    begin, end = life_spans(frame, now)
    cells: pd.DataFrame = pd.DataFrame(
        {
            "id": text(frame, "id"),
            "status": statuses(frame),
            "price_hr": prices(frame, "price_usd_hr"),
            "created_at": begin,
            "terminated_at": end.where(end < now),
        }
    )
    return cells


def _list_cells(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the cells of each row as plain values, ``None`` if missing."""
    columns = {
        str(name): [None if pd.isna(value) else _to_plain_value(value) for value in frame[name]]
        for name in frame.columns
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _to_plain_value(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if isinstance(value, np.generic) else value


def hours_between(begin: pd.Series, end: pd.Series) -> pd.Series:
    """Return the hours between two times; 0 if one is missing or they are reversed."""
    hours: pd.Series = ((end - begin) / _HOUR).fillna(0.0).clip(lower=0.0).astype("Float64")
    return hours

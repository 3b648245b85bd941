"""What lives, as rows of a ledger: pods and disks that the history does not tell of yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from primepods_magic.api.account import Disk
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.models import PodDetails
from primepods_magic.frames.tables.schema import STRING
from primepods_magic.pods.account.billings import Billed, add_up, cost_so_far_usd

from .coerce import column_of, lives, numbers, prices, require, statuses, text, times, truths

__all__ = [
    "LIVE",
    "hours_between",
    "living_disks",
    "living_pods",
    "now_or",
    "read_disks",
    "read_pods",
    "to_dollars",
]

LIVE = "live"

_HOUR = pd.Timedelta(hours=1)


def now_or(given: datetime | None) -> pd.Timestamp:
    """The present, or the instant that was given in its place (UTC where it has no zone)."""
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
    """Rows for the pods that live and whose id is not known from the history.

    Parameters
    ----------
    pods : pandas.DataFrame
        As ``pods_frame`` builds it.
    billings : pandas.DataFrame or None
        What the service billed so far.
    known : pandas.Series
        The ids in the history.
    now : pandas.Timestamp
        Up to when they are counted.
    """
    require(pods, "pods", ("id", "status", "price_usd_hr", "created_at"))
    alive = _select_alive(pods, known)
    rows = _build_rows(alive, "Instance", now)
    rows["gpu"] = column_of(alive, "gpu", "string")
    rows["gpu_count"] = column_of(alive, "gpu_count", "Int64")
    rows["socket"] = column_of(alive, "socket", "string")
    rows["is_spot"] = truths(alive, "is_spot")
    return _add_costs(rows, read_pods(alive, now), billings, now)


def living_disks(
    disks: pd.DataFrame, billings: pd.DataFrame | None, known: pd.Series, now: pd.Timestamp
) -> pd.DataFrame:
    """Rows for the disks that live, likewise; attached or not, they cost the same, until their end."""
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
    # Pages that were read while something changed may tell of one thing twice.
    again = ids.notna() & (ids.duplicated() | ids.isin(known))
    gone = statuses(frame).eq(PodStatus.TERMINATED.value).fillna(False).astype(bool)
    alive: pd.DataFrame = frame[~(again | gone).astype(bool)].reset_index(drop=True)
    return alive


def _build_rows(alive: pd.DataFrame, kind: str, now: pd.Timestamp) -> pd.DataFrame:
    """What pods and disks have in common."""
    words = ("name", "provider", "team_id", "user_id", "id")
    rows: pd.DataFrame = pd.DataFrame(
        {name: column_of(alive, name, "string") for name in words}, index=alive.index
    )
    rows["type"] = pd.Series(kind, index=alive.index, dtype=STRING)
    rows["price_usd_hr"] = column_of(alive, "price_usd_hr", "Float64")
    begin, end = lives(alive, now)
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
    """Return the rows with what they cost: as billed so far, and as accrued since."""
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
    told = pd.DataFrame(
        {
            "id": text(billings, "resource_id"),
            "usd": numbers(billings, "amount_usd"),
            "until": times(billings, "last_billed_at"),
        }
    )
    return add_up((cells["id"], cells["usd"], cells["until"]) for cells in _list_cells(told))


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
    begin, end = lives(frame, now)
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
    """Return the cells of each row as plain values, ``None`` where missing."""
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
    """From one to the other; none where a time is missing, or where they are the wrong way round."""
    hours: pd.Series = ((end - begin) / _HOUR).fillna(0.0).clip(lower=0.0).astype("Float64")
    return hours

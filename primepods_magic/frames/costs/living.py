"""What lives, as rows of a ledger: pods and disks that the history does not tell of yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd

from primepods_magic.api.vocabulary import PodStatus
from primepods_magic.frames.schema import STRING

from .reading import column_of, lives, numbers, prices, require, statuses, text, times, truths

__all__ = ["LIVE", "hours_between", "living_disks", "living_pods", "now_or"]

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
    alive = _alive(pods, known)
    rows = _rows(alive, "Instance", now)
    rows["gpu"] = column_of(alive, "gpu", "string")
    rows["gpu_count"] = column_of(alive, "gpu_count", "Int64")
    rows["socket"] = column_of(alive, "socket", "string")
    rows["is_spot"] = truths(alive, "is_spot")
    return _counted(rows, _accrued_usd(alive, now), billings)


def living_disks(
    disks: pd.DataFrame, billings: pd.DataFrame | None, known: pd.Series, now: pd.Timestamp
) -> pd.DataFrame:
    """Rows for the disks that live, likewise; attached or not, they cost the same, until their end."""
    require(disks, "disks", ("id", "price_usd_hr", "created_at"))
    alive = _alive(disks, known)
    rows = _rows(alive, "Disk", now)
    rows["gpu"] = pd.Series(index=rows.index, dtype=STRING)
    rows["gpu_count"] = pd.Series(0, index=rows.index, dtype="Int64")
    rows["socket"] = rows["gpu"]
    rows["is_spot"] = pd.Series(index=rows.index, dtype="boolean")
    price = prices(alive, "price_usd_hr").fillna(0.0)
    return _counted(rows, price * hours_between(rows["begin_at"], rows["end_at"]), billings)


def _alive(frame: pd.DataFrame, known: pd.Series) -> pd.DataFrame:
    ids = text(frame, "id")
    # Pages that were read while something changed may tell of one thing twice.
    again = ids.notna() & (ids.duplicated() | ids.isin(known))
    gone = statuses(frame).eq(PodStatus.TERMINATED.value).fillna(False).astype(bool)
    alive: pd.DataFrame = frame[~(again | gone).astype(bool)].reset_index(drop=True)
    return alive


def _rows(alive: pd.DataFrame, kind: str, now: pd.Timestamp) -> pd.DataFrame:
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


def _counted(rows: pd.DataFrame, accrued_usd: pd.Series, billings: pd.DataFrame | None) -> pd.DataFrame:
    """The rows with what they cost: as billed so far where that is told, else as accrued."""
    rows["billed_usd"] = _billed_usd(rows["id"], billings)
    rows["cost_usd"] = rows["billed_usd"].fillna(accrued_usd)
    rows["duration"] = (rows["end_at"] - rows["begin_at"]).astype("timedelta64[us]")
    rows["gpu_hours"] = rows["gpu_count"] * hours_between(rows["begin_at"], rows["end_at"])
    return rows


def _billed_usd(ids: pd.Series, billings: pd.DataFrame | None) -> pd.Series:
    if billings is None:
        return pd.Series(index=ids.index, dtype="Float64")
    require(billings, "billings", ("resource_id", "amount_usd"))
    told = pd.DataFrame({"id": text(billings, "resource_id"), "usd": numbers(billings, "amount_usd")})
    billed: pd.Series = ids.map(told.dropna().groupby("id")["usd"].sum().to_dict()).astype("Float64")
    return billed


def _accrued_usd(pods: pd.DataFrame, now: pd.Timestamp) -> pd.Series:
    """What pods must have cost so far, by the states they are in; as `pods.burn` counts an hour of them."""
    price = prices(pods, "price_usd_hr").fillna(0.0)
    (begin, end), status = lives(pods, now), statuses(pods)
    hours = hours_between(begin, end)
    provisioning = prices(pods, "provisioning_price_usd_hr").fillna(price)
    rate = price.mask(status.eq(PodStatus.PROVISIONING.value).fillna(False), provisioning)
    # When it stopped is not told; but it changed last at ``updated_at``. Without that the dearer rate counts.
    stopped_at = times(pods, "updated_at").fillna(end)
    stopped_hours = hours_between(stopped_at.where(stopped_at > begin, begin), end)
    cheaper = price - prices(pods, "stopped_price_usd_hr").fillna(price)
    saved = (cheaper * stopped_hours).where(status.eq(PodStatus.STOPPED.value).fillna(False), 0.0)
    accrued: pd.Series = rate * hours - saved
    return accrued


def hours_between(begin: pd.Series, end: pd.Series) -> pd.Series:
    """From one to the other; none where a time is missing, or where they are the wrong way round."""
    hours: pd.Series = ((end - begin) / _HOUR).fillna(0.0).clip(lower=0.0).astype("Float64")
    return hours

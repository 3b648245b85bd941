"""The billing history as a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from operator import attrgetter

import pandas as pd

from primepods_magic.api.models import HistoryRow

from .schema import Column, build

__all__ = ["history_frame"]

_HOUR = timedelta(hours=1)


def history_frame(rows: Iterable[HistoryRow], now: datetime | None = None) -> pd.DataFrame:
    """What was rented and what it cost, in the order given.

    Parameters
    ----------
    rows : iterable of HistoryRow
        What the service says about each pod (or disk) that was rented.
    now : datetime, optional
        Up to when rows that have not ended are measured (UTC where it has no zone); without it their
        ``duration`` and ``gpu_hours`` are missing.

    Returns
    -------
    pandas.DataFrame
        ==================================  =======  ==========================================
        ``name, gpu``                       string   GPU type
        ``gpu_count``                       Int64
        ``created_at, terminated_at``       datetime64[us, UTC]
        ``duration``                        timedelta64[us]; as told, negative where clocks differed
        ``gpu_hours``                       Float64  ``gpu_count`` × ``duration`` in hours
        ``price_usd_hr``                    Float64  USD per hour on average, the whole pod
        ``billed_usd``                      Float64  USD in total: the service's ``totalBilledPrice``
        ``provider, team_id, user_id``      string
        ``provisioned_by``                  string   a person's name
        ``id, socket, type``                string
        ==================================  =======  ==========================================

        and after them, as ``object``, single values that the service sends beyond its documentation.

    Examples
    --------
    >>> row = HistoryRow(name="train", gpu_count=8, created_at="2026-09-01T00:00:00Z",
    ...     terminated_at="2026-09-01T03:00:00Z", total_billed_price=56.16)
    >>> history_frame([row])[["gpu_hours", "billed_usd"]].to_dict("records")
    [{'gpu_hours': 24.0, 'billed_usd': 56.16}]
    """
    if now is not None and now.tzinfo is None:
        now = now.replace(tzinfo=timezone.utc)

    def duration(row: HistoryRow) -> timedelta | None:
        end = row.terminated_at or now
        return end - row.created_at if end and row.created_at else None

    def gpu_hours(row: HistoryRow) -> float | None:
        length = duration(row)
        return None if length is None or row.gpu_count is None else row.gpu_count * (length / _HOUR)

    columns: tuple[Column[HistoryRow], ...] = (
        Column("name", "string", attrgetter("name")),
        Column("gpu", "string", attrgetter("gpu_name")),
        Column("gpu_count", "Int64", attrgetter("gpu_count")),
        Column("created_at", "datetime64[us, UTC]", attrgetter("created_at")),
        Column("terminated_at", "datetime64[us, UTC]", attrgetter("terminated_at")),
        Column("duration", "timedelta64[us]", duration),
        Column("gpu_hours", "Float64", gpu_hours),
        Column("price_usd_hr", "Float64", attrgetter("price_hr")),
        Column("billed_usd", "Float64", attrgetter("total_billed_price")),
        Column("provider", "string", attrgetter("provider_type")),
        Column("team_id", "string", attrgetter("team_id")),
        Column("user_id", "string", attrgetter("user_id")),
        Column("provisioned_by", "string", attrgetter("provisioned_by")),
        Column("id", "string", attrgetter("id")),
        Column("socket", "string", attrgetter("socket")),
        Column("type", "string", attrgetter("type")),
    )
    return build(columns, rows)

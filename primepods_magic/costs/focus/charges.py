"""The FOCUS charges of a ledger: one for each thing that costs and day."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from primepods_magic.costs.breakdowns import breakdown
from primepods_magic.costs.coerce import booleans, numbers, times
from primepods_magic.costs.ledgers import as_ledger
from primepods_magic.costs.live_resources import hours_between
from primepods_magic.frames.tables.catalog import document_columns
from primepods_magic.frames.tables.costs import FOCUS
from primepods_magic.frames.tables.schema import STRING, names_of

from .lines import describe_lines

__all__ = ["to_focus"]

_COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
_PRICES = ("ContractedUnitPrice", "ListUnitPrice")


@document_columns("focus")
def to_focus(
    ledger_or_history: pd.DataFrame,
    *,
    since: date | datetime | str | None = None,
    until: date | datetime | str | None = None,
) -> pd.DataFrame:
    """Return the charges of a ledger by the FinOps specification FOCUS, version 1.0, for each day.

    All columns of version 1.0 are there. Of those that 1.1 and 1.2 add, there are the ones that the ledger
    knows: ``BillingAccountType``, ``ServiceSubcategory``, ``SkuMeter``, ``SkuPriceDetails`` and
    ``SubAccountType``. ``x_Estimated`` is a column of our own. Save the frame with `save_frame`, which writes
    times and numbers in a CSV file as the specification wants them.

    A pod, disk or other thing has one row for each day (UTC) of its life. Costs are spread as by `breakdown`,
    so they add up to the ledger, also by month. Rows whose cost is not known are left out.

    The category of a charge is Usage, or what the ledger's ``type`` says: ``Prepaid`` or ``Purchase``,
    ``Credit`` or ``Refund``, ``Adjustment`` or ``Correction``, ``Tax``. Usage and purchases below 0 are
    Credit. Usage without a duration has no quantity, and is Adjustment. The service's own history does not
    tell hours that were paid in advance from hours of use: they are Usage.

    Parameters
    ----------
    ledger_or_history : pandas.DataFrame
        A result of `ledger`, or a history, from which a ledger is built.
    since, until : date, datetime or str, optional
        Count only what lies between them, `until` excluded, in UTC unless they say otherwise. Rows across a
        limit count with the part inside; those without any time are left out. Without limits, these are
        on the last day of the ledger.

    Returns
    -------
    pandas.DataFrame
        A row for each thing and day, by day and then in the order of the ledger.

        {columns}

    Raises
    ------
    ValueError
        A column cannot be read; `since` or `until` is not valid; or there would be more than 4,000,000 rows.

    Examples
    --------
    >>> history = pd.DataFrame({"id": ["p1"], "gpu": ["H100_80GB"], "gpu_count": [2], "billed_usd": [12.0],
    ...     "created_at": ["2026-09-01T22:00:00Z"], "terminated_at": ["2026-09-02T01:00:00Z"]})
    >>> df = to_focus(history)
    >>> df[["ResourceId", "BilledCost", "PricingQuantity", "ListUnitPrice"]].values.tolist()
    [['p1', 8.0, 4.0, 2.0], ['p1', 4.0, 2.0, 2.0]]
    """
    costs = as_ledger(ledger_or_history)
    costs = costs[numbers(costs, "cost_usd").notna()].reset_index(drop=True)
    lines = _measure_lines(costs)
    parts = breakdown(lines, "line", freq="D", since=since, until=until)
    parts = parts.sort_values(["period", "line"], kind="stable", ignore_index=True)
    line = parts["line"].to_numpy(dtype=np.int64)
    data: dict[str, Any] = dict(describe_lines(costs, lines).iloc[line].reset_index(drop=True).items())
    data.update(_bound_periods(parts["period"], costs))
    data.update(dict.fromkeys(_COSTS, parts["cost_usd"]))
    unit = data["PricingUnit"]
    quantity = parts["gpu_hours"].mask(unit.eq("Units").fillna(False), 1.0)
    data["PricingQuantity"] = quantity.where(unit.notna())
    data["ConsumedQuantity"] = quantity.where(data["ConsumedUnit"].notna())
    data.update(dict.fromkeys(_PRICES, data["unit_price_usd"]))
    data["x_Estimated"] = parts["estimated"]
    absent = pd.Series(index=parts.index, dtype=STRING)
    frame: pd.DataFrame = pd.DataFrame({name: data.get(name, absent) for name in names_of(FOCUS)})
    return frame


def _measure_lines(costs: pd.DataFrame) -> pd.DataFrame:
    """Return what `breakdown` needs, with hours of a machine in place of GPU-hours if it has no GPUs."""
    begin, end = times(costs, "begin_at"), times(costs, "end_at")
    gpus = numbers(costs, "gpu_count")
    has_gpus = (gpus > 0).fillna(False)
    count = gpus.where(has_gpus, 1.0)
    measures: pd.DataFrame = pd.DataFrame(
        {
            "begin_at": begin,
            "end_at": end,
            "cost_usd": numbers(costs, "cost_usd"),
            "gpu_count": count,
            "estimated": booleans(costs, "estimated"),
            "line": pd.array(range(len(costs)), dtype="Int64"),
            "has_gpus": has_gpus,
            "quantity": hours_between(begin, end) * count,
        }
    )
    return measures


def _bound_periods(days: pd.Series, costs: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the bounds of days and of their months; rows without any time are on the ledger's last day."""
    if days.isna().any():
        latest = pd.concat([times(costs, "begin_at"), times(costs, "end_at")]).max()
        last = pd.Timestamp.now("UTC") if pd.isna(latest) else latest - pd.Timedelta(1, "us")
        days = days.fillna(last)
    day = days.dt.tz_localize(None).to_numpy(dtype="datetime64[D]")
    month = day.astype("datetime64[M]")
    bounds = {
        "ChargePeriodStart": day,
        "ChargePeriodEnd": day + 1,
        "BillingPeriodStart": month,
        "BillingPeriodEnd": month + 1,
    }
    return {
        name: pd.Series(pd.DatetimeIndex(values.astype("datetime64[us]"), tz="UTC"))
        for name, values in bounds.items()
    }

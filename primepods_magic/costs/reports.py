"""Reports on costs: common questions, each answered by a frame."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np
import pandas as pd

from primepods_magic.api.fields.lenient_types import currency_in
from primepods_magic.api.fields.stock import Stock, read_stock, stock_text_in
from primepods_magic.api.text.time_zones import zone
from primepods_magic.api.validation.bounds import check_count
from primepods_magic.frames.tables.catalog import document_columns
from primepods_magic.frames.tables.costs import MONTH, PRICES, SPOT
from primepods_magic.frames.tables.schema import STRING, TIME, names_of

from .breakdowns import breakdown
from .coerce import is_pod, prices
from .labels import By
from .ledgers import as_ledger
from .live_resources import parse_now
from .periods import period_of

__all__ = ["dearest", "gpu_hour_prices", "last_month", "month", "spot_savings"]

_ALL_WALLETS = "all together"
_MAX_HOURS = 100 * 365.25 * 24


def last_month(
    ledger: pd.DataFrame,
    now: datetime | None = None,
    tz: str = "UTC",
    by: Iterable[By] = ("provisioned_by", "gpu"),
) -> pd.DataFrame:
    """Report what the last calendar month cost, by person and GPU type.

    Parameters
    ----------
    ledger : pandas.DataFrame
        A result of `ledger`, or a history.
    now : datetime, optional
        The report is on the month before this one (UTC if naive).
    tz : str
        Time zone of the calendar.
    by : iterable of str
        The columns to split by.

    Returns
    -------
    pandas.DataFrame
        As returned by `breakdown`: the columns of ``by``, then ``cost_usd, gpu_hours, pods, share,
        estimated, estimated_usd``.

    Examples
    --------
    >>> from primepods_magic.api.models import HistoryRow
    >>> from primepods_magic.frames import history_frame
    >>> from primepods_magic.costs import ledger
    >>> costs = ledger(history_frame([HistoryRow(name="train", gpu_name="H100_80GB", gpu_count=2,
    ...     created_at="2026-09-01T00:00:00Z", terminated_at="2026-09-01T10:00:00Z",
    ...     total_billed_price=50.0, provisioned_by="Ada")]))
    >>> answer = last_month(costs, now=datetime(2026, 10, 5))
    >>> answer[["provisioned_by", "gpu", "cost_usd"]].to_dict("records")
    [{'provisioned_by': 'Ada', 'gpu': 'H100_80GB', 'cost_usd': 50.0}]
    """
    this_month, last = period_of(parse_now(now), "M", zone(tz))
    return breakdown(ledger, tuple(by), since=last, until=this_month, tz=tz)


@document_columns("prices")
def gpu_hour_prices(ledger: pd.DataFrame, offers: pd.DataFrame) -> pd.DataFrame:
    """Compare what a GPU-hour has cost with what it costs today, for each GPU type.

    Parameters
    ----------
    ledger : pandas.DataFrame
        A result of `ledger`, or a history. Only pods count; those of unknown duration are left out of the
        price.
    offers : pandas.DataFrame
        Today's offers, from `offers_frame`. Only on-demand offers in USD that are in stock count.

    Returns
    -------
    pandas.DataFrame
        The GPU type with the highest cost comes first.

        {columns}

    Examples
    --------
    >>> from primepods_magic.api.models import HistoryRow
    >>> from primepods_magic.frames import history_frame
    >>> from primepods_magic.costs import ledger
    >>> costs = ledger(history_frame([HistoryRow(name="train", gpu_name="H100_80GB", gpu_count=2,
    ...     created_at="2026-09-01T00:00:00Z", terminated_at="2026-09-01T10:00:00Z",
    ...     total_billed_price=50.0, provisioned_by="Ada")]))
    >>> offers = pd.DataFrame({"gpu": ["H100_80GB"], "price_gpu_hr": [2.0], "currency": ["USD"],
    ...     "is_spot": [False], "stock": ["High"], "provider": ["nebius"]})
    >>> prices = gpu_hour_prices(costs, offers)
    >>> prices[["gpu", "paid_usd_gpu_hr", "cheapest_usd_gpu_hr", "difference"]].to_dict("records")
    [{'gpu': 'H100_80GB', 'paid_usd_gpu_hr': 2.5, 'cheapest_usd_gpu_hr': 2.0, 'difference': 0.25}]
    """
    spent = _sum_by_gpu(ledger)
    cheapest = _find_cheapest(offers, is_spot=False).reindex(spent["gpu"]).reset_index(drop=True)
    spent["cheapest_usd_gpu_hr"] = cheapest["price_gpu_hr"].astype("Float64")
    spent["cheapest_provider"] = cheapest["provider"].astype(STRING)
    spent["difference"] = _divide_positive(spent["paid_usd_gpu_hr"], spent["cheapest_usd_gpu_hr"]) - 1.0
    prices: pd.DataFrame = spent[names_of(PRICES)]
    return prices


@document_columns("spot")
def spot_savings(ledger: pd.DataFrame, offers: pd.DataFrame) -> pd.DataFrame:
    """Compute what the same GPU-hours would cost at today's spot prices, for each GPU type.

    The history does not say which pods were spot; this is known only of pods that were seen live. So
    ``spot_gpu_hours`` is a lower limit and the saving an upper one. Interruptions cost, too.

    Parameters
    ----------
    ledger : pandas.DataFrame
        A result of `ledger`, or a history.
    offers : pandas.DataFrame
        Today's offers, from `offers_frame`. Only offers in USD that are in stock count.

    Returns
    -------
    pandas.DataFrame
        The GPU type with the highest saving comes first.

        {columns}

    Examples
    --------
    >>> from primepods_magic.api.models import HistoryRow
    >>> from primepods_magic.frames import history_frame
    >>> from primepods_magic.costs import ledger
    >>> costs = ledger(history_frame([HistoryRow(name="train", gpu_name="H100_80GB", gpu_count=2,
    ...     created_at="2026-09-01T00:00:00Z", terminated_at="2026-09-01T10:00:00Z",
    ...     total_billed_price=50.0, provisioned_by="Ada")]))
    >>> offers = pd.DataFrame({"gpu": ["H100_80GB"], "price_gpu_hr": [1.0], "currency": ["USD"],
    ...     "is_spot": [True], "stock": ["High"], "provider": ["runpod"]})
    >>> savings = spot_savings(costs, offers)
    >>> savings[["gpu", "cost_usd", "spot_cost_usd", "saving_usd"]].to_dict("records")
    [{'gpu': 'H100_80GB', 'cost_usd': 50.0, 'spot_cost_usd': 20.0, 'saving_usd': 30.0}]
    """
    spent = _sum_by_gpu(ledger)
    for name, is_spot in (("on_demand_usd_gpu_hr", False), ("spot_usd_gpu_hr", True)):
        prices = _find_cheapest(offers, is_spot)["price_gpu_hr"].reindex(spent["gpu"])
        spent[name] = prices.reset_index(drop=True).astype("Float64")
    spent["spot_cost_usd"] = spent["gpu_hours"] * spent["spot_usd_gpu_hr"]
    spent["saving_usd"] = spent["cost_usd"] - spent["spot_cost_usd"]
    ranked: pd.DataFrame = spent.sort_values("saving_usd", ascending=False, na_position="last", kind="stable")
    savings: pd.DataFrame = ranked[names_of(SPOT)].reset_index(drop=True)
    return savings


@document_columns("month")
def month(wallets: pd.DataFrame, now: datetime | None = None) -> pd.DataFrame:
    """Project the cost of this month (UTC) by its end at the current rate, and how long the balance lasts.

    Parameters
    ----------
    wallets : pandas.DataFrame
        From `overview_frame`.
    now : datetime, optional
        Time of that frame (UTC if naive).

    Returns
    -------
    pandas.DataFrame
        A row for each wallet and, if there are several, one for ``all together``, with the ``hours_left``
        and ``empty_at`` of the first to be empty: wallets do not share balances.

        {columns}

    Examples
    --------
    >>> wallets = pd.DataFrame({"wallet": ["mine"], "burn_usd_hr": [2.0], "month_usd": [100.0],
    ...     "balance_usd": [24.0], "hours_left": [12.0]})
    >>> month(wallets, now=datetime(2026, 9, 30))[["wallet", "month_end_usd"]].to_dict("records")
    [{'wallet': 'mine', 'month_end_usd': 148.0}]
    """
    moment = parse_now(now)
    next_first = moment.normalize().replace(day=1) + pd.DateOffset(months=1)
    hours_to_go = (next_first - moment) / pd.Timedelta(hours=1)
    amounts = "burn_usd_hr month_usd balance_usd hours_left".split()
    lines = wallets[["wallet", *amounts]].astype({"wallet": STRING, **dict.fromkeys(amounts, "Float64")})
    if len(lines) > 1:
        together = {name: [lines[name].sum(min_count=1)] for name in amounts[:3]}
        last = pd.DataFrame({"wallet": [_ALL_WALLETS], **together, "hours_left": [lines["hours_left"].min()]})
        lines = pd.concat([lines, last.astype(lines.dtypes.to_dict())], ignore_index=True)
    lines["month_end_usd"] = lines["month_usd"] + lines["burn_usd_hr"].fillna(0.0) * hours_to_go
    lines["empty_at"] = _add_hours(moment, lines["hours_left"])
    answer: pd.DataFrame = lines[names_of(MONTH)].reset_index(drop=True)
    return answer


def dearest(ledger: pd.DataFrame, n: int = 10) -> pd.DataFrame:
    """Return the most expensive pods.

    Parameters
    ----------
    ledger : pandas.DataFrame
        A result of `ledger`, or a history.
    n : int
        Number of pods.

    Returns
    -------
    pandas.DataFrame
        ``name, gpu, gpu_count, cost_usd, gpu_hours, provider, provisioned_by, team, begin_at, end_at, state,
        estimated, id``, the most expensive first.

    Raises
    ------
    InvalidRequest
        ``n`` is below 1.

    Examples
    --------
    >>> from primepods_magic.api.models import HistoryRow
    >>> from primepods_magic.frames import history_frame
    >>> from primepods_magic.costs import ledger
    >>> costs = ledger(history_frame([HistoryRow(name="train", gpu_name="H100_80GB", gpu_count=2,
    ...     created_at="2026-09-01T00:00:00Z", terminated_at="2026-09-01T10:00:00Z",
    ...     total_billed_price=50.0, provisioned_by="Ada")]))
    >>> dearest(costs)[["name", "cost_usd"]].to_dict("records")
    [{'name': 'train', 'cost_usd': 50.0}]
    """
    check_count("n", n)
    names = """name gpu gpu_count cost_usd gpu_hours provider provisioned_by team begin_at end_at state
        estimated id"""
    costs = as_ledger(ledger)
    pods = costs[is_pod(costs)].sort_values("cost_usd", ascending=False, na_position="last", kind="stable")
    answer: pd.DataFrame = pods[names.split()].head(n).reset_index(drop=True)
    return answer


def _sum_by_gpu(ledger: pd.DataFrame) -> pd.DataFrame:
    """Sum what was spent on pods of each GPU type, highest first."""
    costs = as_ledger(ledger)
    pods = costs[is_pod(costs) & costs["gpu"].notna()]
    hours, usd = (pods[name].astype("Float64") for name in ("gpu_hours", "cost_usd"))
    hours = hours.where((hours > 0).fillna(False))
    # Only pods with both count: a cost without hours would raise the price, hours without a cost lower it.
    is_priced = hours.notna() & usd.notna()
    parts = {
        "gpu": pods["gpu"].astype(STRING),
        "gpu_hours": hours,
        "cost_usd": usd,
        "spot_gpu_hours": hours.where(pods["is_spot"].astype("boolean").fillna(False)),
        "priced_hours": hours.where(is_priced),
        "priced_usd": usd.where(is_priced),
    }
    sums = pd.DataFrame(parts).groupby("gpu").sum().reset_index()
    sums["paid_usd_gpu_hr"] = _divide_positive(sums["priced_usd"], sums["priced_hours"])
    ranked: pd.DataFrame = sums.sort_values("cost_usd", ascending=False, kind="stable", ignore_index=True)
    return ranked


def _find_cheapest(offers: pd.DataFrame, is_spot: bool) -> pd.DataFrame:
    """Find the cheapest available offer in USD of each GPU type."""
    currency, stock = offers["currency"].map(currency_in), offers["stock"].map(stock_text_in).map(read_stock)
    is_priced = prices(offers, "price_gpu_hr").gt(0.0).fillna(False)
    fits = currency.fillna("USD").eq("USD") & stock.ne(Stock.OUT) & is_priced
    fits &= offers["gpu"].notna() & (offers["is_spot"].astype("boolean").fillna(False) == is_spot)
    ranked = offers[fits].sort_values("price_gpu_hr", kind="stable").astype({"gpu": STRING})
    firsts = ranked.drop_duplicates("gpu").set_index("gpu")
    cheapest: pd.DataFrame = firsts[["price_gpu_hr", "provider"]]
    return cheapest


def _divide_positive(amount: pd.Series, of: pd.Series) -> pd.Series:
    ratio: pd.Series = amount / of.where((of > 0).fillna(False))
    return ratio


def _add_hours(moment: pd.Timestamp, hours: pd.Series) -> pd.Series:
    """Add hours to a time; missing if the result is more than a century away."""
    counts = hours.where((hours < _MAX_HOURS).fillna(False)).to_numpy(dtype=float, na_value=np.nan)
    waits = pd.Series(pd.to_timedelta(counts * 3600.0, unit="s").round("us"))
    times: pd.Series = (moment + waits).astype(TIME)
    return times

"""Resources that were paid for and probably not used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from primepods_magic.api.disks import Disk
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.instants import duration
from primepods_magic.api.text.money import format_about, format_usd_hr
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.validation.bounds import check_amount
from primepods_magic.frames.rendering.formatting import is_missing
from primepods_magic.frames.tables.catalog import document_columns
from primepods_magic.frames.tables.costs import WASTE
from primepods_magic.frames.tables.schema import SPAN, STRING
from primepods_magic.pods.support.rates import accrued_usd, get_rate_usd_hr

from .coerce import column_of, is_pod, life_spans, numbers, require, statuses, text
from .ledgers import as_ledger
from .live_resources import parse_now, read_disks, read_pods, to_dollars

__all__ = ["waste"]

_DTYPES: dict[str, Any] = {
    column.name: STRING if column.dtype == "string" else column.dtype for column in WASTE
}
_MIN_IDLE_SHARE = 0.5
_ENDING = ("DELETING", "TERMINATED")


@document_columns("waste")
def waste(
    ledger: pd.DataFrame,
    *,
    pods: pd.DataFrame | None = None,
    disks: pd.DataFrame | None = None,
    cells: pd.DataFrame | None = None,
    now: datetime | None = None,
    never_ready_min: float = 30,
    short_min: float = 10,
    forgotten_days: float = 3,
    idle_min: float = 60,
) -> pd.DataFrame:
    """Find what was paid for and probably not used.

    Only a person can decide whether it was: these are candidates for a check.

    Parameters
    ----------
    ledger : pandas.DataFrame
        A result of `ledger`, or a history.
    pods, disks : pandas.DataFrame, optional
        Live resources, from `pods_frame` and `disks_frame`.
    cells : pandas.DataFrame, optional
        Cells that ran on pods, from ``%pods cells``. Pods without any are not searched for idle times.
    now : datetime, optional
        Time of those frames (UTC if naive).
    never_ready_min : float
        Minutes that a pod may take to become ready.
    short_min : float
        A pod that ended within this many minutes was probably never used.
    forgotten_days : float
        A pod that runs for this many days has probably been forgotten.
    idle_min : float
        A pod on which nothing ran between cells for this many minutes, and for at least half of the time, was
        probably idle.

    Returns
    -------
    pandas.DataFrame
        A row for each resource with the first reason that applies, the most expensive first: *failed, and
        billed*; *never ready*; *stopped, and billed*; *ended within minutes*; *idle between cells*; *ran for
        days*; and for disks *attached to nothing*.

        {columns}

    Examples
    --------
    >>> from primepods_magic.api.models import HistoryRow
    >>> from primepods_magic.frames import history_frame
    >>> from primepods_magic.costs import ledger
    >>> costs = ledger(history_frame([HistoryRow(name="train", gpu_count=8, type="Instance",
    ...     created_at="2026-09-01T00:00:00Z", terminated_at="2026-09-01T00:06:00Z",
    ...     total_billed_price=2.0)]))
    >>> waste(costs)[["name", "reason", "cost_usd", "detail"]].to_dict("records")
    [{'name': 'train', 'reason': 'ended within minutes', 'cost_usd': 2.0, 'detail': 'ended after 6 min'}]
    """
    limits = {"never_ready_min": never_ready_min, "short_min": short_min, "idle_min": idle_min}
    for name, limit in {**limits, "forgotten_days": forgotten_days}.items():
        check_amount(name, limit)
    moment = parse_now(now)
    ledger = as_ledger(ledger, now)
    parts = [_find_short_pods(ledger, short_min), _find_long_pods(ledger, forgotten_days)]
    if cells is not None:
        parts.insert(1, _find_idle_pods(ledger, cells, idle_min))
    if disks is not None:
        disks = _add_costs(disks, read_disks(disks, moment), ledger, moment)
        parts = [_find_unused_disks(disks), *parts]
    if pods is not None:
        pods = _add_costs(pods, read_pods(pods, moment), ledger, moment)
        parts = [*_find_unused_pods(pods, never_ready_min), *parts]
    lines = pd.concat(parts, ignore_index=True)
    # Rows without an id may be different resources.
    lines = lines[lines["id"].isna() | ~lines["id"].duplicated()]
    ranked = lines.sort_values("cost_usd", ascending=False, na_position="last", kind="stable")
    answer: pd.DataFrame = ranked.reset_index(drop=True)
    return answer


def _find_unused_pods(pods: pd.DataFrame, never_ready_min: float) -> Iterable[pd.DataFrame]:
    status, installation = pods["status"].fillna(""), pods["installation_status"].astype("string").fillna("")
    is_live = ~status.isin(_ENDING) & ~pods["is_over"]
    has_failed = is_live & ((status == "ERROR") | installation.isin(["FAILED", "TERMINATED"]))
    yield _build_lines(pods, has_failed, "failed, and billed", map(_describe_failure, *_select_texts(pods)))

    is_ready = (status == "ACTIVE") & installation.isin(["COMPLETE", ""])
    is_slow = (pods["age"] > pd.Timedelta(minutes=never_ready_min)).fillna(False)
    waits = is_live & ~has_failed & ~is_ready & (status != "STOPPED") & is_slow
    ages = (f"{_format_length(age)} old, {status}" for age, status in zip(pods["age"], status, strict=True))
    yield _build_lines(pods, waits, "never ready", ages)

    is_stopped = is_live & (status == "STOPPED") & ~has_failed & (pods["rate"] > 0).fillna(False)
    rates = (f"{format_usd_hr(rate)} while stopped" for rate in pods["rate"])
    yield _build_lines(pods, is_stopped, "stopped, and billed", rates)


def _find_unused_disks(disks: pd.DataFrame) -> pd.DataFrame:
    is_alone = disks["pods"].isna() & ~disks["status"].fillna("").isin(_ENDING) & ~disks["is_over"]
    rates = map(format_usd_hr, disks["rate"])
    return _build_lines(disks, is_alone, "attached to nothing", rates)


def _find_short_pods(ledger: pd.DataFrame, short_min: float) -> pd.DataFrame:
    length = ledger["end_at"] - ledger["begin_at"]
    is_short = (length <= pd.Timedelta(minutes=short_min)) & (length >= pd.Timedelta(0))
    is_over = (ledger["state"] == "closed").fillna(False)
    fits = is_pod(ledger) & is_over & is_short & (ledger["cost_usd"] > 0).fillna(False)
    return _build_lines(
        ledger, fits, "ended within minutes", (f"ended after {_format_length(each)}" for each in length)
    )


def _find_long_pods(ledger: pd.DataFrame, forgotten_days: float) -> pd.DataFrame:
    length = ledger["end_at"] - ledger["begin_at"]
    fits = is_pod(ledger) & (length >= pd.Timedelta(days=forgotten_days))
    is_over = (ledger["state"] == "closed").fillna(False)
    details = (
        f"ran {'' if was else 'on '}for {_format_length(each)}"
        for was, each in zip(is_over, length, strict=True)
    )
    return _build_lines(ledger, fits, "ran for days", details)


def _find_idle_pods(ledger: pd.DataFrame, cells: pd.DataFrame, idle_min: float) -> pd.DataFrame:
    """Find the pods that were idle before their cells for longer than these ran, as far as is recorded."""
    require(cells, "cells", ("pod_id", "duration", "idle"))
    length, idle = column_of(cells, "duration", SPAN), column_of(cells, "idle", SPAN)
    use = numbers(cells, "gpu_mean_pct")
    known = length.where(use.notna())
    times = pd.DataFrame(
        {
            "length": length,
            "idle": idle,
            "known": known,
            "used": known.dt.total_seconds() * use.astype(float),
            "idle_usd": numbers(cells, "idle_usd"),
        }
    )
    sums = times.groupby(text(cells, "pod_id")).sum(min_count=1).reindex(ledger["id"])
    sums.index = ledger.index
    total = sums["idle"] + sums["length"]
    fits = is_pod(ledger) & (sums["idle"] >= pd.Timedelta(minutes=idle_min))
    fits &= sums["idle"] >= total * _MIN_IDLE_SHARE
    details = (
        _describe_idleness(*each)
        for each in zip(
            sums["idle"],
            total,
            sums["idle_usd"],
            sums["used"] / sums["known"].dt.total_seconds(),
            strict=True,
        )
    )
    return _build_lines(ledger, fits, "idle between cells", details)


def _describe_idleness(idle: pd.Timedelta, total: pd.Timedelta, usd: float, use_pct: float) -> str:
    parts = [f"{_format_length(idle)} of {_format_length(total)} idle"]
    parts += [] if is_missing(usd) else [format_about(usd)]
    parts += [] if is_missing(use_pct) else [f"GPU mean {use_pct:.0f} %"]
    return ", ".join(parts)


def _add_costs(
    frame: pd.DataFrame, things: Sequence[PodDetails | Disk], ledger: pd.DataFrame, now: pd.Timestamp
) -> pd.DataFrame:
    """Add the age of what lives, its hourly rate, and its cost: the ledger's, else what accrued."""
    begin, end = life_spans(frame, now)
    age = (end - begin).astype("timedelta64[us]")
    rate = to_dollars(list(map(get_rate_usd_hr, things)), frame.index)
    accrued = to_dollars([accrued_usd(thing, now.to_pydatetime()) for thing in things], frame.index)
    known = ledger.dropna(subset=["id"]).drop_duplicates("id", keep="last").set_index("id")["cost_usd"]
    cost = frame["id"].map(known).astype("Float64").fillna(accrued.where(age.notna()))
    status = statuses(frame)
    costed: pd.DataFrame = frame.assign(
        status=status, age=age, rate=rate, cost_usd=cost, begin_at=begin, is_over=end < now
    )
    return costed


def _select_texts(pods: pd.DataFrame) -> Sequence[pd.Series]:
    return [pods[name] for name in ("status", "installation_status", "installation_failure")]


def _describe_failure(status: object, installation: object, failure: object) -> str:
    if status == "ERROR":
        return "ERROR"
    return f"installation {installation}" + ("" if is_missing(failure) else f": {sanitize(failure)}")


def _format_length(length: pd.Timedelta) -> str:
    return "" if pd.isna(length) else duration(length.to_pytimedelta())


def _build_lines(things: pd.DataFrame, fits: pd.Series, reason: str, details: Iterable[str]) -> pd.DataFrame:
    frame = things[["name", "cost_usd", "id"]].assign(
        reason=reason, since_at=things["begin_at"], detail=list(details)
    )
    lines: pd.DataFrame = frame.loc[fits.to_numpy(dtype=bool), list(_DTYPES)].astype(_DTYPES)
    return lines

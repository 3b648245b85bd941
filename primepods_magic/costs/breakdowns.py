"""Costs by period and by columns or labels."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timezone, tzinfo
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primepods_magic.api.text.time_zones import zone
from primepods_magic.frames.tables.catalog import document_columns

from .coerce import booleans, is_pod, numbers, times
from .groups import COUNTED, LineGroups, group_lines
from .labels import By
from .ledgers import as_ledger
from .periods import edges, instant_us, parse_frequency
from .proration import Cells, CostLines, spread

__all__ = ["breakdown"]

Ints = NDArray[np.int64]

_NO_TIME = np.iinfo(np.int64).min
# Lines without a time go into a period of their own, after all others.
_UNDATED = np.iinfo(np.int64).max - 1
_MAX_ROWS = 4_000_000


@document_columns("costs", COUNTED)
def breakdown(
    ledger_or_history: pd.DataFrame,
    by: By | Iterable[By] = (),
    *,
    freq: str | None = None,
    since: date | datetime | str | None = None,
    until: date | datetime | str | None = None,
    tz: str | tzinfo = "UTC",
) -> pd.DataFrame:
    """Split costs by period, and by columns or labels, so that the parts add up to the total.

    The cost and GPU-hours of every line are spread evenly over its life. A line of no length, or with only
    one of its times, counts whole at that instant.

    Parameters
    ----------
    ledger_or_history : pandas.DataFrame
        A result of `ledger`, or a history, from which a ledger is built.
    by : str, label or sequence of them, optional
        Columns, or labels by `pattern` and `mapping`.
    freq : str, optional
        ``H``, ``D``, ``W`` (from Monday), ``M`` or ``Q``: hours, days, weeks, months or quarters of `tz`.
    since, until : date, datetime or str, optional
        Count only what lies between them, `until` excluded. Times without a zone are in `tz`. Lines across
        a limit count with the part inside; those without any time are left out.
    tz : str or tzinfo, optional
        The time zone of the calendar, such as ``Europe/Berlin``.

    Returns
    -------
    pandas.DataFrame
        A row for each period and group with lines, by period and then most expensive first. ``period`` is
        there with `freq`; the columns of `by` follow it.

        {columns}

    Raises
    ------
    ValueError
        A column is missing; `by`, `freq`, `since`, `until` or `tz` is not valid; or there would be more
        than 4,000,000 rows.

    Examples
    --------
    >>> history = pd.DataFrame({"gpu": ["H100_80GB"], "gpu_count": [2], "billed_usd": [12.0],
    ...     "created_at": ["2026-09-01T22:00:00Z"], "terminated_at": ["2026-09-02T01:00:00Z"]})
    >>> breakdown(history, "gpu", freq="D")[["gpu", "cost_usd", "gpu_hours"]].values.tolist()
    [['H100_80GB', 8.0, 4.0], ['H100_80GB', 4.0, 2.0]]
    """
    in_tz = zone(tz)
    letter = None if freq is None else parse_frequency(freq)
    within = _parse_limits(since, until, in_tz)
    frame = as_ledger(ledger_or_history)
    groups = group_lines(frame, by)
    lines = _read_lines(frame, groups.codes)
    at = _compute_edges(lines, letter, in_tz, within)
    _refuse_too_many(lines, at, groups.count)
    return _build_table(spread(lines, at, groups.count, within), groups, at, letter is not None, in_tz)


def _parse_limits(since: Any, until: Any, tz: tzinfo) -> tuple[int, int] | None:
    if since is None and until is None:
        return None
    begin = _NO_TIME + 1 if since is None else instant_us(since, tz, "since")
    end = _UNDATED if until is None else instant_us(until, tz, "until")
    if begin > end:
        raise ValueError(f"since={since!r} is later than until={until!r}")
    return begin, end


def _read_lines(frame: pd.DataFrame, codes: Ints) -> CostLines:
    begin, end = _to_us(times(frame, "begin_at")), _to_us(times(frame, "end_at"))
    # Lines of no length get one microsecond, which no edge can cut.
    at = np.where(begin == _NO_TIME, end, begin)
    at[at == _NO_TIME] = _UNDATED
    lasts = (begin != _NO_TIME) & (end > begin)
    usd = numbers(frame, "cost_usd")
    gpus = numbers(frame, "gpu_count").to_numpy(dtype=float, na_value=0.0)
    return CostLines(
        at,
        np.where(lasts, end, at + 1),
        usd.to_numpy(dtype=float, na_value=0.0),
        np.where(lasts, gpus, 0.0),
        codes,
        booleans(frame, "estimated").to_numpy(dtype=bool, na_value=False),
        is_pod(frame).to_numpy(dtype=bool),
        usd.isna().to_numpy(dtype=bool),
    )


def _to_us(values: pd.Series) -> Ints:
    return values.to_numpy(dtype="datetime64[us]").view(np.int64)


def _compute_edges(lines: CostLines, freq: str | None, tz: tzinfo, within: tuple[int, int] | None) -> Ints:
    if freq is None:
        return np.array([_NO_TIME, _UNDATED + 1], dtype=np.int64)
    behind = np.array([_UNDATED, _UNDATED + 1], dtype=np.int64)
    dated = lines.begin < _UNDATED
    if within is not None:
        dated &= (lines.begin < within[1]) & (lines.end > within[0])
    if not dated.any():
        return behind
    begin, end = int(lines.begin[dated].min()), int(lines.end[dated].max())
    if within is not None:
        begin, end = max(begin, within[0]), min(end, within[1])
    period_edges = edges(freq, tz, begin, end)
    return period_edges if dated.all() or within is not None else np.concatenate([period_edges, behind])


def _refuse_too_many(lines: CostLines, at: Ints, groups: int) -> None:
    """Raise if the table could have more rows than fit into memory, as with a mistaken date."""
    rows = (len(at) - 1) * groups
    if rows > _MAX_ROWS:
        periods = np.searchsorted(at, lines.end, "left") - np.searchsorted(at, lines.begin, "right") + 1
        rows = min(rows, int(periods.clip(0).sum()))
    if rows > _MAX_ROWS:
        raise ValueError(
            f"the breakdown would have up to {rows:,} rows; at most {_MAX_ROWS:,} are possible. "
            "Use a longer freq, a shorter time (since, until), or fewer groups"
        )


def _build_table(cells: Cells, groups: LineGroups, at: Ints, has_periods: bool, tz: tzinfo) -> pd.DataFrame:
    order = np.lexsort([*reversed(groups.ranks(cells.group)), -cells.cost_usd, cells.period])
    data: dict[str, Any] = {}
    if has_periods:
        data["period"] = _to_timestamps(at[cells.period[order]], tz)
    data.update(groups.columns(cells.group[order]))
    total = cells.total_usd[order]
    cost_usd = cells.cost_usd[order]
    share = pd.array(np.divide(cost_usd, total, out=np.zeros_like(total), where=total != 0), dtype="Float64")
    share[(total == 0) | cells.is_unknown[order]] = pd.NA
    data["cost_usd"] = pd.array(cost_usd, dtype="Float64")
    data["cost_usd"][cells.is_unknown[order]] = pd.NA
    data["gpu_hours"] = pd.array(cells.gpu_hours[order], dtype="Float64")
    data["pods"] = pd.array(cells.pods[order], dtype="Int64")
    data["share"] = share
    data["estimated"] = pd.array(cells.estimated[order], dtype="boolean")
    data["estimated_usd"] = pd.array(cells.estimated_usd[order], dtype="Float64")
    frame: pd.DataFrame = pd.DataFrame(data)
    return frame


def _to_timestamps(us: Ints, tz: tzinfo) -> pd.DatetimeIndex:
    missing = us == _UNDATED
    naive = np.where(missing, _NO_TIME, us).view("M8[us]")
    stamps: pd.DatetimeIndex = pd.DatetimeIndex(naive).tz_localize(timezone.utc)
    return stamps if tz is timezone.utc else stamps.tz_convert(tz)

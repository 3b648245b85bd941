"""Running totals, and comparison with the previous period."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primepods_magic.frames.tables.catalog import document_columns
from primepods_magic.frames.tables.costs import COSTS
from primepods_magic.frames.tables.schema import names_of

from .coerce import numbers, require
from .groups import Ints, LineGroups, group_lines
from .periods import edges, parse_frequency

__all__ = ["compared", "running"]

_NOTHING = {
    "cost_usd": 0.0,
    "gpu_hours": 0.0,
    "pods": 0,
    "share": 0.0,
    "estimated": False,
    "estimated_usd": 0.0,
}
_NO_TIME = np.iinfo(np.int64).min


def running(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the running total of each group at the end of each period.

    Parameters
    ----------
    frame : pandas.DataFrame
        A result of `breakdown` with a ``freq``.

    Returns
    -------
    pandas.DataFrame
        The same rows with ``running_usd`` (Float64, USD), missing if the period is missing.

    Raises
    ------
    ValueError
        There is no ``period``.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-09-01", "2026-09-02"], utc=True)
    >>> running(pd.DataFrame({"period": days, "cost_usd": [8.0, 4.0]}))["running_usd"].tolist()
    [8.0, 12.0]
    """
    period, groups = _read_periods(frame)
    cost = numbers(frame, "cost_usd").to_numpy(dtype=float, na_value=0.0)
    order = np.argsort(period, kind="stable")
    order = order[period[order] != _NO_TIME]
    sums = pd.Series(cost[order]).groupby(groups.codes[order]).cumsum()
    added = pd.Series(pd.NA, index=frame.index, dtype="Float64")
    added.iloc[order] = sums.to_numpy()
    answer: pd.DataFrame = frame.assign(running_usd=added)
    return answer


@document_columns("costs", "previous_usd change_usd change")
def compared(frame: pd.DataFrame, freq: str) -> pd.DataFrame:
    """Add what the same group cost in the previous calendar period.

    Parameters
    ----------
    frame : pandas.DataFrame
        A result of `breakdown` with a ``freq``.
    freq : str
        The ``freq`` of that breakdown.

    Returns
    -------
    pandas.DataFrame
        The same rows, and rows of no cost for groups that cost something only in the previous period, so
        that the changes add up to that of the total; with

        {columns}

    Raises
    ------
    ValueError
        There is no ``period``, or the periods are not those of `freq`.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-09-01", "2026-09-02"], utc=True)
    >>> compared(pd.DataFrame({"period": days, "cost_usd": [8.0, 4.0]}), "D")["change"].tolist()
    [<NA>, -0.5]
    """
    letter = parse_frequency(freq)
    frame = _add_ended_groups(frame, letter)
    period, groups = _read_periods(frame)
    cost = numbers(frame, "cost_usd")
    number = _number_periods(period, letter, frame["period"])
    previous = _find_previous(number, groups.codes, cost.to_numpy(dtype=float, na_value=0.0), groups.count)
    # The first period, and a line without a time, have no previous period.
    before = pd.Series(pd.array(previous, dtype="Float64"), index=frame.index).mask(number <= 0, pd.NA)
    change = cost - before
    fraction = change / before.mask(before == 0, pd.NA)
    answer: pd.DataFrame = frame.assign(previous_usd=before, change_usd=change, change=fraction)
    return answer


def _add_ended_groups(frame: pd.DataFrame, freq: str) -> pd.DataFrame:
    """Add rows of no cost for groups in the period after their last."""
    period, groups = _read_periods(frame)
    number = _number_periods(period, freq, frame["period"])
    dated = np.flatnonzero(number >= 0)
    # The last row of a group in a period stands for it.
    row_of = dict(zip((number[dated] * groups.count + groups.codes[dated]).tolist(), dated, strict=True))
    last = int(number.max(initial=-1))
    ended = [
        (row, cell // groups.count + 1)
        for cell, row in row_of.items()
        if cell // groups.count < last and cell + groups.count not in row_of
    ]
    if not ended:
        return frame
    starts = edges(freq, frame["period"].dt.tz, int(period[dated].min()), int(period.max()) + 1)
    added = frame.iloc[[row for row, _ in ended]].copy()
    stamps = pd.DatetimeIndex(starts[[number for _, number in ended]].view("M8[us]"), tz="UTC")
    added["period"] = stamps.tz_convert(frame["period"].dt.tz)
    for name, nothing in _NOTHING.items():
        if name in added:
            added[name] = pd.array([nothing] * len(added), dtype=added[name].dtype)
    whole: pd.DataFrame = pd.concat([frame, added]).sort_values("period", kind="stable", ignore_index=True)
    return whole


def _read_periods(frame: pd.DataFrame) -> tuple[Ints, LineGroups]:
    """Return the periods as microseconds, and the groups."""
    require(frame, "frame", ("period", "cost_usd"))
    if not isinstance(frame["period"].dtype, pd.DatetimeTZDtype):
        raise ValueError(f"period must hold times with a zone, not {frame['period'].dtype}")
    period = frame["period"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    by = [name for name in frame.columns if name not in names_of(COSTS)]
    return period.view(np.int64), group_lines(frame, by)


def _number_periods(period: Ints, freq: str, times: pd.Series) -> Ints:
    """Return the number of each period, counted from the first one; -1 if it is missing."""
    period_numbers = np.full(len(period), -1, dtype=np.int64)
    dated = period != _NO_TIME
    if not dated.any():
        return period_numbers
    at = edges(freq, times.dt.tz, int(period[dated].min()), int(period.max()) + 1)
    period_numbers[dated] = np.searchsorted(at, period[dated])
    wrong = np.flatnonzero(dated)[at[period_numbers[dated]] != period[dated]]
    if len(wrong):
        raise ValueError(f"no period of freq={freq!r} begins at {times.iloc[wrong[0]]}")
    return period_numbers


def _find_previous(number: Ints, group: Ints, cost: NDArray[np.float64], groups: int) -> NDArray[np.float64]:
    """Return what the same group cost one period before."""
    cells = number * groups + group
    keys, codes = np.unique(cells, return_inverse=True)
    sums = np.bincount(codes.reshape(-1), cost, len(keys))
    found = np.searchsorted(keys, cells - groups)
    is_there = (found < len(keys)) & (keys[np.minimum(found, len(keys) - 1)] == cells - groups)
    return np.where(is_there, sums[np.minimum(found, len(keys) - 1)], 0.0)

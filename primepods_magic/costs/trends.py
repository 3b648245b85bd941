"""Costs along time: what they have come to, and how they compare with the period before."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .coerce import numbers, require
from .groups import COUNTED, Ints, LineGroups, grouped
from .periods import edges, frequency

__all__ = ["compared", "running"]

_ADDED = ("running_usd", "previous_usd", "change_usd", "change")
_NOTHING = {"cost_usd": 0.0, "gpu_hours": 0.0, "pods": 0, "share": 0.0, "estimated": False}
_NO_TIME = np.iinfo(np.int64).min


def running(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what each group has cost up to the end of each period.

    Parameters
    ----------
    frame : pandas.DataFrame
        What `breakdown` answers with for a ``freq``.

    Returns
    -------
    pandas.DataFrame
        The same rows, and ``running_usd`` (Float64, USD); missing where the period is.

    Raises
    ------
    ValueError
        Where there is no ``period``.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-09-01", "2026-09-02"], utc=True)
    >>> running(pd.DataFrame({"period": days, "cost_usd": [8.0, 4.0]}))["running_usd"].tolist()
    [8.0, 12.0]
    """
    period, groups = _read(frame)
    cost = numbers(frame, "cost_usd").to_numpy(dtype=float, na_value=0.0)
    order = np.argsort(period, kind="stable")
    order = order[period[order] != _NO_TIME]
    sums = pd.Series(cost[order]).groupby(groups.codes[order]).cumsum()
    added = pd.Series(pd.NA, index=frame.index, dtype="Float64")
    added.iloc[order] = sums.to_numpy()
    answer: pd.DataFrame = frame.assign(running_usd=added)
    return answer


def compared(frame: pd.DataFrame, freq: str) -> pd.DataFrame:
    """Add what the same group cost in the period before, by the calendar.

    Parameters
    ----------
    frame : pandas.DataFrame
        What `breakdown` answers with for a ``freq``.
    freq : str
        The same ``freq``.

    Returns
    -------
    pandas.DataFrame
        The same rows and, for what had a cost in the period before and has none any more, rows of no cost;
        so the changes add up to that of the total. With them

        ================  =======  ==================================================================
        ``previous_usd``  Float64  USD in the period before; 0 where the group had nothing then, missing
                                   in the first period of the frame
        ``change_usd``    Float64  USD more than then
        ``change``        Float64  the same as a fraction of ``previous_usd``; missing where that is 0
        ================  =======  ==================================================================

    Raises
    ------
    ValueError
        Where there is no ``period``, or the periods are not such as begin with `freq`.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-09-01", "2026-09-02"], utc=True)
    >>> compared(pd.DataFrame({"period": days, "cost_usd": [8.0, 4.0]}), "D")["change"].tolist()
    [<NA>, -0.5]
    """
    letter = frequency(freq)
    frame = _with_what_ended(frame, letter)
    period, groups = _read(frame)
    cost = numbers(frame, "cost_usd")
    place = _places(period, letter, frame["period"])
    previous = _previous(place, groups.codes, cost.to_numpy(dtype=float, na_value=0.0), groups.count)
    # Neither the first period nor a line without a time has one before it.
    before = pd.Series(pd.array(previous, dtype="Float64"), index=frame.index).mask(place <= 0, pd.NA)
    change = cost - before
    fraction = change / before.mask(before == 0, pd.NA)
    answer: pd.DataFrame = frame.assign(previous_usd=before, change_usd=change, change=fraction)
    return answer


def _with_what_ended(frame: pd.DataFrame, freq: str) -> pd.DataFrame:
    """The frame, and rows of no cost for groups in the period after their last."""
    period, groups = _read(frame)
    place = _places(period, freq, frame["period"])
    dated = np.flatnonzero(place >= 0)
    # The last row of a group in a period stands for it.
    row_of = dict(zip((place[dated] * groups.count + groups.codes[dated]).tolist(), dated, strict=True))
    last = int(place.max(initial=-1))
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


def _read(frame: pd.DataFrame) -> tuple[Ints, LineGroups]:
    """The periods as microseconds, and the groups."""
    require(frame, "frame", ("period", "cost_usd"))
    if not isinstance(frame["period"].dtype, pd.DatetimeTZDtype):
        raise ValueError(f"period holds {frame['period'].dtype}, not times with a zone")
    period = frame["period"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    by = [name for name in frame.columns if name not in (*COUNTED, *_ADDED)]
    return period.view(np.int64), grouped(frame, by)


def _places(period: Ints, freq: str, told: pd.Series) -> Ints:
    """The number of each period, counted from the first one; -1 where it is missing."""
    places = np.full(len(period), -1, dtype=np.int64)
    dated = period != _NO_TIME
    if not dated.any():
        return places
    at = edges(freq, told.dt.tz, int(period[dated].min()), int(period.max()) + 1)
    places[dated] = np.searchsorted(at, period[dated])
    wrong = np.flatnonzero(dated)[at[places[dated]] != period[dated]]
    if len(wrong):
        raise ValueError(f"{told.iloc[wrong[0]]} is not where a period of freq={freq!r} begins")
    return places


def _previous(place: Ints, group: Ints, cost: NDArray[np.float64], groups: int) -> NDArray[np.float64]:
    """What the same group cost one place before."""
    cells = place * groups + group
    keys, codes = np.unique(cells, return_inverse=True)
    sums = np.bincount(codes.reshape(-1), cost, len(keys))
    found = np.searchsorted(keys, cells - groups)
    is_there = (found < len(keys)) & (keys[np.minimum(found, len(keys) - 1)] == cells - groups)
    return np.where(is_there, sums[np.minimum(found, len(keys) - 1)], 0.0)

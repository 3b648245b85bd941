"""What ran when, and how many GPUs ran at each moment."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from primepods_magic.costs.coerce import is_pod, require

from .colors import patch
from .figure import drawing, empty, new_figure, stack_legend
from .grouping import PlotGroups, fold
from .horizontal_bars import height_for, name_lanes
from .labels import amount, short
from .time_axis import as_days, label_time, wall_clock, zone_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["averaged", "even_times", "gpus_running", "plot_timeline"]

_MOST_TIMES = 250
_STEPS = (
    ("each hour", 1 / 24),
    ("6 hours", 0.25),
    ("each day", 1.0),
    ("each week", 7.0),
    ("4 weeks", 28.0),
    ("each year", 365.25),
)


def gpus_running(
    begins: np.ndarray, ends: np.ndarray, gpu_counts: np.ndarray, groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Count what runs between each two moments at which something began or ended.

    Parameters
    ----------
    begins, ends : numpy.ndarray
        When each pod began and ended, as numbers.
    gpu_counts : numpy.ndarray
        How many GPUs each pod has.
    groups : numpy.ndarray
        To which group each pod belongs, counted from 0.

    Returns
    -------
    edges : numpy.ndarray
        The moments, sorted.
    counts : numpy.ndarray
        GPUs of each group (rows) between each two of them (columns).

    Examples
    --------
    >>> edges, counts = gpus_running(np.array([0, 1]), np.array([2, 3]), np.array([8, 1]), np.array([0, 0]))
    >>> edges.tolist(), counts.tolist()
    ([0, 1, 2, 3], [[8.0, 9.0, 1.0]])
    """
    edges, at = np.unique(np.concatenate([begins, ends]), return_inverse=True)
    changes = np.zeros((int(groups.max(initial=0)) + 1, len(edges)))
    np.add.at(changes, (groups, at[: len(begins)]), gpu_counts)
    np.subtract.at(changes, (groups, at[len(begins) :]), gpu_counts)
    return edges, np.cumsum(changes, axis=1)[:, :-1]


def averaged(edges: np.ndarray, counts: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """The mean of each row between marks; outside of the edges it is 0.

    >>> averaged(np.array([0.0, 1.0, 4.0]), np.array([[8.0, 2.0]]), np.array([0.0, 2.0, 4.0])).tolist()
    [[5.0, 2.0]]
    """
    areas = np.cumsum(counts * np.diff(edges), axis=1)
    areas = np.concatenate([np.zeros((len(counts), 1)), areas], axis=1)
    up_to = np.array([np.interp(marks, edges, row) for row in areas])
    means: np.ndarray = np.diff(up_to, axis=1) / np.diff(marks)
    return means


def even_times(begin: float, end: float) -> tuple[str, np.ndarray]:
    """Days, or other equal stretches of time, that cover a time and are wide enough to be seen.

    >>> unit, marks = even_times(0.3, 200.0)
    >>> unit, marks[[0, 1, -1]].tolist()
    ('each day', [0.0, 1.0, 200.0])
    """
    unit, step = next((each for each in _STEPS if (end - begin) / each[1] <= _MOST_TIMES), _STEPS[-1])
    first, last = np.floor(begin / step), np.ceil(end / step)
    return unit, np.arange(first, last + 1) * step


_MOST_LANES = 40
_MOST_STEPS = 300  # more are thinner than a line
_SHORTEST = 0.002  # of the axis: what ran for a minute is seen as well


def plot_timeline(
    ledger: pd.DataFrame,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Figure:
    """Draw what ran when: a lane for each pod or, beyond forty pods, how many GPUs ran.

    Lanes of pods that live end in an arrow. Disks are left out.

    Parameters
    ----------
    ledger : pandas.DataFrame
        As `ledger` answers.
    since, until : datetime, optional
        The time to look at (UTC where it has no zone).

    Returns
    -------
    matplotlib.figure.Figure
        It has no background, and shows itself in a notebook.

    Raises
    ------
    NotConfigured
        matplotlib is not installed.
    ValueError
        A column is missing.

    Examples
    --------
    >>> frame = pd.DataFrame({"name": ["train"], "gpu": ["H100_80GB"], "gpu_count": [8],
    ...     "begin_at": pd.to_datetime(["2026-09-01T08:00Z"]),
    ...     "end_at": pd.to_datetime(["2026-09-02T09:00Z"])})
    >>> plot_timeline(frame)
    Figure: what ran when, 1 pod
    """
    with drawing():
        require(ledger, "ledger", "name gpu gpu_count begin_at end_at".split())
        begins = ledger["begin_at"]
        window = _Window(_day(since, begins, -np.inf), _day(until, begins, np.inf))
        pods = _pods(ledger, window)
        is_crowd = len(pods) > _MOST_LANES
        kind = "GPUs running" if is_crowd else "what ran when"
        said = f"{len(pods):,} pod{'' if len(pods) == 1 else 's'}"
        height_in = height_for(9 if is_crowd else len(pods))
        figure, axes = new_figure(
            f"{kind}, {said}", f"{kind[0].upper()}{kind[1:]}: {said}", height_in=height_in
        )
        if pods.empty:
            empty(axes, "nothing ran")
            return figure
        groups = fold(pods, ["gpu"], pods["gpu_count"] * (pods["to_day"] - pods["from_day"]))
        seen = _seen(pods, window)
        if is_crowd:
            _running(axes, pods, groups)
        else:
            _lanes(axes, pods, groups, _SHORTEST * (seen.end - seen.begin))
        axes.set_xlim(*seen)
        axes.grid(axis="x")
        label_time(axes, zone_of(begins))
        stack_legend(axes, [patch(colour) for colour in groups.colours], groups.labels)
    return figure


class _Window(NamedTuple):
    """What part of time is drawn, in days; without a limit, all that ran."""

    begin: float
    end: float


def _pods(ledger: pd.DataFrame, window: _Window) -> pd.DataFrame:
    """Those that ran in a part of time, by their beginning; times as days on the axis."""
    begins, ends = as_days(wall_clock(ledger["begin_at"])), as_days(wall_clock(ledger["end_at"]))
    ran = ~np.isnan(begins) & ~np.isnan(ends) & (ends >= window.begin) & (begins < window.end)
    ran &= is_pod(ledger).to_numpy(dtype=bool)
    pods = pd.DataFrame(
        {
            "name": ledger["name"].astype("string"),
            "gpu": ledger["gpu"],
            "gpu_count": ledger["gpu_count"].fillna(1).astype(float),
            "from_day": np.clip(begins, window.begin, window.end),
            "to_day": np.clip(np.maximum(begins, ends), window.begin, window.end),
            "lives": ledger["state"] == "live" if "state" in ledger else False,
        }
    )
    seen: pd.DataFrame = pods[ran].sort_values("from_day", kind="stable").reset_index(drop=True)
    return seen


def _day(moment: datetime | None, times: pd.Series, otherwise: float) -> float:
    if moment is None:
        return otherwise
    time = pd.Timestamp(moment)
    time = time.tz_localize("UTC") if time.tzinfo is None else time
    return float(as_days([time.tz_convert(times.dt.tz).tz_localize(None)])[0])


def _seen(pods: pd.DataFrame, window: _Window) -> _Window:
    begin = window.begin if np.isfinite(window.begin) else float(pods["from_day"].min())
    end = window.end if np.isfinite(window.end) else float(pods["to_day"].max())
    room = 0.012 * (end - begin) or 1 / 24
    return _Window(begin - room, end + room)


def _lanes(axes: Axes, pods: pd.DataFrame, groups: PlotGroups, shortest: float) -> None:
    lengths = np.maximum(pods["to_day"] - pods["from_day"], shortest)
    colours = [groups.colours[place] for place in groups.place]
    axes.barh(range(len(pods)), lengths, 0.62, left=pods["from_day"], color=colours, linewidth=0)
    for lane in np.flatnonzero(pods["lives"].to_numpy(dtype=bool)):
        tip = pods["from_day"][lane] + lengths[lane]
        axes.plot(tip, lane, ">", color=colours[lane], markersize=9, markeredgewidth=0, clip_on=False)
    name_lanes(axes, [short(name) for name in pods["name"].fillna("no name")])


def _running(axes: Axes, pods: pd.DataFrame, groups: PlotGroups) -> None:
    from matplotlib.ticker import MaxNLocator

    edges, counts = gpus_running(
        pods["from_day"].to_numpy(),
        pods["to_day"].to_numpy(),
        pods["gpu_count"].to_numpy(),
        groups.place,
    )
    axes.set_ylabel("GPUs")
    if len(edges) > _MOST_STEPS:
        unit, marks = even_times(edges[0], edges[-1])
        edges, counts = marks, averaged(edges, counts, marks)
        axes.set_ylabel(f"GPUs, mean of {unit}")
    bottom = np.zeros(counts.shape[1])
    for colour, row in zip(groups.colours, counts, strict=True):
        axes.stairs(bottom + row, edges, baseline=bottom, fill=True, color=colour, linewidth=0)
        bottom = bottom + row
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: amount(value))
    axes.grid(axis="y")

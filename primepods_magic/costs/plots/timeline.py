"""Plot of what ran when, or of how many GPUs ran."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from primepods_magic.costs.coerce import is_pod, require

from .colors import legend_patch
from .figure import apply_style, new_figure, show_message, stack_legend
from .grouping import PlotGroups, fold_groups
from .horizontal_bars import height_for, name_lanes
from .labels import count_words, format_number, shorten_label
from .time_axis import label_time, to_days, to_wall_time, zone_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["averaged", "even_times", "gpus_running", "plot_timeline"]

_MAX_STRETCHES = 250
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
    """Count the running GPUs of each group (rows) between each two moments at which one began or ended.

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
    """Average each row between marks; it is 0 outside of the edges.

    >>> averaged(np.array([0.0, 1.0, 4.0]), np.array([[8.0, 2.0]]), np.array([0.0, 2.0, 4.0])).tolist()
    [[5.0, 2.0]]
    """
    areas = np.cumsum(counts * np.diff(edges), axis=1)
    areas = np.concatenate([np.zeros((len(counts), 1)), areas], axis=1)
    up_to = np.array([np.interp(marks, edges, row) for row in areas])
    means: np.ndarray = np.diff(up_to, axis=1) / np.diff(marks)
    return means


def even_times(begin: float, end: float) -> tuple[str, np.ndarray]:
    """Return equal stretches of time, such as days, that cover a time and are wide enough to see.

    >>> unit, marks = even_times(0.3, 200.0)
    >>> unit, marks[[0, 1, -1]].tolist()
    ('each day', [0.0, 1.0, 200.0])
    """
    unit, step = next((each for each in _STEPS if (end - begin) / each[1] <= _MAX_STRETCHES), _STEPS[-1])
    first, last = np.floor(begin / step), np.ceil(end / step)
    return unit, np.arange(first, last + 1) * step


_MAX_LANES = 40
_MAX_STEPS = 300  # more are thinner than a line
_MIN_LENGTH = 0.002  # of the axis: what ran for a minute is seen as well


def plot_timeline(
    ledger: pd.DataFrame,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Figure:
    """Plot what ran when: a lane for each pod or, beyond forty pods, the number of running GPUs.

    Lanes of live pods end in an arrow. Disks are left out.

    Parameters
    ----------
    ledger : pandas.DataFrame
        A result of `ledger`.
    since, until : datetime, optional
        The time to show (UTC if naive).

    Returns
    -------
    matplotlib.figure.Figure
        A figure that displays itself in a notebook.

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
    with apply_style():
        require(ledger, "ledger", "name gpu gpu_count begin_at end_at".split())
        begins = ledger["begin_at"]
        window = _Window(_to_day(since, begins, -np.inf), _to_day(until, begins, np.inf))
        pods = _select_pods(ledger, window)
        is_crowd = len(pods) > _MAX_LANES
        kind = "GPUs running" if is_crowd else "what ran when"
        count = count_words(len(pods), "pod")
        height_in = height_for(9 if is_crowd else len(pods))
        figure, axes = new_figure(
            f"{kind}, {count}", f"{kind[0].upper()}{kind[1:]}: {count}", height_in=height_in
        )
        if pods.empty:
            show_message(axes, "nothing ran")
            return figure
        groups = fold_groups(pods, ["gpu"], pods["gpu_count"] * (pods["to_day"] - pods["from_day"]))
        seen = _choose_limits(pods, window)
        if is_crowd:
            _draw_counts(axes, pods, groups)
        else:
            _draw_lanes(axes, pods, groups, _MIN_LENGTH * (seen.end - seen.begin))
        axes.set_xlim(*seen)
        axes.grid(axis="x")
        label_time(axes, zone_name(begins))
        stack_legend(axes, [legend_patch(color) for color in groups.colors], groups.labels)
    return figure


class _Window(NamedTuple):
    """Limits of the plotted time in days; infinite if not limited."""

    begin: float
    end: float


def _select_pods(ledger: pd.DataFrame, window: _Window) -> pd.DataFrame:
    """Select the pods that ran in a window, by their beginning, with times as days on the axis."""
    begins, ends = to_days(to_wall_time(ledger["begin_at"])), to_days(to_wall_time(ledger["end_at"]))
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


def _to_day(moment: datetime | None, times: pd.Series, otherwise: float) -> float:
    if moment is None:
        return otherwise
    time = pd.Timestamp(moment)
    time = time.tz_localize("UTC") if time.tzinfo is None else time
    return float(to_days([time.tz_convert(times.dt.tz).tz_localize(None)])[0])


def _choose_limits(pods: pd.DataFrame, window: _Window) -> _Window:
    begin = window.begin if np.isfinite(window.begin) else float(pods["from_day"].min())
    end = window.end if np.isfinite(window.end) else float(pods["to_day"].max())
    room = 0.012 * (end - begin) or 1 / 24
    return _Window(begin - room, end + room)


def _draw_lanes(axes: Axes, pods: pd.DataFrame, groups: PlotGroups, shortest: float) -> None:
    lengths = np.maximum(pods["to_day"] - pods["from_day"], shortest)
    colors = [groups.colors[index] for index in groups.index]
    axes.barh(range(len(pods)), lengths, 0.62, left=pods["from_day"], color=colors, linewidth=0)
    for lane in np.flatnonzero(pods["lives"].to_numpy(dtype=bool)):
        tip = pods["from_day"][lane] + lengths[lane]
        axes.plot(tip, lane, ">", color=colors[lane], markersize=9, markeredgewidth=0, clip_on=False)
    name_lanes(axes, [shorten_label(name) for name in pods["name"].fillna("no name")])


def _draw_counts(axes: Axes, pods: pd.DataFrame, groups: PlotGroups) -> None:
    from matplotlib.ticker import MaxNLocator

    edges, counts = gpus_running(
        pods["from_day"].to_numpy(),
        pods["to_day"].to_numpy(),
        pods["gpu_count"].to_numpy(),
        groups.index,
    )
    axes.set_ylabel("GPUs")
    if len(edges) > _MAX_STEPS:
        unit, marks = even_times(edges[0], edges[-1])
        edges, counts = marks, averaged(edges, counts, marks)
        axes.set_ylabel(f"GPUs, mean of {unit}")
    bottom = np.zeros(counts.shape[1])
    for color, row in zip(groups.colors, counts, strict=True):
        axes.stairs(bottom + row, edges, baseline=bottom, fill=True, color=color, linewidth=0)
        bottom = bottom + row
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: format_number(value))
    axes.grid(axis="y")

"""Plot of what ran when."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_money
from primepods_magic.costs.coerce import is_pod, require

from .colors import OTHER, legend_patch
from .figure import apply_style, new_figure, row_legend, show_message
from .grouping import PlotGroups, fold_groups
from .horizontal_bars import height_for, name_lanes, remark_lanes
from .labels import count_words, shorten_label
from .time_axis import label_time, to_day, to_days, to_wall_time, zone_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["averaged", "gpus_running", "plot_timeline"]


def gpus_running(
    begins: np.ndarray, ends: np.ndarray, gpu_counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Count the running GPUs between each two moments at which one began or ended.

    >>> edges, counts = gpus_running(np.array([0, 1]), np.array([2, 3]), np.array([8, 1]))
    >>> edges.tolist(), counts.tolist()
    ([0, 1, 2, 3], [8.0, 9.0, 1.0])
    """
    edges, at = np.unique(np.concatenate([begins, ends]), return_inverse=True)
    changes = np.zeros(len(edges))
    np.add.at(changes, at[: len(begins)], gpu_counts)
    np.subtract.at(changes, at[len(begins) :], gpu_counts)
    return edges, np.cumsum(changes)[:-1]


def averaged(edges: np.ndarray, counts: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Average counts between marks; they are 0 outside of the edges.

    >>> averaged(np.array([0.0, 1.0, 4.0]), np.array([8.0, 2.0]), np.array([0.0, 2.0, 4.0])).tolist()
    [5.0, 2.0]
    """
    areas = np.concatenate([[0.0], np.cumsum(counts * np.diff(edges))])
    means: np.ndarray = np.diff(np.interp(marks, edges, areas)) / np.diff(marks)
    return means


_MAX_LANES = 20
_STEPS = 400  # of the lane that adds up pods; more are thinner than a line
_MIN_LENGTH = 0.002  # of the axis: what ran for a minute is seen as well
_THICKNESS = 0.62


def plot_timeline(
    ledger: pd.DataFrame,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Figure:
    """Plot what ran when: a lane for each pod, with its cost.

    Of more than twenty pods, the most expensive have a lane. One more lane adds up the others: it is as thick
    as many of their GPUs ran. Lanes of live pods end in an arrow. Disks are left out.

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
        window = _Window(
            -np.inf if since is None else to_day(since, begins),
            np.inf if until is None else to_day(until, begins),
        )
        pods = _select_pods(ledger, window)
        shown, others = _split_cheap(pods)
        count = count_words(len(pods), "pod")
        remarks = [_format_cost(each["cost_usd"]) for _, each in shown.iterrows()]
        names = [shorten_label(name) for name in shown["name"].fillna("no name")]
        if len(others):
            names.append(f"{len(others):,} others")
            remarks.append(_format_cost(others["cost_usd"].sum(min_count=1)))
        which = f", the {len(shown)} most expensive one by one" if len(others) else ""
        figure, axes = new_figure(
            f"what ran when, {count}",
            f"What ran when: {count}{which}",
            parts=[(name, f"${usd}") for name, usd in zip(names, remarks, strict=True) if usd],
            height_in=0.2 + height_for(len(names)),
        )
        if pods.empty:
            show_message(axes, "nothing ran")
            return figure
        groups = fold_groups(shown, ["gpu"], shown["gpu_count"] * (shown["to_day"] - shown["from_day"]))
        seen = _choose_limits(pods, window)
        _draw_lanes(axes, shown, groups, _MIN_LENGTH * (seen.end - seen.begin))
        if len(others):
            _draw_sum(axes, others, seen, len(shown))
        name_lanes(axes, names)
        remark_lanes(axes, remarks, heading="USD" if any(remarks) else "")
        axes.set_xlim(*seen)
        axes.grid(axis="x")
        label_time(axes, zone_name(begins))
        row_legend(figure, [legend_patch(color) for color in groups.colors], groups.labels)
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
            "cost_usd": ledger["cost_usd"].astype("Float64") if "cost_usd" in ledger else pd.NA,
            "from_day": np.clip(begins, window.begin, window.end),
            "to_day": np.clip(np.maximum(begins, ends), window.begin, window.end),
            "lives": ledger["state"] == "live" if "state" in ledger else False,
        }
    )
    seen: pd.DataFrame = pods[ran].sort_values("from_day", kind="stable").reset_index(drop=True)
    return seen


def _split_cheap(pods: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split pods into those that have a lane, and the cheapest if there are too many."""
    # A single one has as much room as the lane that would add it up.
    if len(pods) <= _MAX_LANES + 1:
        return pods, pods[:0]
    costs = pods["cost_usd"].astype("Float64").fillna(0.0)
    is_shown = pods.index.isin(costs.sort_values(ascending=False, kind="stable").index[:_MAX_LANES])
    return pods[is_shown].reset_index(drop=True), pods[~is_shown]


def _format_cost(usd: Any) -> str:
    return "" if pd.isna(usd) else format_money(usd)


def _choose_limits(pods: pd.DataFrame, window: _Window) -> _Window:
    begin = window.begin if np.isfinite(window.begin) else float(pods["from_day"].min())
    end = window.end if np.isfinite(window.end) else float(pods["to_day"].max())
    room = 0.012 * (end - begin) or 1 / 24
    return _Window(begin - room, end + room)


def _draw_lanes(axes: Axes, pods: pd.DataFrame, groups: PlotGroups, shortest: float) -> None:
    lengths = np.maximum(pods["to_day"] - pods["from_day"], shortest)
    colors = [groups.colors[index] for index in groups.index]
    axes.barh(range(len(pods)), lengths, _THICKNESS, left=pods["from_day"], color=colors, linewidth=0)
    for lane in np.flatnonzero(pods["lives"].to_numpy(dtype=bool)):
        tip = pods["from_day"][lane] + lengths[lane]
        axes.plot(tip, lane, ">", color=colors[lane], markersize=9, markeredgewidth=0, clip_on=False)


def _draw_sum(axes: Axes, pods: pd.DataFrame, seen: _Window, lane: int) -> None:
    """Draw one lane, as thick at each time as many of the pods' GPUs run."""
    edges, gpus = gpus_running(
        pods["from_day"].to_numpy(), pods["to_day"].to_numpy(), pods["gpu_count"].to_numpy()
    )
    steps = np.linspace(*seen, _STEPS + 1)
    means = averaged(edges, gpus, steps)
    bottom = np.full(len(means), lane + _THICKNESS / 2)
    tops = bottom - _THICKNESS * means / (means.max() or 1.0)
    axes.stairs(tops, steps, baseline=bottom, fill=True, color=OTHER, linewidth=0)

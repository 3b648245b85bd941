"""Groups of a plot, with the small ones folded into one, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from primepods_magic.api.text.money import format_usd
from primepods_magic.frames.rendering.formatting import DISK

from .colors import OTHER, PALETTE
from .labels import shorten_label

__all__ = [
    "MAX_GROUPS",
    "PlotGroups",
    "cost_of",
    "describe_columns",
    "estimated_cost_of",
    "fold_groups",
    "group_columns",
    "split_estimates",
    "sum_groups",
]

MAX_GROUPS = 7
_SEPARATOR = "\x1f"
_MIN_USD = 1e-9

_MEASURES = frozenset(
    "period cost_usd gpu_hours pods share estimated estimated_usd".split()
    + "running_usd previous_usd change_usd change".split()
)
_WORDS = {"gpu": "GPU", "provisioned_by": "person", "cloud_id": "cloud id"}
_colors: dict[str, str] = {}
"""The color of each name that a plot of this session has drawn."""


def group_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns that a breakdown is grouped by."""
    return [str(name) for name in frame.columns if name not in _MEASURES]


def describe_columns(columns: list[str]) -> str:
    """Format column names for a plot title.

    >>> describe_columns([]), describe_columns(["gpu"]), describe_columns(["team", "provisioned_by"])
    ('', ' by GPU', ' by team and person')
    """
    return f" by {' and '.join(_WORDS.get(name, name) for name in columns)}" if columns else ""


@dataclass(frozen=True)
class PlotGroups:
    """Groups of a plot: the largest first, the folded ones last.

    `index` is the group of each row of the frame; `count` is the number of groups before folding.
    """

    index: np.ndarray
    labels: list[str]
    colors: list[str]
    count: int


def fold_groups(
    frame: pd.DataFrame, columns: list[str], size: pd.Series, max_groups: int = MAX_GROUPS
) -> PlotGroups:
    """Group rows by columns (one group without any), keeping the names of the `max_groups` largest."""
    if not columns:
        return PlotGroups(np.zeros(len(frame), dtype=np.intp), ["all"], [PALETTE[0]], 1 if len(frame) else 0)
    named = [_name_groups(frame, column) for column in columns]
    names = reduce(lambda left, right: left + _SEPARATOR + right, named)
    codes, keys = pd.factorize(names)
    weights = size.fillna(0).to_numpy(dtype=float, na_value=0.0)
    sizes = np.abs(np.bincount(codes, weights=weights, minlength=len(keys)))
    ranking = np.lexsort((np.arange(len(keys)), -sizes))
    rank = np.empty(len(keys), dtype=np.intp)
    rank[ranking] = np.arange(len(keys))
    # Do not fold a single group: "other (1)" says less in the same space.
    kept = len(keys) if len(keys) <= max_groups + 1 else max_groups
    labels = [_format_label(keys[code]) for code in ranking[:kept]]
    colors = _choose_colors([str(keys[code]) for code in ranking[:kept]])
    if kept < len(keys):
        labels.append(f"other ({len(keys) - kept:,})")
        colors.append(OTHER)
    return PlotGroups(np.minimum(rank, kept)[codes], labels, colors, len(keys))


def _name_groups(frame: pd.DataFrame, column: str) -> pd.Series:
    """Return a column as text; what has neither a GPU nor a pod is a disk."""
    names = frame[column].astype("string")
    if column == "gpu" and "pods" in frame.columns:
        names = names.mask(names.isna() & frame["pods"].eq(0).fillna(False), DISK)
    return names.fillna(f"no {column}")


def _choose_colors(names: list[str]) -> list[str]:
    """Return a color for each name: its own of earlier plots, unless another one here has it.

    Names beyond the palette are gray.
    """
    chosen: dict[str, str] = {}
    for name in names[: len(PALETTE)]:
        color = _colors.get(name)
        if color is not None and color not in chosen.values():
            chosen[name] = color
    for name in names[: len(PALETTE)]:
        if name not in chosen:
            drawn = list(_colors.values())
            # The rarest color, of equal ones the first.
            free = [color for color in PALETTE if color not in chosen.values()]
            chosen[name] = min(free, key=drawn.count)
            _colors.setdefault(name, chosen[name])
    return [chosen.get(name, OTHER) for name in names]


def _format_label(key: str) -> str:
    parts = key.split(_SEPARATOR)
    return " · ".join(shorten_label(part, 24 if len(parts) == 1 else 16) for part in parts)


def cost_of(frame: pd.DataFrame) -> np.ndarray:
    """Return the costs in USD; missing ones are 0."""
    return frame["cost_usd"].to_numpy(dtype=float, na_value=0.0)


def estimated_cost_of(frame: pd.DataFrame) -> np.ndarray:
    """Return the estimated part of each cost in USD; users' own frames may only mark whole ones."""
    if "estimated_usd" in frame:
        return frame["estimated_usd"].to_numpy(dtype=float, na_value=0.0)
    if "estimated" in frame:
        flags = frame["estimated"].astype("boolean").fillna(False).to_numpy(dtype=bool)
        return np.where(flags, cost_of(frame), 0.0)
    return np.zeros(len(frame))


def split_estimates(usd: np.ndarray, estimated_usd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split amounts into final and estimated parts of the same sign.

    >>> final, estimated = split_estimates(np.array([5.0, 5.0, -2.0, 1.0]), np.array([2.0, 9.0, -1.0, -1.0]))
    >>> final.tolist(), estimated.tolist()
    ([3.0, 0.0, -1.0, 1.0], [2.0, 5.0, -1.0, 0.0])
    """
    estimates = np.clip(estimated_usd, np.minimum(usd, 0.0), np.maximum(usd, 0.0))
    # Less than this is a rounding error.
    final = np.where(np.abs(usd - estimates) > _MIN_USD, usd - estimates, 0.0)
    return final, np.where(np.abs(estimates) > _MIN_USD, estimates, 0.0)


def sum_groups(frame: pd.DataFrame, groups: PlotGroups) -> list[tuple[str, str]]:
    """Return the groups of a plot and their costs, as text."""
    sums = np.bincount(groups.index, weights=cost_of(frame), minlength=len(groups.labels))
    return [(label, format_usd(usd)) for label, usd in zip(groups.labels, sums, strict=True)]

"""Groups of a plot, with the small ones folded into one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from primepods_magic.frames.rendering.formatting import DISK

from .colors import OTHER, PALETTE
from .labels import shorten_label

__all__ = ["MAX_GROUPS", "PlotGroups", "describe_columns", "fold_groups", "group_columns"]

MAX_GROUPS = 7
_SEPARATOR = "\x1f"

_MEASURES = frozenset(
    "period cost_usd gpu_hours pods share estimated estimated_usd running_usd previous_usd change_usd "
    "change".split()
)


def group_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns that a breakdown is grouped by."""
    return [str(name) for name in frame.columns if name not in _MEASURES]


def describe_columns(columns: list[str]) -> str:
    """Format column names for a plot title.

    >>> describe_columns([]), describe_columns(["gpu"]), describe_columns(["team", "provisioned_by"])
    ('', ' by gpu', ' by team and provisioned_by')
    """
    return f" by {' and '.join(columns)}" if columns else ""


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
    colors = list(PALETTE[:kept])
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


def _format_label(key: str) -> str:
    parts = key.split(_SEPARATOR)
    return " · ".join(shorten_label(part, 24 if len(parts) == 1 else 16) for part in parts)

"""What a frame of costs is grouped by, and the few groups that a picture has room for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from .colors import OTHER, PALETTE
from .labels import short

__all__ = ["MOST_GROUPS", "PlotGroups", "by_columns", "by_words", "fold"]

MOST_GROUPS = 7
_BETWEEN = "\x1f"

_MEASURES = frozenset(
    "period cost_usd gpu_hours pods share estimated running_usd previous_usd change_usd change".split()
)


def by_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that say what a cost belongs to."""
    return [str(name) for name in frame.columns if name not in _MEASURES]


def by_words(columns: list[str]) -> str:
    """They, in a title.

    >>> by_words([]), by_words(["gpu"]), by_words(["team", "provisioned_by"])
    ('', ' by gpu', ' by team and provisioned_by')
    """
    return f" by {' and '.join(columns)}" if columns else ""


@dataclass(frozen=True)
class PlotGroups:
    """The groups of a picture.

    Parameters
    ----------
    place : numpy.ndarray
        For each row of the frame, which of the groups it belongs to.
    labels, colours : list of str
        Of each group, the largest first and what was folded last.
    count : int
        How many there were before small ones were folded.
    """

    place: np.ndarray
    labels: list[str]
    colours: list[str]
    count: int


def fold(frame: pd.DataFrame, columns: list[str], size: pd.Series, most: int = MOST_GROUPS) -> PlotGroups:
    """Group rows by some columns, and take all but the largest groups together.

    Parameters
    ----------
    frame : pandas.DataFrame
        Whose rows.
    columns : list of str
        What they are grouped by; without any, all are one group.
    size : pandas.Series
        How much each row weighs.
    most : int
        How many groups keep their names.
    """
    if not columns:
        return PlotGroups(np.zeros(len(frame), dtype=np.intp), ["all"], [PALETTE[0]], 1 if len(frame) else 0)
    named = [frame[column].astype("string").fillna(f"no {column}") for column in columns]
    names = reduce(lambda left, right: left + _BETWEEN + right, named)
    codes, keys = pd.factorize(names)
    weights = size.fillna(0).to_numpy(dtype=float, na_value=0.0)
    sizes = np.abs(np.bincount(codes, weights=weights, minlength=len(keys)))
    ranking = np.lexsort((np.arange(len(keys)), -sizes))
    rank = np.empty(len(keys), dtype=np.intp)
    rank[ranking] = np.arange(len(keys))
    # One group too many keeps its name: "other (1)" would say less in as much room.
    kept = len(keys) if len(keys) <= most + 1 else most
    labels = [_label(keys[place]) for place in ranking[:kept]]
    colours = list(PALETTE[:kept])
    if kept < len(keys):
        labels.append(f"other ({len(keys) - kept:,})")
        colours.append(OTHER)
    return PlotGroups(np.minimum(rank, kept)[codes], labels, colours, len(keys))


def _label(key: str) -> str:
    parts = key.split(_BETWEEN)
    return " · ".join(short(part, 24 if len(parts) == 1 else 16) for part in parts)

"""Groups of lines: whole numbers in place of values, and the values back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primepods_magic.api.validation.suggest import suggest
from primepods_magic.frames.tables.schema import STRING

from .coerce import is_text
from .labels import By, Label, listed

__all__ = ["LineGroups", "grouped"]

Ints = NDArray[np.int64]

COUNTED = ("period", "cost_usd", "gpu_hours", "pods", "share", "estimated")
"""Columns of a breakdown beside those that it is by."""


@dataclass(frozen=True)
class _Key:
    """A column as numbers: of each line, the place of its value among the values; -1 where it is missing."""

    name: str
    codes: Ints
    values: Any


@dataclass(frozen=True)
class LineGroups:
    """To which group each line belongs, and what the groups are.

    Parameters
    ----------
    codes : array of int64
        One for each line, from 0.
    count : int
        How many groups there may be.
    """

    codes: Ints
    count: int
    keys: Sequence[_Key]
    _seen_in: Ints

    def columns(self, groups: Ints) -> dict[str, Any]:
        """The by-columns of these groups."""
        take = pd.api.extensions.take
        lines = self._seen_in[groups]
        return {key.name: take(key.values, key.codes[lines], allow_fill=True) for key in self.keys}

    def ranks(self, groups: Ints) -> list[Ints]:
        """For each key, numbers that sort these groups as their values sort; missing ones last."""
        lines = self._seen_in[groups]
        return [_ranks(key.values)[key.codes[lines]] for key in self.keys]


def grouped(frame: pd.DataFrame, by: By | Iterable[By]) -> LineGroups:
    """Group lines.

    Parameters
    ----------
    frame : pandas.DataFrame
        The lines.
    by : str, Label or sequence of them
        What is to be equal in a group; nothing for one group of all.

    Raises
    ------
    ValueError
        For a column that the frame does not have, or that cannot be grouped by.
    """
    keys = [_key(frame, item) for item in listed(by)]
    names = [key.name for key in keys]
    for name in names:
        if name in COUNTED:
            raise ValueError(f"by: {name!r} is what a breakdown tells, lines cannot be grouped by it")
        if names.count(name) > 1:
            raise ValueError(f"by: there are two of {name!r}")
    codes, count = np.zeros(len(frame), dtype=np.int64), 1
    for place, key in enumerate(keys):
        codes = codes * (len(key.values) + 1) + key.codes + 1 if place else key.codes + 1
        count = len(key.values) + 1
        if place:
            codes, seen = pd.factorize(codes)
            codes, count = codes.astype(np.int64, copy=False), len(seen)
    seen_in = np.zeros(count, dtype=np.int64)
    seen_in[codes] = np.arange(len(codes))
    return LineGroups(codes, count, keys, seen_in)


def _key(frame: pd.DataFrame, item: object) -> _Key:
    if not isinstance(item, (str, Label)):
        raise ValueError(f"by: {item!r} is neither the name of a column nor a pattern or mapping")
    column = item.column if isinstance(item, Label) else item
    if column not in frame.columns:
        raise ValueError(f"by: there is no column {column!r}{suggest(column, map(str, frame.columns))}")
    try:
        codes, values = pd.factorize(frame[column])
    except TypeError:
        raise ValueError(f"by: {column!r} holds what cannot be grouped by") from None
    codes = codes.astype(np.int64, copy=False)
    if isinstance(item, Label):
        return _labelled(item, codes, values)
    is_plain = isinstance(values.dtype, np.dtype)
    array: Any = np.asarray(values) if is_plain else getattr(values, "array", values)
    if not is_text(array):
        return _Key(item, codes, array)
    # An empty text says as little as a missing one.
    empty = np.flatnonzero(np.asarray(array, dtype=object) == "")
    return _Key(item, np.where(np.isin(codes, empty), -1, codes), pd.array(array, dtype=STRING))


def _labelled(label: Label, codes: Ints, values: Any) -> _Key:
    """Each value is read once, however many lines have it."""
    read = pd.array([*map(label.read, values), label.read(None)], dtype=STRING)
    of_value, labels = pd.factorize(pd.Series(read))
    # -1 is the last, which is the missing value's.
    return _Key(label.name, of_value.astype(np.int64)[codes], labels.array)


def _ranks(values: Any) -> Ints:
    """Ranks of values by their places, and one more, for -1: behind all."""
    try:
        order = pd.Series(values).sort_values().index.to_numpy()
    except TypeError:
        # Of several kinds; any order does, as long as it is always the same.
        order = np.array(sorted(range(len(values)), key=lambda place: _said(values[place])), dtype=np.int64)
    ranks = np.empty(len(values) + 1, dtype=np.int64)
    ranks[order] = np.arange(len(values))
    ranks[-1] = len(values)
    return ranks


def _said(value: object) -> tuple[str, str]:
    return type(value).__name__, str(value)

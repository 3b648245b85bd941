"""Groups of lines as integer codes, and their values."""

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
from .labels import By, Label, as_list

__all__ = ["LineGroups", "group_lines"]

Ints = NDArray[np.int64]

COUNTED = "period cost_usd gpu_hours pods share estimated estimated_usd"
"""Columns of a breakdown besides those it is grouped by."""


@dataclass(frozen=True)
class _Key:
    """A column as codes: for each line the index of its value, -1 if it is missing."""

    name: str
    codes: Ints
    values: Any


@dataclass(frozen=True)
class LineGroups:
    """The group of each line (`codes`, from 0), and the values of at most `count` groups."""

    codes: Ints
    count: int
    keys: Sequence[_Key]
    _seen_in: Ints

    def columns(self, groups: Ints) -> dict[str, Any]:
        """Return the by-columns of these groups."""
        take = pd.api.extensions.take
        lines = self._seen_in[groups]
        return {key.name: take(key.values, key.codes[lines], allow_fill=True) for key in self.keys}

    def ranks(self, groups: Ints) -> list[Ints]:
        """Return for each key numbers that sort these groups as their values sort, missing ones last."""
        lines = self._seen_in[groups]
        return [_rank_values(key.values)[key.codes[lines]] for key in self.keys]


def group_lines(frame: pd.DataFrame, by: By | Iterable[By]) -> LineGroups:
    """Group lines by columns or labels, into one group without any; ValueError if that is impossible."""
    keys = [_build_key(frame, item) for item in as_list(by)]
    names = [key.name for key in keys]
    for name in names:
        if name in COUNTED.split():
            raise ValueError(f"by: cannot group by {name!r}, which is a result of the breakdown")
        if names.count(name) > 1:
            raise ValueError(f"by: {name!r} is given twice")
    codes, count = np.zeros(len(frame), dtype=np.int64), 1
    for index, key in enumerate(keys):
        codes = codes * (len(key.values) + 1) + key.codes + 1 if index else key.codes + 1
        count = len(key.values) + 1
        if index:
            codes, seen = pd.factorize(codes)
            codes, count = codes.astype(np.int64, copy=False), len(seen)
    seen_in = np.zeros(count, dtype=np.int64)
    seen_in[codes] = np.arange(len(codes))
    return LineGroups(codes, count, keys, seen_in)


def _build_key(frame: pd.DataFrame, item: object) -> _Key:
    if not isinstance(item, (str, Label)):
        raise ValueError(f"by: {item!r} is not a column name, a pattern or a mapping")
    column = item.column if isinstance(item, Label) else item
    if column not in frame.columns:
        raise ValueError(f"by: there is no column {column!r}{suggest(column, map(str, frame.columns))}")
    try:
        codes, values = pd.factorize(frame[column])
    except TypeError:
        raise ValueError(f"by: cannot group by the values of {column!r}") from None
    codes = codes.astype(np.int64, copy=False)
    if isinstance(item, Label):
        return _label_values(item, codes, values)
    is_plain = isinstance(values.dtype, np.dtype)
    array: Any = np.asarray(values) if is_plain else getattr(values, "array", values)
    if not is_text(array):
        return _Key(item, codes, array)
    # Treat empty texts as missing.
    empty = np.flatnonzero(np.asarray(array, dtype=object) == "")
    return _Key(item, np.where(np.isin(codes, empty), -1, codes), pd.array(array, dtype=STRING))


def _label_values(label: Label, codes: Ints, values: Any) -> _Key:
    """Label each distinct value once, however many lines have it."""
    read = pd.array([*map(label.read, values), label.read(None)], dtype=STRING)
    of_value, labels = pd.factorize(pd.Series(read))
    # Index -1 is the last label, that of a missing value.
    return _Key(label.name, of_value.astype(np.int64)[codes], labels.array)


def _rank_values(values: Any) -> Ints:
    """Return ranks of values by index, and one more, the last, for index -1."""
    try:
        order = pd.Series(values).sort_values().index.to_numpy()
    except TypeError:
        # Mixed types: any order will do if it is always the same.
        order = np.array(
            sorted(range(len(values)), key=lambda index: _to_sort_key(values[index])), dtype=np.int64
        )
    ranks = np.empty(len(values) + 1, dtype=np.int64)
    ranks[order] = np.arange(len(values))
    ranks[-1] = len(values)
    return ranks


def _to_sort_key(value: object) -> tuple[str, str]:
    return type(value).__name__, str(value)

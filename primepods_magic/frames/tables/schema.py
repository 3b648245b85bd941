"""Frames from declared columns: the dtypes come from the declaration, never from the values."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import pandas as pd
from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from primepods_magic.api.fields.undocumented import FIELDS_LEFT_OUT, MAX_FIELDS, read_undocumented
from primepods_magic.api.text.sanitize import replace_surrogates

__all__ = ["STRING", "Column", "Dtype", "build", "lines", "plain"]

R = TypeVar("R")
Dtype = Literal["string", "Int64", "Float64", "boolean", "datetime64[us, UTC]", "timedelta64[us]"]

STRING = pd.StringDtype("python")
"""Texts by reference: most are repeated, and each of those is in memory once. Arrow's, which pandas takes by
default where it is installed, need more memory, and longer to build."""

_MICROSECOND = timedelta(microseconds=1)
_NOT_A_TIME = np.iinfo("int64").min


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column: what it is called, what it holds, and how it is read from a row.

    Parameters
    ----------
    name : str
        In snake_case, with the unit.
    dtype : str
        A pandas dtype.
    read : callable
        Takes a row; answers with its value, or ``None``.
    """

    name: str
    dtype: Dtype
    read: Callable[[R], object]


def build(
    columns: Sequence[Column[R]], rows: Iterable[R], told_by: Sequence[object] | None = None
) -> pd.DataFrame:
    """Build a frame column by column.

    What the service sent beyond its documentation follows at the end, as ``object`` columns, where it
    is a text, a number or a truth value and its name does not sound like a secret: the first 200 of them,
    and ``fields_left_out``, which counts the others.

    Parameters
    ----------
    columns : sequence of Column
        The declared columns, in order.
    rows : iterable
        What the columns read from.
    told_by : sequence, optional
        The service's answers, one for each row, where the rows are not those themselves.

    Returns
    -------
    pandas.DataFrame
        With a ``RangeIndex``; the declared columns are there, with their dtypes, when there is no row.
    """
    rows = list(rows)
    data: dict[str, Any] = {
        column.name: _array([column.read(row) for row in rows], column.dtype) for column in columns
    }
    for name, values in _undocumented(rows if told_by is None else told_by, taken=data).items():
        data[name] = pd.Series(values, dtype=object)
    frame: pd.DataFrame = pd.DataFrame(data)
    return frame


def plain(value: object) -> str | None:
    """A text or a word of a fixed list, as nothing but text."""
    return None if value is None else str(value)


def lines(values: Iterable[str]) -> str | None:
    """Several values of one row as one text with a line each; ``None`` where there are none."""
    return "\n".join(values) or None


def _array(values: list[Any], dtype: Dtype) -> Any:
    if dtype == "timedelta64[us]":
        # pandas 2 reads timedeltas as nanoseconds, which end after 292 years.
        counts = [_NOT_A_TIME if value is None else value // _MICROSECOND for value in values]
        return np.array(counts, dtype="int64").view(dtype)
    if dtype == "string":
        return pd.array(
            [value if value is None else replace_surrogates(value) for value in values], dtype=STRING
        )
    return pd.array(values, dtype=dtype)


def _undocumented(rows: Sequence[object], taken: Container[str]) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    left_out: list[object] = [None] * len(rows)
    for place, row in enumerate(rows):
        extra = row.model_extra if isinstance(row, BaseModel) else None
        beyond = 0
        for key, told in (extra or {}).items():
            value = read_undocumented(key, told)
            if value is None or (name := to_snake(key)) in taken:
                continue
            if name not in found:
                if len(found) == MAX_FIELDS:
                    beyond += 1
                    continue
                found[name] = [None] * len(rows)
            found[name][place] = value
        left_out[place] = beyond or None
    return {**found, FIELDS_LEFT_OUT: left_out} if any(left_out) else found

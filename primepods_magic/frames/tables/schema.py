"""Frames from declared columns, whose dtypes come from the declaration and never from the values."""

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
"""Strings by reference, so that repeated ones are in memory once; Arrow's need more memory and time."""

_MICROSECOND = timedelta(microseconds=1)
_NOT_A_TIME = np.iinfo("int64").min


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column: a name in snake_case with its unit, a dtype, and a reader of its value from a row."""

    name: str
    dtype: Dtype
    read: Callable[[R], object]


def build(
    columns: Sequence[Column[R]], rows: Iterable[R], source_rows: Sequence[object] | None = None
) -> pd.DataFrame:
    """Build a frame column by column; without rows it has the declared columns and dtypes all the same.

    Undocumented single values follow as ``object`` columns unless their name sounds like a secret: the
    first 200 of them, and ``fields_left_out``, which counts the others. `source_rows` are the service's
    rows if `rows` are not.
    """
    rows = list(rows)
    data: dict[str, Any] = {
        column.name: _build_array([column.read(row) for row in rows], column.dtype) for column in columns
    }
    for name, values in _collect_undocumented(
        rows if source_rows is None else source_rows, taken=data
    ).items():
        data[name] = pd.Series(values, dtype=object)
    frame: pd.DataFrame = pd.DataFrame(data)
    return frame


def plain(value: object) -> str | None:
    """Return a text or an enum member as a plain string."""
    return None if value is None else str(value)


def lines(values: Iterable[str]) -> str | None:
    """Join several values of one row as the lines of one text; ``None`` if there are none."""
    return "\n".join(values) or None


def _build_array(values: list[Any], dtype: Dtype) -> Any:
    if dtype == "timedelta64[us]":
        # pandas 2 reads timedeltas as nanoseconds, which end after 292 years.
        counts = [_NOT_A_TIME if value is None else value // _MICROSECOND for value in values]
        return np.array(counts, dtype="int64").view(dtype)
    if dtype == "string":
        return pd.array(
            [value if value is None else replace_surrogates(value) for value in values], dtype=STRING
        )
    return pd.array(values, dtype=dtype)


def _collect_undocumented(rows: Sequence[object], taken: Container[str]) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    left_out: list[object] = [None] * len(rows)
    for index, row in enumerate(rows):
        extra = row.model_extra if isinstance(row, BaseModel) else None
        beyond = 0
        for key, raw in (extra or {}).items():
            value = read_undocumented(key, raw)
            if value is None or (name := to_snake(key)) in taken:
                continue
            if name not in found:
                if len(found) == MAX_FIELDS:
                    beyond += 1
                    continue
                found[name] = [None] * len(rows)
            found[name][index] = value
        left_out[index] = beyond or None
    return {**found, FIELDS_LEFT_OUT: left_out} if any(left_out) else found

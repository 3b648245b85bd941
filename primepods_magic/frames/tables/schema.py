"""Declared columns, and frames built from them: dtypes come from the declaration, never from the values."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Generic, Literal, TypeVar

import numpy as np
import pandas as pd
from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from primepods_magic.api.fields.undocumented import FIELDS_LEFT_OUT, MAX_FIELDS, read_undocumented
from primepods_magic.api.text.sanitize import replace_surrogates

__all__ = ["SPAN", "STRING", "TIME", "Column", "Dtype", "Format", "build", "names_of", "pick"]

R = TypeVar("R")
Dtype = Literal["string", "Int64", "Float64", "boolean", "datetime64[us, UTC]", "timedelta64[us]"]
Format = Literal[
    "text",
    "strong",
    "code",
    "number",
    "duration",
    "long_time",
    "group",
    "amount",
    "billed",
    "cost",
    "part",
    "price",
    "unit_price",
    "share",
    "period",
    "badge",
    "installation",
]

STRING = pd.StringDtype("python")
"""Strings by reference, so that repeated ones are in memory once; Arrow's need more memory and time."""

TIME: Final = "datetime64[us, UTC]"
SPAN: Final = "timedelta64[us]"

_MICROSECOND = timedelta(microseconds=1)
_NOT_A_TIME = np.iinfo("int64").min


@dataclass(frozen=True)
class Column(Generic[R]):
    """One column of a frame: how it is built, saved, described and shown.

    `name` is in snake_case with its unit. `read` is a function of a row or a path of attributes, by default
    the name; several texts become the lines of one. Without a `doc` it means what the first table of the
    catalog with this name says; without a `format` its name decides. `max_length` limits the shown text.
    """

    name: str
    dtype: Dtype
    read: str | Callable[[R], object] = ""
    doc: str = ""
    format: Format | None = None
    max_length: int | None = None

    def read_from(self, row: R) -> object:
        """Read its value from a row; None if there is nothing on the way."""
        if callable(self.read):
            return self.read(row)
        value: object = row
        for name in (self.read or self.name).split("."):
            value = None if value is None else getattr(value, name)
        return value


def pick(columns: Iterable[Column[R]], names: str, **changes: Any) -> tuple[Column[R], ...]:
    """Return the named columns, in this order, with some of their fields changed."""
    by_name = {column.name: column for column in columns}
    return tuple(replace(by_name[name], **changes) for name in names.split())


def names_of(columns: Iterable[Column[Any]]) -> list[str]:
    """Return the names of columns."""
    return [column.name for column in columns]


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
        column.name: _build_array(list(map(column.read_from, rows)), column.dtype) for column in columns
    }
    for name, values in _collect_undocumented(
        rows if source_rows is None else source_rows, taken=data
    ).items():
        data[name] = pd.Series(values, dtype=object)
    frame: pd.DataFrame = pd.DataFrame(data)
    return frame


def _build_array(values: list[Any], dtype: Dtype) -> Any:
    if dtype == SPAN:
        # pandas 2 reads timedeltas as nanoseconds, which end after 292 years.
        counts = [_NOT_A_TIME if value is None else value // _MICROSECOND for value in values]
        return np.array(counts, dtype="int64").view(dtype)
    if dtype == "string":
        return pd.array(list(map(_to_text, values)), dtype=STRING)
    return pd.array(values, dtype=dtype)


def _to_text(value: object) -> str | None:
    """Return a value as text; several values as lines."""
    if isinstance(value, (list, tuple)):
        value = "\n".join(value) or None
    return None if value is None else replace_surrogates(str(value))


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

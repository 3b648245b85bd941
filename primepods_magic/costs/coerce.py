"""Columns of frames from any source, converted to our dtypes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pandas as pd

from primepods_magic.api.enums import STATUS_SYNONYMS, PodStatus
from primepods_magic.api.fields.lenient_types import LATEST, is_no_value, moment_in, parse_enum, timestamp_in
from primepods_magic.frames.tables.schema import STRING, TIME

__all__ = [
    "booleans",
    "column_of",
    "is_pod",
    "is_text",
    "life_spans",
    "numbers",
    "prices",
    "require",
    "statuses",
    "text",
    "times",
]


# Users' own frames may be older than the service, so only placeholders count as missing.
_SECOND_YEAR = datetime(2, 1, 1, tzinfo=timezone.utc)
# In any time zone.
_BEFORE_1970 = datetime(1969, 12, 31, tzinfo=timezone.utc)
_AFTER_1970 = datetime(1970, 1, 2, tzinfo=timezone.utc)


def require(frame: object, what: str, names: Iterable[str]) -> None:
    """Raise ValueError unless this is a frame with these columns, each once."""
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"{what} must be a DataFrame, not {type(frame).__name__}")
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise ValueError(f"{what} has no column {', '.join(absent)}")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"{what} has two columns {twice}")


def is_text(values: Any) -> bool:
    """Return whether a column holds text only; for object columns, judge the values that are not missing."""
    if isinstance(values.dtype, pd.StringDtype):
        return True
    return values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) == "string"


def column_of(frame: pd.DataFrame, name: str, dtype: str) -> pd.Series:
    """Return a column in one of our dtypes, all missing if there is none; ValueError if it holds others."""
    if name not in frame.columns:
        return pd.Series(index=frame.index, dtype=STRING if dtype == "string" else dtype)
    values = frame[name]
    if str(values.dtype) == dtype:
        return values
    try:
        return _READERS[dtype](values)  # type: ignore[no-any-return]
    except (ValueError, TypeError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"Cannot read the column {name} as {dtype}: {reason}") from None


def times(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as instants; naive ones are UTC.

    Placeholders for "no time", such as the year 1, become missing.
    """
    values = column_of(frame, name, TIME)
    never = (values < _SECOND_YEAR) | ((values > _BEFORE_1970) & (values < _AFTER_1970)) | (values >= LATEST)
    return values.mask(never) if never.any() else values


def numbers(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as ``Float64``; values that are not finite become missing."""
    values = column_of(frame, name, "Float64")
    finite = np.isfinite(values.to_numpy(dtype=float, na_value=np.nan))
    return values if finite.all() else values.where(finite, pd.NA)


def prices(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as ``Float64``; values below 0 become missing."""
    values = numbers(frame, name)
    return values.mask((values < 0).fillna(False), pd.NA)


def statuses(frame: pd.DataFrame) -> pd.Series:
    """Return the column ``status`` in the words of the documentation, as far as they are known."""
    values = text(frame, "status")
    words = {word: str(parse_enum(PodStatus, word, STATUS_SYNONYMS)) for word in values.dropna().unique()}
    return values.map(words).astype(STRING)


def life_spans(frame: pd.DataFrame, now: pd.Timestamp) -> tuple[pd.Series, pd.Series]:
    """Return the beginnings, and the ends up to now, of what lived; missing if unknown.

    An end before the beginning is ignored.
    """
    begin, end = times(frame, "created_at"), times(frame, "terminated_at")
    is_over = (end <= now) & ~(end < begin)
    until: pd.Series = end.where(is_over, now).astype(TIME)
    return begin, until


def text(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as ``string``; empty texts become missing."""
    values = column_of(frame, name, "string")
    return values.mask(values == "", pd.NA)


def booleans(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column as ``boolean``."""
    return column_of(frame, name, "boolean")


def _read_times(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values.dtype) and values.notna().any():
        raise ValueError("numbers are not times")
    read = values
    if not pd.api.types.is_datetime64_any_dtype(values.dtype):
        read = _parse_instants(values)
    elif values.dt.tz is None:
        read = values.dt.tz_localize("UTC")
    instants: pd.Series = read.dt.tz_convert("UTC").astype(TIME)
    return instants


def _parse_instants(values: pd.Series) -> pd.Series:
    try:
        return pd.to_datetime(values, utc=True, format="ISO8601")
    except (ValueError, OverflowError):
        # Parse other formats one by one, and the year 1, which is out of range for pandas 2.
        parsed = {value: timestamp_in(value) for value in values.dropna().unique()}
        for value, moment in parsed.items():
            if moment is None and not is_no_value(value) and moment_in(value) is None:
                raise
        return values.map(parsed).astype(TIME)


def _read_durations(values: pd.Series) -> pd.Series:
    return pd.to_timedelta(values).astype("timedelta64[us]")


def _read_numbers(values: pd.Series) -> pd.Series:
    if is_text(values):
        nothing = [value for value in values.dropna().unique() if is_no_value(value)]
        values = values.mask(values.isin(nothing), None)
    return pd.to_numeric(values).astype("Float64")


def _read_counts(values: pd.Series) -> pd.Series:
    return _read_numbers(values).astype("Int64")


def _read_text(values: pd.Series) -> pd.Series:
    return values.astype(STRING)


def _read_truths(values: pd.Series) -> pd.Series:
    if is_text(values):
        lowered = values.astype(STRING).str.lower()
        values = lowered.map({"true": True, "false": False})
    return values.astype("boolean")


_READERS: dict[str, Any] = {
    "string": _read_text,
    "Int64": _read_counts,
    "Float64": _read_numbers,
    "boolean": _read_truths,
    TIME: _read_times,
    "timedelta64[us]": _read_durations,
}


def is_pod(ledger: pd.DataFrame) -> pd.Series:
    """Return which rows are pods: those that say so, and those without a type."""
    if "type" not in ledger:
        everything: pd.Series = pd.Series(True, index=ledger.index)
        return everything
    codes, kinds = pd.factorize(ledger["type"])
    # Rows without a type have code -1, which indexes the last value.
    is_instance = np.array([*(str(kind).casefold() == "instance" for kind in kinds), True])
    rows: pd.Series = pd.Series(is_instance[codes], index=ledger.index)
    return rows

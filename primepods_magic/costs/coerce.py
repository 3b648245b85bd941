"""Columns as what they should be, wherever a frame comes from: the service, a file, somebody's hands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pandas as pd

from primepods_magic.api.enums import STATUS_SYNONYMS, PodStatus
from primepods_magic.api.fields.lenient_types import LATEST, is_no_value, moment_in, parse_enum, timestamp_in
from primepods_magic.frames.tables.schema import STRING

__all__ = [
    "column_of",
    "is_pod",
    "is_text",
    "lives",
    "numbers",
    "prices",
    "require",
    "statuses",
    "text",
    "times",
    "truths",
]


# Frames of one's own may be older than the service; only what stands for no time is none.
_SECOND_YEAR = datetime(2, 1, 1, tzinfo=timezone.utc)
# In any time zone.
_BEFORE_1970 = datetime(1969, 12, 31, tzinfo=timezone.utc)
_AFTER_1970 = datetime(1970, 1, 2, tzinfo=timezone.utc)


def require(frame: object, what: str, names: Iterable[str]) -> None:
    """Refuse what is not a frame with these columns.

    Raises
    ------
    ValueError
        One line that names what is missing.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"{what} is not a DataFrame but {type(frame).__name__}")
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise ValueError(f"{what} has no column {', '.join(absent)}")
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"{what} has two columns {twice}")


def is_text(values: Any) -> bool:
    """Whether a column holds text and nothing else; of pure objects, those that are there are asked."""
    if isinstance(values.dtype, pd.StringDtype):
        return True
    return values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) == "string"


def column_of(frame: pd.DataFrame, name: str, dtype: str) -> pd.Series:
    """A column in one of the dtypes of our frames; all missing where the frame has none of that name.

    Raises
    ------
    ValueError
        One line, where the column holds something else.
    """
    if name not in frame.columns:
        return pd.Series(index=frame.index, dtype=STRING if dtype == "string" else dtype)
    values = frame[name]
    if str(values.dtype) == dtype:
        return values
    try:
        return _READ[dtype](values)  # type: ignore[no-any-return]
    except (ValueError, TypeError, OverflowError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{name} cannot be read as {dtype}: {reason}") from None


def times(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column as instants, ``datetime64[us, UTC]``; naive ones are UTC. A time that stands for none, such as
    the year 1, is missing."""
    values = column_of(frame, name, "datetime64[us, UTC]")
    never = (values < _SECOND_YEAR) | ((values > _BEFORE_1970) & (values < _AFTER_1970)) | (values >= LATEST)
    return values.mask(never) if never.any() else values


def numbers(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column as ``Float64``; what is not finite is missing."""
    values = column_of(frame, name, "Float64")
    finite = np.isfinite(values.to_numpy(dtype=float, na_value=np.nan))
    return values if finite.all() else values.where(finite, pd.NA)


def prices(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column as ``Float64``; what is below 0 is no price, and missing."""
    values = numbers(frame, name)
    return values.mask((values < 0).fillna(False), pd.NA)


def statuses(frame: pd.DataFrame) -> pd.Series:
    """The column ``status`` in the words that the service's page has, as far as they are known."""
    values = text(frame, "status")
    words = {told: str(parse_enum(PodStatus, told, STATUS_SYNONYMS)) for told in values.dropna().unique()}
    return values.map(words).astype(STRING)


def lives(frame: pd.DataFrame, now: pd.Timestamp) -> tuple[pd.Series, pd.Series]:
    """From when to when each thing of a frame has lived: up to its end, or now; missing where not known. An
    end before the beginning is none."""
    begin, end = times(frame, "created_at"), times(frame, "terminated_at")
    is_over = (end <= now) & ~(end < begin)
    until: pd.Series = end.where(is_over, now).astype("datetime64[us, UTC]")
    return begin, until


def text(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column as ``string``; an empty text is a missing one."""
    values = column_of(frame, name, "string")
    return values.mask(values == "", pd.NA)


def truths(frame: pd.DataFrame, name: str) -> pd.Series:
    """A column as ``boolean``."""
    return column_of(frame, name, "boolean")


def _times(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values.dtype) and values.notna().any():
        raise ValueError("numbers are not times")
    read = values
    if not pd.api.types.is_datetime64_any_dtype(values.dtype):
        read = _instants(values)
    elif values.dt.tz is None:
        read = values.dt.tz_localize("UTC")
    instants: pd.Series = read.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return instants


def _instants(values: pd.Series) -> pd.Series:
    try:
        return pd.to_datetime(values, utc=True, format="ISO8601")
    except (ValueError, OverflowError):
        # Other forms are read one by one; so is the year 1, which pandas 2 does not reach.
        told = {value: timestamp_in(value) for value in values.dropna().unique()}
        for value, moment in told.items():
            if moment is None and not is_no_value(value) and moment_in(value) is None:
                raise
        return values.map(told).astype("datetime64[us, UTC]")


def _durations(values: pd.Series) -> pd.Series:
    return pd.to_timedelta(values).astype("timedelta64[us]")


def _numbers(values: pd.Series) -> pd.Series:
    if is_text(values):
        nothing = [value for value in values.dropna().unique() if is_no_value(value)]
        values = values.mask(values.isin(nothing), None)
    return pd.to_numeric(values).astype("Float64")


def _counts(values: pd.Series) -> pd.Series:
    return _numbers(values).astype("Int64")


def _text(values: pd.Series) -> pd.Series:
    return values.astype(STRING)


def _truths(values: pd.Series) -> pd.Series:
    if is_text(values):
        said = values.astype(STRING).str.lower()
        values = said.map({"true": True, "false": False})
    return values.astype("boolean")


_READ: dict[str, Any] = {
    "string": _text,
    "Int64": _counts,
    "Float64": _numbers,
    "boolean": _truths,
    "datetime64[us, UTC]": _times,
    "timedelta64[us]": _durations,
}


def is_pod(ledger: pd.DataFrame) -> pd.Series:
    """Which rows are pods: those that say so, and those that do not say what they are."""
    if "type" not in ledger:
        everything: pd.Series = pd.Series(True, index=ledger.index)
        return everything
    codes, kinds = pd.factorize(ledger["type"])
    # There are few kinds; the last one is that of rows that do not say it, whose code is -1.
    is_said = np.array([*(str(kind).casefold() == "instance" for kind in kinds), True])
    said: pd.Series = pd.Series(is_said[codes], index=ledger.index)
    return said

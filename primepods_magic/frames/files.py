"""Files of frames: CSV and Parquet, which keep their dtypes, and Excel."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone, tzinfo
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import pandas as pd

from primepods_magic.api.errors import InvalidRequest, NotConfigured
from primepods_magic.api.local.atomic_files import describe_error, read_plain_file, replace_users_file
from primepods_magic.api.local.folders import expand_path
from primepods_magic.api.text.sanitize import replace_surrogates, sanitize
from primepods_magic.api.text.time_zones import has_zone_data, zone
from primepods_magic.frames.tables.catalog import COLUMNS
from primepods_magic.frames.tables.schema import STRING, TIME

from .excel import write_excel
from .focus_text import spell_focus

__all__ = ["format_csv", "load_frame", "save_frame"]

T = TypeVar("T")

_DTYPES: dict[str, str] = {
    "project": "string",
    **{name: column.dtype for name, column in COLUMNS.items()},
}
# Of columns that users name as we do.
_UNITS = {
    "_at": TIME,
    "_usd": "Float64",
    "_usd_hr": "Float64",
    "_usd_gpu_hr": "Float64",
    "_gb": "Float64",
    "_hours": "Float64",
    "_count": "Int64",
}
# "-1 days +21:00:00.5": only the days are negative.
_LENGTH = re.compile(r"(-?\d+) days(?: \+?(\d+):(\d+):(\d+)(?:\.(\d+))?)?", re.ASCII)
# By ending: what is in the file, what it needs, and the extra that installs that.
_LIBRARIES = {".parquet": ("Parquet", "pyarrow", "parquet"), ".xlsx": ("Excel", "openpyxl", "excel")}
# Errors of pandas and pyarrow if a format cannot hold the values.
_UNSUITABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, NotImplementedError)
_SINGLE: dict[type, Any] = {bool: "boolean", int: "Int64", float: "Float64"}
_READ: dict[str, Callable[[str], Any]] = {
    "Int64": lambda text: int(_check_digits(text)),
    "Float64": lambda text: float(_check_digits(text)),
    "boolean": {"True": True, "False": False}.__getitem__,
}


def save_frame(frame: pd.DataFrame, path: str | Path) -> Path:
    """Write a frame to a file, without its index.

    Parameters
    ----------
    frame : pandas.DataFrame
        One of our frames, or a frame made from one.
    path : str or Path
        Ends in ``.csv``, ``.parquet`` or ``.xlsx``. An existing file is replaced once the new one is
        complete; of a symbolic link, the target is replaced. Excel files are for spreadsheets: their
        times are those of the frame without a zone, longer texts than 32,767 characters are cut, and
        `load_frame` does not read them.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidRequest
        The ending is another one, the file cannot be written, or the format cannot hold the frame. An
        existing file is unchanged.
    NotConfigured
        Parquet needs pyarrow or Excel needs openpyxl, which is not installed.

    Examples
    --------
    >>> save_frame(df, "history.parquet")                                    # doctest: +SKIP
    """
    target = expand_path(path)
    write = _choose_format(target, _WRITERS)
    names = [str(name) for name in frame.columns]
    if isinstance(frame.columns, pd.MultiIndex) or len(set(names)) < len(names):
        raise InvalidRequest(
            f"'{path}' cannot be written: each column needs its own name. The file was not changed"
        )
    frame = frame.set_axis(names, axis=1)
    frame = _unify_columns(frame)
    if not os.path.isdir(target.parent):
        raise InvalidRequest(f"'{path}' cannot be written: the folder does not exist")
    try:
        with replace_users_file(target) as file:
            write(frame, file)
    except OSError as error:
        raise InvalidRequest(f"'{path}' cannot be written: {describe_error(error)}") from None
    except _UNSUITABLE as error:
        raise InvalidRequest(f"'{path}' cannot hold this frame: {_describe_reason(error)}") from None
    return target


def format_csv(frame: pd.DataFrame) -> str:
    """Return a frame as the text of the CSV file that `save_frame` writes."""
    file = io.BytesIO()
    _write_csv(_unify_columns(frame), file)
    return file.getvalue().decode()


def load_frame(path: str | Path, *, tz: str = "UTC") -> pd.DataFrame:
    """Read a frame that `save_frame` has written, with its dtypes.

    A CSV file holds names of pods unchanged; a spreadsheet may read one that begins with ``=`` as a
    formula. It does not distinguish an empty text from a missing one, and does not hold time zones: empty
    texts come back missing, and periods in ``tz``. Text after a NUL is lost. Columns that are not ours come
    back as numbers or truth values if they look like these, else as text.

    Parameters
    ----------
    path : str or Path
        Ends in ``.csv`` or ``.parquet``.
    tz : str
        The time zone of the column ``period`` in a CSV file.

    Raises
    ------
    InvalidRequest
        The ending is another one, or the file cannot be read.
    NotConfigured
        Parquet needs pyarrow, which is not installed.

    Examples
    --------
    >>> load_frame("history.parquet").dtypes["billed_usd"]                   # doctest: +SKIP
    Float64Dtype()
    """
    source = expand_path(path)
    in_tz = _parse_zone(tz)
    try:
        if not source.is_file():
            read_plain_file(source)
        frame = _choose_format(source, _READERS)(source)
        typed = {str(name): _convert_column(str(name), frame[name]) for name in frame.columns}
        period = typed.get("period")
        if period is not None and isinstance(period.dtype, pd.DatetimeTZDtype):
            is_told = source.suffix.lower() != ".csv"
            typed["period"] = period.dt.tz_convert(_normalize_zone(period.dt.tz) if is_told else in_tz)
    except OSError as error:
        raise InvalidRequest(f"'{path}' cannot be read: {describe_error(error)}") from None
    except _UNSUITABLE:
        reason = "its content is not valid"
        if not has_zone_data():
            reason += ", or this computer lacks the time zone data for it: pip install tzdata"
        raise InvalidRequest(f"'{path}' cannot be read: {reason}") from None
    typed_frame: pd.DataFrame = pd.DataFrame(typed, index=frame.index)
    return typed_frame


def _parse_zone(tz: str) -> tzinfo:
    try:
        return zone(tz)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None


def _normalize_zone(tz: tzinfo) -> tzinfo:
    """Return the zone as `zone` has it, whichever library it is from."""
    try:
        return zone(str(tz))
    except ValueError:
        # A zone that is an offset, under a name of that library's own.
        offset = tz.utcoffset(None)
        return tz if offset is None else timezone(offset)


def _describe_reason(error: Exception) -> str:
    reason = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return sanitize(reason.partition("\n")[0])[:200] or type(error).__name__


def _choose_format(path: Path, formats: Mapping[str, T]) -> T:
    ending = path.suffix.lower()
    if ending not in formats:
        *others, last = formats
        raise InvalidRequest(f"'{path.name}' does not end in {', '.join(others)} or {last}")
    if ending in _LIBRARIES:
        files, library, extra = _LIBRARIES[ending]
        try:
            import_module(library)
        except ImportError:
            raise NotConfigured(
                f"{files} files need {library}: pip install 'primepods_magic[{extra}]'. "
                "CSV files work without it"
            ) from None
    return formats[ending]


def _write_csv(frame: pd.DataFrame, file: BinaryIO) -> None:
    frame = spell_focus(frame)
    texts = frame.select_dtypes("string")
    # An unquoted carriage return ends a row, and pandas does not quote it by itself.
    has_returns = any(texts[name].str.contains("\r", regex=False).any() for name in texts)
    frame.to_csv(
        file, mode="wb", index=False, quoting=csv.QUOTE_NONNUMERIC if has_returns else csv.QUOTE_MINIMAL
    )


def _write_parquet(frame: pd.DataFrame, file: BinaryIO) -> None:
    frame.to_parquet(file, index=False)


def _read_csv(path: Path) -> pd.DataFrame:
    # Read everything as text and convert it below; "NA" and "null" are ordinary names.
    try:
        frame = pd.read_csv(path, dtype=STRING, keep_default_na=False, na_values=[""])
    except pd.errors.EmptyDataError:
        if read_plain_file(path).strip() or not path.stat().st_size:
            raise
        # A frame without columns is written as empty lines.
        frame = pd.DataFrame()
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    return pd.read_parquet(path)


_WRITERS = {".csv": _write_csv, ".parquet": _write_parquet, ".xlsx": write_excel}
_READERS = {".csv": _read_csv, ".parquet": _read_parquet}


def _convert_column(name: str, column: pd.Series[Any]) -> Any:
    try:
        return _convert_declared(name, column)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        # A column of the user's own, under one of our names.
        return column


def _convert_declared(name: str, column: pd.Series[Any]) -> Any:
    dtype: Any = _find_dtype(name)
    is_text = isinstance(column.dtype, pd.StringDtype)
    if dtype == TIME:
        return _parse_times(column) if is_text else column.dt.as_unit("us")
    if dtype == "timedelta64[us]":
        return pd.Series(_parse_durations(column), column.index) if is_text else column.astype(dtype)
    if dtype is None and column.dtype == STRING:
        return _guess_column(column)
    if dtype in (None, "string"):
        return column.astype(STRING) if is_text else column
    return column.map(_READ[dtype], na_action="ignore").astype(dtype) if is_text else column.astype(dtype)


def _check_digits(text: str) -> str:
    if "_" in text or not text.isascii():
        raise ValueError(text)
    return text


def _parse_times(column: pd.Series[Any]) -> Any:
    try:
        return pd.to_datetime(column, format="ISO8601", utc=True).dt.as_unit("us")
    except ValueError:
        # pandas 2 reads times as nanoseconds, which began in 1677 and end in 2262; none reads an offset with
        # seconds, which local times had before time zones.
        values = [None if pd.isna(text) else datetime.fromisoformat(text) for text in column]
        utc = [moment and moment.astimezone(timezone.utc).replace(tzinfo=None) for moment in values]
        return pd.Series(pd.DatetimeIndex(np.array(utc, "datetime64[us]"), tz="UTC"), column.index)


def _parse_durations(column: pd.Series[Any]) -> Any:
    values = [np.timedelta64("NaT", "us") if pd.isna(text) else _parse_duration(text) for text in column]
    return np.array(values, "timedelta64[us]")


def _parse_duration(text: str) -> np.timedelta64:
    """Parse a duration as pandas writes it; pandas itself reads at most 300 years."""
    parts = _LENGTH.fullmatch(text)
    if parts is None:
        raise ValueError(text)
    days, hours, minutes, seconds, rest = parts.groups(default="0")
    whole = ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
    return np.timedelta64(whole * 1_000_000 + int(f"{rest:0<6}"[:6]), "us")


def _guess_column(column: pd.Series[Any]) -> Any:
    """Convert a column of the user's own to numbers or truth values if all values look like these."""
    values = column.dropna()
    if len(values) and values.isin(["True", "False"]).all():
        return column.map(_READ["boolean"], na_action="ignore").astype("boolean")
    for dtype in ("Int64", "Float64"):
        try:
            numbers = column.map(_READ[dtype], na_action="ignore").astype(dtype)
        except (ValueError, OverflowError):
            continue
        # "007" and " 5" parse as numbers, but are text.
        if [str(number) for number in numbers.dropna().tolist()] == values.tolist():
            return numbers
    return column


def _find_dtype(name: str) -> str | None:
    if name in _DTYPES:
        return _DTYPES[name]
    if name.startswith("is_"):
        return "boolean"
    return next((dtype for unit, dtype in _UNITS.items() if name.endswith(unit)), None)


def _is_plain_text(column: pd.Series[Any]) -> bool:
    """Return whether a column has the default text dtype of pandas 3, which may hold lone surrogates."""
    return isinstance(column.dtype, pd.StringDtype) and column.dtype != STRING


def _unify_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with one type in each column, as files hold it; undocumented values may have several."""
    loose = [name for name in frame if frame[name].dtype == object or _is_plain_text(frame[name])]
    unified: pd.DataFrame = frame.assign(**{str(name): _unify_types(frame[name]) for name in loose})
    return unified


def _unify_types(column: pd.Series[Any]) -> Any:
    kinds = {type(value) for value in column.dropna()}
    # Integers of more than 64 bits fit no numeric column, so they become text.
    is_text = len(kinds) > 1 or str in kinds or (int in kinds and not _fits_int64(column))
    if is_text:
        return column.map(lambda value: replace_surrogates(str(value)), na_action="ignore").astype(STRING)
    (kind,) = kinds or {float}
    return column.astype(_SINGLE[kind]) if kind in _SINGLE else column.convert_dtypes()


def _fits_int64(column: pd.Series[Any]) -> bool:
    return all(-(2**63) <= value < 2**63 for value in column.dropna())

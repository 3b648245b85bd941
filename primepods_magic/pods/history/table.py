"""Rows of the history in columns: 100,000 rows need no object for each.

Values are read as `primepods_magic.api.models.HistoryRow` reads them, one column at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property
from itertools import compress
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator
from pydantic.alias_generators import to_camel, to_snake

from primepods_magic.api.fields.lenient_types import EARLIEST, LATEST, is_no_value, moment_in
from primepods_magic.api.fields.undocumented import FIELDS_LEFT_OUT, MAX_FIELDS, read_undocumented
from primepods_magic.api.models import HistoryRow

__all__ = [
    "COUNTS",
    "MISSING",
    "NUMBERS",
    "ODD_TIME",
    "TEXTS",
    "TIMES",
    "UNREADABLE",
    "HistoryTable",
    "TextMemo",
]

Array: TypeAlias = npt.NDArray[Any]

# The model's own readers of values, by field and by the type that they return.
_READERS: dict[str, Callable[..., Any]] = {
    name: metadata.func
    for name, field in HistoryRow.model_fields.items()
    for metadata in field.metadata
    if isinstance(metadata, BeforeValidator)
}
TEXTS, TIMES, NUMBERS, COUNTS = (
    tuple(name for name in _READERS if HistoryRow.model_fields[name].annotation == kind | None)
    for kind in (str, datetime, float, int)
)
MISSING = int(np.iinfo("int64").min)
"""Stands for a missing time or count; numpy and pandas read it as NaT."""
ODD_TIME = 1
"""Flag of a row with a time without a zone, which is read as UTC."""
UNREADABLE = 2
"""Flag of a row with a value that cannot be parsed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
# "2026-09-01T12:00:00Z;", and with three or six digits of a second.
_PLAIN_TIMES = re.compile(
    r"(?:(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3}(?:[0-9]{3})?)?(?:Z|\+00:00);)+"
)


class TextMemo(dict[Any, Any]):
    """Texts of one field in several pages, each read and stored once: providers, people and GPUs are few."""

    def __init__(self, read: Callable[[object], str | None]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, value: Any) -> str | None:
        text = self[value] = self._read(value)
        return text


@dataclass(frozen=True, eq=False)
class HistoryTable:
    """Rows of the history, column by column, named by the API's fields in snake_case.

    Texts are ``object`` (None if missing), times ``int64`` microseconds since 1970 (UTC), counts ``int64``
    (`MISSING` if missing), USD ``float64`` (NaN if missing). `extras` holds undocumented scalar fields,
    `marks` the flags `ODD_TIME` and `UNREADABLE` of each row.

    >>> table = HistoryTable.of_rows([{"id": "a1", "gpuCount": "8", "createdAt": "2026-09-01T00:00:00Z"}])
    >>> len(table), table.columns["gpu_count"].tolist()
    (1, [8])
    """

    columns: dict[str, Array]
    extras: dict[str, Array] = field(default_factory=dict)
    marks: Array = field(default_factory=lambda: np.zeros(0, "uint8"))

    def __len__(self) -> int:
        return len(self.marks)

    @classmethod
    def of_rows(
        cls, rows: Sequence[dict[str, Any]], memos: dict[str, TextMemo] | None = None
    ) -> HistoryTable:
        """Read rows as decoded from JSON; the dictionaries are consumed. Pages may share `memos`."""
        values = {name: [row.pop(alias, None) for row in rows] for name, alias in _ALIASES.items()}
        extras: dict[str, Array] = {}
        for index, row in compress(enumerate(rows), rows):
            for key, value in row.items():
                name = to_snake(key)
                if name in values:
                    if values[name][index] is None:
                        values[name][index] = value
                elif name != FIELDS_LEFT_OUT and (scalar := read_undocumented(key, value)) is not None:
                    _put_extra(extras, name, index, scalar, len(rows))
        memos = {} if memos is None else memos
        marks = np.zeros(len(rows), "uint8")
        columns = {name: _read_texts(name, values[name], memos) for name in TEXTS}
        columns |= {name: _read_times(_READERS[name], values[name], marks) for name in TIMES}
        columns |= {name: _read_numbers(name, values[name], float, np.nan, marks) for name in NUMBERS}
        columns |= {name: _read_numbers(name, values[name], int, MISSING, marks) for name in COUNTS}
        return cls(columns, extras, marks)

    @classmethod
    def of_models(cls, rows: Iterable[HistoryRow]) -> HistoryTable:
        """Read rows that are parsed already."""
        dicts = [{**vars(row), **(row.model_extra or {})} for row in rows]
        return cls.of_rows(dicts)

    @classmethod
    def concatenate(cls, tables: Sequence[HistoryTable]) -> HistoryTable:
        """Concatenate tables; they are consumed, so that no row is in memory twice."""
        if not tables:
            return cls.of_rows([])
        if len(tables) == 1:
            return tables[0]
        extras = _limit_extras(tables)
        return cls(
            {name: np.concatenate([table.columns.pop(name) for table in tables]) for name in _READERS},
            {name: np.concatenate([table._get_extra(name) for table in tables]) for name in extras},
            np.concatenate([table.marks for table in tables]),
        )

    def __getitem__(self, which: slice | Array) -> HistoryTable:
        """Select rows."""
        return HistoryTable(
            {name: values[which] for name, values in self.columns.items()},
            {name: values[which] for name, values in self.extras.items()},
            self.marks[which],
        )

    def _get_extra(self, name: str) -> Array:
        values = self.extras.get(name)
        return np.full(len(self), None, object) if values is None else values

    def key(self, index: int) -> object:
        """Return a row's identity: its id, or else all fields that do not change."""
        row_id = self.columns["id"][index]
        if row_id is not None:
            return row_id
        return tuple(self.columns[name][index] for name in ("name", "created_at", "terminated_at", "user_id"))

    @cached_property
    def is_open(self) -> Array:
        """A ``bool`` array that marks rows that have not ended."""
        return np.asarray(self.columns["terminated_at"] == MISSING)

    def drop_duplicates(self) -> HistoryTable:
        """Keep the last of several rows with the same id."""
        ids = [key for key in self.columns["id"] if key is not None]
        if len(set(ids)) == len(ids):
            return self
        last = {key or index: index for index, key in enumerate(self.columns["id"])}
        return self[np.array(sorted(last.values()), "int64")]


def _put_extra(extras: dict[str, Array], name: str, index: int, value: object, rows: int) -> None:
    """Store a value in its column, or count it if there are enough columns already."""
    if name not in extras and len(extras) - (FIELDS_LEFT_OUT in extras) >= MAX_FIELDS:
        counts = _find_or_add(extras, FIELDS_LEFT_OUT, rows)
        counts[index] = (counts[index] or 0) + 1
    else:
        _find_or_add(extras, name, rows)[index] = value


def _limit_extras(tables: Sequence[HistoryTable]) -> list[str]:
    """Return the names of the tables' common extras; count the values of those beyond the limit."""
    names = list(dict.fromkeys(name for table in tables for name in table.extras))
    kept = [name for name in names if name != FIELDS_LEFT_OUT][:MAX_FIELDS]
    for table in tables:
        for name in table.extras.keys() - {*kept, FIELDS_LEFT_OUT}:
            counts = _find_or_add(table.extras, FIELDS_LEFT_OUT, len(table))
            for index, value in enumerate(table.extras.pop(name)):
                if value is not None:
                    counts[index] = (counts[index] or 0) + 1
    return kept + [FIELDS_LEFT_OUT] * any(FIELDS_LEFT_OUT in table.extras for table in tables)


def _find_or_add(extras: dict[str, Array], name: str, rows: int) -> Array:
    if name not in extras:
        extras[name] = np.full(rows, None, object)
    return extras[name]


def microseconds(moment: datetime) -> int:
    """Convert a time to microseconds since 1970 (UTC)."""
    return (moment - _EPOCH) // _MICROSECOND


_EARLIEST, _LATEST = microseconds(EARLIEST), microseconds(LATEST)
_ALIASES = {name: to_camel(name) for name in _READERS}


def _read_texts(name: str, values: list[Any], memos: dict[str, TextMemo]) -> Array:
    array = np.empty(len(values), object)
    # Ids differ, and 1 and True are equal, but not as texts.
    if name != "id" and set(map(type, values)) <= {str, type(None)}:
        memo = memos.setdefault(name, TextMemo(_READERS[name]))
        array[:] = list(map(memo.__getitem__, values))
    else:
        array[:] = list(map(_READERS[name], values))
    return array


def _read_times(read: Callable[[object], datetime | None], values: list[Any], marks: Array) -> Array:
    plain = _parse_plain_times(values)
    if plain is not None:
        return np.where((plain >= _EARLIEST) & (plain < _LATEST), plain, MISSING)
    moments = list(map(read, values))
    for index, (value, moment) in enumerate(zip(values, moments, strict=True)):
        if moment is None:
            # A placeholder such as the year 1 counts as missing.
            is_left_out = is_no_value(value) or moment_in(value) is not None
            marks[index] |= 0 if is_left_out else UNREADABLE
        elif isinstance(value, str) and read(f"{value}Z") is not None:
            # It could not be parsed with a second zone, so it has none.
            marks[index] |= ODD_TIME
    return np.array([MISSING if moment is None else microseconds(moment) for moment in moments], "int64")


def _parse_plain_times(values: list[Any]) -> Array | None:
    """Parse times in the form that nearly all have, or return None."""
    if set(map(type, values)) != {str}:
        return None
    # Check all at once: numpy alone would accept much that is not a time.
    joined = ";".join(values) + ";"
    if not _PLAIN_TIMES.fullmatch(joined):
        return None
    local = joined.replace("Z", "").replace("+00:00", "").split(";")[:-1]
    try:
        return np.array(local, "datetime64[us]").view("int64")
    except ValueError:
        return None


def _read_numbers(name: str, values: list[Any], kind: type, missing: float, marks: Array) -> Array:
    read, dtype = _READERS[name], "float64" if kind is float else "int64"
    # Plain numbers are valid if the least and the greatest are.
    if set(map(type, values)) == {kind} and None not in map(read, (min(values), max(values))):
        plain = np.array(values, dtype)
        if np.isfinite(plain).all():
            return plain
    numbers = list(map(read, values))
    for index, (value, number) in enumerate(zip(values, numbers, strict=True)):
        if number is None and not is_no_value(value):
            marks[index] |= UNREADABLE
    return np.array([missing if number is None else number for number in numbers], dtype)

"""Rows of the history in columns: 100,000 rows need no object for each.

Values are read as leniently as by `primepods_magic.api.models.HistoryRow`, one column at a time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property
from itertools import compress
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic.alias_generators import to_camel, to_snake

from primepods_magic.api.fields.lenient_types import (
    EARLIEST,
    LATEST,
    MOST,
    amount_in,
    is_no_value,
    moment_in,
    number_in,
    tally_in,
    text_in,
    timestamp_in,
)
from primepods_magic.api.fields.undocumented import FIELDS_LEFT_OUT, MAX_FIELDS, read_undocumented
from primepods_magic.api.models import HistoryRow
from primepods_magic.api.text.sanitize import replace_surrogates

__all__ = [
    "COUNTS",
    "MISSING",
    "NUMBERS",
    "ODD_TIME",
    "TEXTS",
    "TIMES",
    "UNREADABLE",
    "HistoryTable",
    "StringInterner",
]

Array: TypeAlias = npt.NDArray[Any]

TEXTS = (
    "id",
    "name",
    "type",
    "provider_type",
    "provisioned_by",
    "gpu_name",
    "socket",
    "user_id",
    "team_id",
)
TIMES = ("created_at", "terminated_at")
NUMBERS = ("price_hr", "total_billed_price")
COUNTS = ("gpu_count",)
MISSING = int(np.iinfo("int64").min)
"""Stands for a missing time or count; numpy and pandas read it as NaT."""
ODD_TIME = 1
"""Flag of a row with a time without a zone, which is read as UTC."""
UNREADABLE = 2
"""Flag of a row with a value that cannot be parsed."""

_FIELDS = (*TEXTS, *TIMES, *NUMBERS, *COUNTS)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
# "2026-09-01T12:00:00Z;", and with three or six digits of a second.
_PLAIN_TIMES = re.compile(
    r"(?:(?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3}(?:[0-9]{3})?)?(?:Z|\+00:00);)+"
)


class StringInterner(dict[Any, Any]):
    """Texts of several pages, each stored once: providers, people and GPU types are few."""

    def __missing__(self, word: Any) -> Any:
        kept = self[word] = word if word is None else replace_surrogates(word)
        return kept


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
    def of_rows(cls, rows: Sequence[dict[str, Any]], words: StringInterner | None = None) -> HistoryTable:
        """Read rows as decoded from JSON; the dictionaries are consumed."""
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
        return cls._from_values(values, extras, StringInterner() if words is None else words)

    @classmethod
    def of_models(cls, rows: Iterable[HistoryRow]) -> HistoryTable:
        """Read rows that are parsed already."""
        dicts = [{**vars(row), **(row.model_extra or {})} for row in rows]
        return cls.of_rows(dicts)

    @classmethod
    def _from_values(
        cls, values: Mapping[str, list[Any]], extras: dict[str, Array], words: StringInterner
    ) -> HistoryTable:
        marks = np.zeros(len(values["id"]), "uint8")
        columns = {name: _read_texts(values[name], None if name == "id" else words) for name in TEXTS[:2]}
        columns |= {name: _read_labels(values[name], words) for name in TEXTS[2:]}
        columns |= {name: _read_times(values[name], marks) for name in TIMES}
        columns["price_hr"] = _read_numbers(values["price_hr"], amount_in, 0.0, marks)
        # A credit is a total below 0.
        columns["total_billed_price"] = _read_numbers(values["total_billed_price"], number_in, -np.inf, marks)
        columns |= {name: _read_counts(values[name], marks) for name in COUNTS}
        return cls(columns, extras, marks)

    @classmethod
    def concatenate(cls, tables: Sequence[HistoryTable]) -> HistoryTable:
        """Concatenate tables; they are consumed, so that no row is in memory twice."""
        if not tables:
            return cls.of_rows([])
        if len(tables) == 1:
            return tables[0]
        extras = _limit_extras(tables)
        return cls(
            {name: np.concatenate([table.columns.pop(name) for table in tables]) for name in _FIELDS},
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
_ALIASES = {name: to_camel(name) for name in _FIELDS}


def _read_texts(values: list[Any], words: StringInterner | None) -> Array:
    if not set(map(type, values)) <= {str, type(None)}:
        values = [text_in(value) for value in values]
    if words is not None:
        read = list(map(words.__getitem__, values))
    elif all(value is not None and value.isascii() for value in values):
        read = values
    else:
        read = [None if value is None else replace_surrogates(value) for value in values]
    array = np.empty(len(read), object)
    array[:] = read
    return array


def _read_labels(values: list[Any], words: StringInterner) -> Array:
    array = _read_texts(values, words)
    for nothing in filter(is_no_value, {*array} - {None}):
        array[array == nothing] = None
    return array


def _read_times(values: list[Any], marks: Array) -> Array:
    plain = _parse_plain_times(values)
    if plain is not None:
        return np.where((plain >= _EARLIEST) & (plain < _LATEST), plain, MISSING)
    moments = [timestamp_in(value) for value in values]
    for index, (value, moment) in enumerate(zip(values, moments, strict=True)):
        if moment is None:
            # A placeholder such as the year 1 counts as missing.
            is_left_out = is_no_value(value) or moment_in(value) is not None
            marks[index] |= 0 if is_left_out else UNREADABLE
        elif isinstance(value, str) and timestamp_in(f"{value}Z") is not None:
            # It could not be parsed with a second zone, so it has none.
            marks[index] |= ODD_TIME
    counts = [MISSING if moment is None else microseconds(moment) for moment in moments]
    return np.array(counts, "int64")


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


def _read_numbers(
    values: list[Any], read: Callable[[object], float | None], min_value: float, marks: Array
) -> Array:
    if set(map(type, values)) <= {float}:
        plain = np.array(values, "float64")
        if (np.isfinite(plain) & (plain >= min_value)).all():
            return plain
    return _read_each(values, read, np.nan, "float64", marks)


def _read_counts(values: list[Any], marks: Array) -> Array:
    if set(map(type, values)) <= {int} and all(0 <= value <= MOST for value in values):
        return np.array(values, "int64")
    return _read_each(values, tally_in, MISSING, "int64", marks)


def _read_each(
    values: list[Any], read: Callable[[object], float | None], missing: float, dtype: str, marks: Array
) -> Array:
    numbers = [read(value) for value in values]
    for index, (value, number) in enumerate(zip(values, numbers, strict=True)):
        if number is None and not is_no_value(value):
            marks[index] |= UNREADABLE
    return np.array([missing if number is None else number for number in numbers], dtype)

"""Exact conversion of a history table to bytes, one piece per column, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import numpy as np

from .table import COUNTS, NUMBERS, TEXTS, TIMES, Array, HistoryTable

__all__ = ["pack_table", "unpack_table"]

_NUMERIC = {**dict.fromkeys((*TIMES, *COUNTS), "<i8"), **dict.fromkeys(NUMBERS, "<f8")}
_MARKS = "marks"
_WORDS = " words"
_EXTRA = "extra "


def pack_table(table: HistoryTable) -> Iterator[tuple[str, bytes]]:
    """Yield each column's name and bytes: numbers as in memory, texts as codes and their JSON list.

    >>> table = HistoryTable.of_rows([{"id": "a1", "priceHr": 2.39}])
    >>> unpack_table(dict(pack_table(table)), 1).columns["price_hr"].tolist()
    [2.39]
    """
    for name, dtype in _NUMERIC.items():
        yield name, table.columns[name].astype(dtype).tobytes()
    yield _MARKS, table.marks.tobytes()
    for name in TEXTS:
        codes_by_text: dict[str | None, int] = {}
        codes = (codes_by_text.setdefault(text, len(codes_by_text)) for text in table.columns[name])
        yield name, np.fromiter(codes, "<i4", len(table)).tobytes()
        yield name + _WORDS, json.dumps(list(codes_by_text)).encode()
    for name, values in table.extras.items():
        yield _EXTRA + name, json.dumps(values.tolist()).encode()


def unpack_table(data: Mapping[str, bytes], rows: int) -> HistoryTable:
    """Rebuild a table of `rows` rows from its bytes.

    Raises ValueError, KeyError, IndexError or TypeError if they are corrupt.
    """
    columns: dict[str, Array] = {
        name: np.frombuffer(data[name], dtype).astype(dtype[1:]) for name, dtype in _NUMERIC.items()
    }
    for name in TEXTS:
        words = np.array([*json.loads(data[name + _WORDS]), None], object)[:-1]
        columns[name] = words[np.frombuffer(data[name], "<i4")]
    extras = {
        name.removeprefix(_EXTRA): _make_object_array(json.loads(data[name]))
        for name in data
        if name.startswith(_EXTRA)
    }
    table = HistoryTable(columns, extras, np.frombuffer(data[_MARKS], "uint8"))
    if {len(values) for values in (*columns.values(), *extras.values(), table.marks)} != {rows}:
        raise ValueError("columns of different lengths")
    return table


def _make_object_array(values: list[object]) -> Array:
    array = np.empty(len(values), object)
    array[:] = values
    return array

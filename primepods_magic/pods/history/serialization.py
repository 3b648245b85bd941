"""Exact conversion of a history table to an archive of its columns, and back."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from .table import COUNTS, NUMBERS, TEXTS, TIMES, Array, HistoryTable

__all__ = ["pack_table", "unpack_table"]

_NUMERIC = (*TIMES, *COUNTS, *NUMBERS)
_MARKS, _TEXTS = "marks", "texts"


def pack_table(table: HistoryTable) -> memoryview:
    """Pack a table as an ``.npz`` archive; texts are codes and, in JSON, their list.

    >>> unpack_table(pack_table(HistoryTable.of_rows([{"id": "a1", "priceHr": 2.39}]))).columns["price_hr"]
    array([2.39])
    """
    arrays: dict[str, Any] = {_MARKS: table.marks, **{name: table.columns[name] for name in _NUMERIC}}
    words: dict[str, list[str | None]] = {}
    for name in TEXTS:
        codes_by_text: dict[str | None, int] = {}
        codes = (codes_by_text.setdefault(text, len(codes_by_text)) for text in table.columns[name])
        arrays[name] = np.fromiter(codes, "int32", len(table))
        words[name] = list(codes_by_text)
    extras = {name: values.tolist() for name, values in table.extras.items()}
    arrays[_TEXTS] = np.frombuffer(json.dumps([words, extras]).encode(), "uint8")
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getbuffer()


def unpack_table(data: bytes | memoryview) -> HistoryTable:
    """Rebuild a table from an undamaged archive."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        words, extras = json.loads(arrays[_TEXTS].tobytes())
        columns = {name: arrays[name] for name in _NUMERIC}
        columns |= {name: _make_object_array(words[name])[arrays[name]] for name in TEXTS}
        named = {name: _make_object_array(values) for name, values in extras.items()}
        return HistoryTable(columns, named, arrays[_MARKS])


def _make_object_array(values: list[object]) -> Array:
    array = np.empty(len(values), object)
    array[:] = values
    return array

"""Series, frames and indexes of pandas as descriptions, column by column.

Columns are the raw arrays of NumPy that they consist of. No parser of another library reads what a pod
sends, and the two sides may have different versions of pandas and pyarrow, or no pyarrow.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from .arrays import describe_array
from .coding import Decoder, Encoder, Node, Reader
from .packing import BadValue
from .plain import describe_items, read_items
from .table_scalars import SCALAR_READERS, SCALAR_WRITERS, check_frequency, read_pandas_zone
from .times import describe_zone

__all__ = ["TABLE_READERS", "find_table_writer"]

_INDEXES = (
    "Index", "RangeIndex", "MultiIndex", "DatetimeIndex", "TimedeltaIndex", "PeriodIndex", "CategoricalIndex",
    "IntervalIndex", "NumericIndex", "Int64Index", "Float64Index", "UInt64Index",
)  # fmt: skip
_MASKED = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64")
_MAX_LABELS = 10_000
_UNITS = ("s", "ms", "us", "ns")
_MAX_UNUSED = 1_000_000
"""Categories, or values of a level, that are more than their codes."""


def find_table_writer(root: str, name: str) -> Callable[[Encoder, Any], Node] | None:
    """Return what describes values of a class of pandas."""
    if root != "pandas":
        return None
    return _describe_index if name in _INDEXES else _WRITERS.get(name, _describe_values)


# Frames, series and indexes


def _describe_frame(encoder: Encoder, value: Any) -> Node:
    encoder.need("pandas")
    encoder.note_use(value)
    _note_lost(encoder, value)
    columns = [
        _describe_column(encoder, value.iloc[:, number], f"[{str(name)[:40]!r}]")
        for number, name in enumerate(value.columns)
    ]
    has_text = [_note_column(encoder, name, column) for name, column in zip(value.columns, columns)]
    if any(has_text):
        _note_labels(encoder, value.index)
    return ["frame", _describe_index(encoder, value.columns), _describe_index(encoder, value.index), columns]


def _describe_series(encoder: Encoder, value: Any) -> Node:
    encoder.need("pandas")
    encoder.note_use(value)
    _note_lost(encoder, value)
    name = encoder.encode(value.name, ".name")
    column = _describe_column(encoder, value, "")
    if _note_column(encoder, value.name, column):
        _note_labels(encoder, value.index)
    return ["series", name, _describe_index(encoder, value.index), column]


def _note_column(encoder: Encoder, name: Any, column: Node) -> bool:
    """Note the name of a column that may hold text, or may be text in part; return whether it may hold it."""
    has_text = column[0] in ("text", "string", "objects", "category")
    if has_text or type(name) is tuple:
        _note_label(encoder, name)
    return has_text


def _note_labels(encoder: Encoder, index: Any) -> None:
    """Note the labels of rows that may hold text."""
    if index.dtype.kind == "O":
        for label in index[:_MAX_LABELS]:
            _note_label(encoder, label)


def _note_label(encoder: Encoder, label: Any) -> None:
    for part in label if type(label) is tuple else (label,):
        if type(part) is str:
            encoder.columns.setdefault(part, f"{encoder.place}[{part!r:.40}]")


def _note_lost(encoder: Encoder, value: Any) -> None:
    if value.attrs:
        encoder.note("has no attrs there")
    if not value.flags.allows_duplicate_labels:
        encoder.note("allows duplicate labels there")


def _describe_index(encoder: Encoder, value: Any) -> Node:
    encoder.need("pandas")
    names = [encoder.encode(name, ".name") for name in value.names]
    kind = type(value).__name__
    if kind == "RangeIndex":
        return ["index", "range", [int(value.start), int(value.stop), int(value.step)], names]
    if kind == "MultiIndex":
        levels = [_describe_index(encoder, level) for level in value.levels]
        codes = [_describe_numbers(encoder, codes) for codes in value.codes]
        return ["index", "multi", [levels, codes], names]
    column = _describe_column(encoder, value, ".index")
    frequency = getattr(value, "freqstr", None) if kind in ("DatetimeIndex", "TimedeltaIndex") else None
    return ["index", "values", [column, frequency], names]


def _describe_numbers(encoder: Encoder, values: Any) -> Node:
    import numpy as np

    return describe_array(encoder, np.array(values))


def _describe_values(encoder: Encoder, value: Any) -> Node:
    """Describe an extension array, or refuse what is not data."""
    encoder.need("pandas")
    if not hasattr(value, "dtype") or not hasattr(value, "isna"):
        raise encoder.refuse(f"is a {type(value).__name__} of pandas, which cannot be sent")
    encoder.note_use(value)
    return ["values", _describe_column(encoder, value, "")]


def _describe_column(encoder: Encoder, column: Any, place: str) -> Node:
    """Describe the values of a series, an index or an extension array, and their dtype."""
    import numpy as np

    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return _describe_numpy_column(encoder, column, place)
    kind = type(dtype).__name__
    if kind == "StringDtype":
        return _describe_text_column(encoder, column)
    if str(dtype) in _MASKED or kind == "BooleanDtype":
        mask = _describe_numbers(encoder, column.isna())
        plain = dtype.numpy_dtype if kind != "BooleanDtype" else bool
        values = column.to_numpy(dtype=plain, na_value=plain(0) if plain is bool else 0)
        return ["masked", _describe_numbers(encoder, values), mask]
    if kind == "CategoricalDtype":
        codes = column.cat.codes if hasattr(column, "cat") else column.codes
        categories = _describe_index(encoder, dtype.categories)
        return ["category", categories, _describe_numbers(encoder, codes), bool(dtype.ordered)]
    if kind == "DatetimeTZDtype":
        array = getattr(column, "array", column)
        instants = np.asarray(array.astype("int64"))
        return ["zoned", dtype.unit, describe_zone(encoder, dtype.tz), _describe_numbers(encoder, instants)]
    if kind == "PeriodDtype":
        ordinals = np.asarray(getattr(column, "array", column).astype("int64"))
        return ["period", dtype.name[len("period[") : -1], _describe_numbers(encoder, ordinals)]
    if kind == "IntervalDtype":
        array = getattr(column, "array", column)
        sides = [_describe_column(encoder, side, place) for side in (array.left, array.right)]
        return ["interval", dtype.closed, *sides]
    raise encoder.refuse(
        f"{place and f'(column {place[1:-1]}) '}has the dtype {dtype}, which cannot be sent. "
        "Convert it with .astype(…) first"
    )


def _describe_numpy_column(encoder: Encoder, column: Any, place: str) -> Node:
    import numpy as np

    if column.dtype != object:
        return ["plain", _describe_numbers(encoder, column.to_numpy())]
    items = list(column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column))
    if not _has_text_dtype() and _is_text(items):
        # What an older pandas has for text: a newer one has another dtype for it.
        return ["text", describe_items(encoder, [item if type(item) is str else None for item in items])]
    return ["objects", describe_items(encoder, items)]


def _is_text(items: List[Any]) -> bool:
    kinds = set(map(type, items))
    return (
        str in kinds and kinds <= {str, float} and all(item != item for item in items if type(item) is float)
    )


def _has_text_dtype() -> bool:
    """Return whether text has a dtype of its own by default, as it has since pandas 3."""
    import pandas as pd

    return bool(pd.Series(["a"]).dtype != object)


def _describe_text_column(encoder: Encoder, column: Any) -> Node:
    items = column.to_numpy(dtype=object, na_value=None).tolist()
    node = describe_items(encoder, items)
    if isinstance(column.dtype.na_value, float):
        return ["text", node]
    return ["string", column.dtype.storage, node]


def _read_column(decoder: Decoder, node: Any) -> Any:
    """Return the values of a column: an array of one dimension."""
    import numpy as np
    import pandas as pd

    if type(node) is not list or not node or type(node[0]) is not str:
        raise BadValue("not a column")
    kind, rest = node[0], node[1:]
    values: Any
    if kind == "plain":
        values = _read_numbers(decoder, rest[0])
        if values.dtype.kind not in "biufcmM":
            raise BadValue("not a column")
        return values
    if kind == "text":
        items = [float("nan") if item is None else item for item in _read_texts(decoder, rest[0])]
        return pd.Series(items, dtype="str" if _has_text_dtype() else object).array
    if kind == "objects":
        values = np.empty(len(items := read_items(decoder, rest[0])), dtype=object)
        for index, item in enumerate(items):
            values[index] = item
        return pd.Series(values, dtype=object).array
    if kind == "string":
        return _read_string_column(rest[0], _read_texts(decoder, rest[1]))
    if kind == "masked":
        return _read_masked(_read_numbers(decoder, rest[0]), _read_numbers(decoder, rest[1]))
    if kind == "category":
        codes = _read_numbers(decoder, rest[1])
        categories = _read_level(decoder, rest[0], codes)
        return pd.Categorical.from_codes(codes, categories=categories, ordered=rest[2] is True)
    if kind == "zoned":
        instants = _read_numbers(decoder, rest[2])
        if rest[0] not in _UNITS or instants.dtype != "int64":
            raise BadValue("not a column of times")
        times = pd.Series(instants.view(f"M8[{rest[0]}]")).dt.tz_localize("UTC")
        return times.dt.tz_convert(read_pandas_zone(decoder, rest[1])).array
    if kind == "period":
        dtype: Any = pd.PeriodDtype(check_frequency(rest[0]))
        return pd.arrays.PeriodArray(_read_numbers(decoder, rest[1]), dtype=dtype)
    if kind == "interval" and rest[0] in ("left", "right", "both", "neither"):
        left, right = (_read_column(decoder, side) for side in rest[1:])
        return pd.arrays.IntervalArray.from_arrays(left, right, closed=rest[0])
    raise BadValue("not a column")


def _read_numbers(decoder: Decoder, node: Any) -> Any:
    """Return an array of NumPy of one dimension."""
    if type(node) is not list or node[:1] != ["array"]:
        raise BadValue("not an array")
    values = decoder.decode(node)
    if values.ndim != 1:
        raise BadValue("not an array of one dimension")
    return values


def _read_texts(decoder: Decoder, node: Any) -> List[Any]:
    items = read_items(decoder, node)
    if not set(map(type, items)) <= {str, type(None)}:
        raise BadValue("not text")
    return items


def _read_string_column(storage: Any, items: List[Any]) -> Any:
    import pandas as pd

    wanted: Any = "string"
    if storage in ("python", "pyarrow"):
        try:
            wanted = pd.StringDtype(storage)
        except ImportError:
            wanted = pd.StringDtype("python")
    return pd.array([pd.NA if item is None else item for item in items], dtype=wanted)


def _read_masked(values: Any, mask: Any) -> Any:
    import pandas as pd

    if mask.dtype != bool or len(mask) != len(values):
        raise BadValue("not a column with missing values")
    kinds: Any = {
        "b": pd.arrays.BooleanArray,
        "i": pd.arrays.IntegerArray,
        "u": pd.arrays.IntegerArray,
        "f": pd.arrays.FloatingArray,
    }
    return kinds[values.dtype.kind](values, mask)


def _read_index(decoder: Decoder, rest: List[Any]) -> Any:
    import pandas as pd

    kind, details, names = rest
    names = [decoder.decode(name) for name in names]
    index: Any
    if kind == "range":
        start, stop, step = (decoder.decode_as(int, number) for number in details)
        index = pd.RangeIndex(start, stop, step)
    elif kind == "multi":
        codes = [_read_numbers(decoder, numbers) for numbers in details[1]]
        if len(details[0]) != len(codes):
            raise BadValue("an index whose levels and codes are not as many")
        levels = [_read_level(decoder, level, numbers) for level, numbers in zip(details[0], codes)]
        return pd.MultiIndex(levels=levels, codes=codes, names=names, verify_integrity=True)
    elif kind == "values":
        values = _read_column(decoder, details[0])
        index = pd.Index(values, dtype=values.dtype)
        if details[1] is not None:
            _set_frequency(index, check_frequency(details[1]))
    else:
        raise BadValue("not an index")
    index.names = names
    return index


def _read_level(decoder: Decoder, node: Any, codes: Any) -> Any:
    """Return an index that codes refer to; pandas makes an array of a range, however few its codes are."""
    level = _read_index(decoder, node[1:])
    if len(level) > len(codes) + _MAX_UNUSED:
        raise BadValue("an index that is much longer than what refers to it")
    return level


def _set_frequency(index: Any, frequency: str) -> None:
    try:
        index.freq = frequency
    except (AttributeError, ValueError, TypeError):
        # Versions of pandas have other names for some; the values are the same.
        return


def _read_frame(decoder: Decoder, rest: List[Any]) -> Any:
    import pandas as pd

    columns_node, index_node, nodes = rest
    columns, index = _read_index(decoder, columns_node[1:]), _read_index(decoder, index_node[1:])
    values = [_read_column(decoder, node) for node in nodes]
    if len(values) != len(columns) or any(len(each) != len(index) for each in values):
        raise BadValue("a frame whose columns have other lengths")
    pairs = {number: pd.Series(each, index=index, dtype=each.dtype) for number, each in enumerate(values)}
    frame = pd.DataFrame(pairs, index=index)
    frame.columns = columns
    return frame


def _read_series(decoder: Decoder, rest: List[Any]) -> Any:
    import pandas as pd

    name, index_node, node = rest
    index, values = _read_index(decoder, index_node[1:]), _read_column(decoder, node)
    if len(index) != len(values):
        raise BadValue("a series whose index has another length")
    return pd.Series(values, index=index, dtype=values.dtype, name=decoder.decode(name))


def _read_values(decoder: Decoder, rest: List[Any]) -> Any:
    import pandas as pd

    values = _read_column(decoder, rest[0])
    return pd.Series(values, dtype=values.dtype).array


_WRITERS: Dict[str, Callable[[Encoder, Any], Node]] = {
    "DataFrame": _describe_frame,
    "Series": _describe_series,
    **SCALAR_WRITERS,
}

TABLE_READERS: Dict[str, Reader] = {
    "frame": _read_frame,
    "series": _read_series,
    "index": _read_index,
    "values": _read_values,
    **SCALAR_READERS,
}

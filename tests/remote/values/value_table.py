"""Values to send, as code that every Python can run, and what is compared of them.

Runs in any Python from 3.8 on, with or without the packages of a row:
``value_table.py ARCHIVE IN OUT`` takes what it is sent, and sends its own.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import Any

PREPARE = """
import collections, dataclasses, datetime as dt, decimal, fractions, math, pathlib, uuid
try:
    from zoneinfo import ZoneInfo
except ImportError:
    try:
        from dateutil.tz import gettz as ZoneInfo
    except ImportError:
        pass
@dataclasses.dataclass
class Point:
    x: int
    y: object = None
def nest(depth):
    value = []
    for _ in range(depth): value = [value]
    return value
"""

PLAIN = {
    "none": "None",
    "bools": "[True, False]",
    "ints": "[0, -1, 2**31, 2**53 + 1, -2**63, 2**63 - 1, 2**63]",
    "huge int": "7 ** 20000",
    "negative huge int": "-(2 ** 4000)",
    "floats": "[0.1, -0.0, 5e-324, 1.7976931348623157e308, 1e16]",
    "special floats": "[math.nan, math.inf, -math.inf]",
    "many floats": "[n / 7 for n in range(100)] + [math.nan, -0.0]",
    "many ints": "list(range(-50, 50)) + [2**63 - 1, -2**63]",
    "many large ints": "[2**64 + n for n in range(40)]",
    "mixed numbers": "[1, 1.0, True, 1j] * 20",
    "complex": "complex(-0.0, math.inf)",
    "text": "'Grüße, 世界, \\U0001f600, \\x00\\n'",
    "long text": "'ab\\u00e9' * 1000",
    "surrogates": "['\\ud800', '\\ud83d\\ude00', 'x\\udfff']",
    "many texts": "['text %d' % n for n in range(50)] + ['', '\\ud83d\\ude00', None]",
    "bytes": "[b'', b'\\x00\\xff', bytearray(b'ab')]",
    "empty": "[[], (), {}, set(), frozenset(), '', b'']",
    "nested": "{'a': [1, (2, {'b': {3.5, 'c'}})], 'd': frozenset([1])}",
    "order": "{'z': 1, 'a': 2, 'm': {'y': 1, 'b': 2}}",
    "odd keys": "{1: 'a', (2, 'b'): 'c', None: 'd', 1.5: 'e', b'f': 'g', frozenset([1]): 'h'}",
    "deep": "nest(100)",
    "range and slice": "[range(1, 10, 3), slice(None, 5, -1), ...]",
    "collections": "[collections.OrderedDict(b=1, a=2), collections.Counter('aab'), "
    "collections.deque([1, 2], 3), collections.defaultdict(list, a=[1])]",
    "dates": "[dt.date(2026, 9, 14), dt.datetime(2026, 9, 14, 12, 0, 0, 123456), dt.time(1, 2, 3, 4)]",
    "timedelta": "dt.timedelta(-1, 5, 7)",
    "fixed offset": "dt.datetime(2026, 9, 14, tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30)))",
    "named offset": "dt.datetime(2026, 9, 14, tzinfo=dt.timezone(dt.timedelta(hours=1), 'X'))",
    "zones": "[dt.timezone.utc, dt.timezone(dt.timedelta(hours=1))]",
    "utc": "dt.datetime(2026, 9, 14, tzinfo=dt.timezone.utc)",
    "decimals": "[decimal.Decimal(t) for t in ('1.10', '-0', 'NaN', 'Infinity', '1E+400', '12e-9')]",
    "fractions": "fractions.Fraction(-2, 2**70)",
    "uuid": "uuid.UUID(int=5)",
    "paths": "[pathlib.Path('/a/b c'), pathlib.PurePosixPath('x'), pathlib.PureWindowsPath('C:/x')]",
}
AS_DICTS = {"dataclass": ("Point(1, [Point(2)])", "{'x': 1, 'y': [{'x': 2, 'y': None}]}")}

ZONES = {
    "zone": "dt.datetime(2026, 7, 14, 12, tzinfo=ZoneInfo('Asia/Tokyo'))",
    "fold": "dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo('Europe/Berlin'), fold=1)",
}
NUMPY = {
    "array": "np.arange(12.0).reshape(3, 4)",
    "bool array": "np.array([True, False])",
    "int8": "np.arange(-5, 5, dtype='i1')",
    "uint64": "np.array([2**64 - 1], dtype='u8')",
    "float16": "np.array([1.5, np.nan, -0.0], dtype='f2')",
    "complex64": "np.array([1 + 2j], dtype='c8')",
    "long double": "np.array([1, 3], dtype=np.longdouble) / 3",
    "big-endian": "np.arange(5, dtype='>i4')",
    "fortran": "np.asfortranarray(np.arange(6).reshape(2, 3))",
    "not contiguous": "np.arange(20).reshape(4, 5)[::2, ::-2]",
    "zero-size": "np.empty((0, 3, 0), dtype='f4')",
    "zero dimensions": "np.array(5.5)",
    "transposed": "np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2)",
    "text array": "np.array(['ab', 'ü', ''])",
    "bytes array": "np.array([b'ab', b''])",
    "void": "np.array([b'abc'], dtype='V3')",
    "dates array": "np.array(['2026-09-14', 'NaT'], dtype='M8[D]')",
    "times array": "np.array(['2026-09-14T01:02:03.123456789'], dtype='M8[ns]')",
    "timedelta array": "np.array([1, 2], dtype='m8[25s]')",
    "structured": "np.array([(1, 2.5, 'x')], dtype=[('a', '<i2'), ('b', '>f8'), ('c', 'U3')])",
    "padded": "np.zeros(2, dtype=np.dtype({'names': ['a', 'b'], 'formats': ['u1', 'f8']}, align=True))",
    "sub-arrays": "np.zeros(2, dtype=[('m', 'f4', (2, 2)), ('n', [('o', 'i8')])])",
    "objects": "np.array(['a', None, [1, 2], 2**70], dtype=object)",
    "object matrix": "np.array([['a', 'b'], ['c', 'd']], dtype=object)",
    "scalars": "[np.float32(1.1), np.int64(-3), np.bool_(True), np.str_('x'), np.datetime64('2026'), "
    "np.float64('nan')]",
    "broadcast": "np.broadcast_to(np.arange(3), (4, 3))",
}

PANDAS = {
    "series": "pd.Series([1, 2, 3], name='n', index=[10, 20, 30])",
    "frame": "pd.DataFrame({'b': [1, 2], 'a': [0.5, np.nan], 'c': ['x', 'y']})",
    "empty frame": "pd.DataFrame()",
    "no rows": "pd.DataFrame({'a': pd.Series([], dtype='f4'), 'b': pd.Series([], dtype=object)})",
    "no columns": "pd.DataFrame(index=pd.Index(['x', 'y'], name='i'))",
    "text column": "pd.Series(['a', 'ü', '\\U0001f600', ''])",
    "missing text": "pd.Series(['a', np.nan, 'c'])",
    "string dtype": "pd.Series(['a', pd.NA], dtype='string')",
    "objects column": "pd.Series([1, 'a', None, [2]], dtype=object)",
    "nullable": "pd.DataFrame({'i': pd.array([1, None], dtype='Int64'), 'f': pd.array([1.5, None], "
    "dtype='Float32'),"
    " 'b': pd.array([True, None], dtype='boolean'), 'u': pd.array([255, None], dtype='UInt8')})",
    "category": "pd.Series(pd.Categorical(['b', 'a', None], categories=['c', 'b', 'a'], ordered=True))",
    "int category": "pd.Series(pd.Categorical([3, 1, 3]))",
    "times": "pd.Series(pd.to_datetime(['2026-09-14', None]).as_unit('ns'))",
    "zoned times": "pd.Series(pd.to_datetime(['2026-10-25T00:30', '2026-10-25T01:30', None])"
    ".as_unit('us').tz_localize('UTC').tz_convert('Europe/Berlin'))",
    "seconds": "pd.Series(np.array(['2026-09-14'], dtype='M8[s]'))",
    "fixed zone": "pd.Series(pd.to_datetime(['2026-09-14']).as_unit('ns').tz_localize('UTC').tz_conve"
    "rt(dt.timezone(dt.timedelta(hours=2))))",
    "timedeltas": "pd.Series(pd.to_timedelta([1, None], unit='h').as_unit('ms'))",
    "periods": "pd.Series(pd.period_range('2026-01', periods=3, freq='M'))",
    "intervals": "pd.Series(pd.interval_range(0, 3, closed='left'))",
    "index": "pd.Index([3, 1, 2], name='i')",
    "range index": "pd.RangeIndex(5, 50, 5, name='r')",
    "text index": "pd.Index(['b', 'a'])",
    "times index": "pd.date_range('2026-01-01', periods=3, freq='D', tz='Asia/Tokyo').as_unit('ns')",
    "multi-index": "pd.DataFrame({'v': [1, 2]}, index=pd.MultiIndex.from_tuples([('a', 1), ('b', 2)], "
    "names=['x', None]))",
    "column levels": "pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([('a', 1), ('b', 2)]))",
    "double names": "pd.DataFrame([[1, 2.5]], columns=['a', 'a'])",
    "odd names": "pd.DataFrame({1: [1], ('a', 2): [2], None: [3]})",
    "timestamp": "[pd.Timestamp('2026-09-14 01:02:03.123456789'), pd.Timestamp('2026-09-14', "
    "tz='Asia/Tokyo').as_unit('s'), pd.NaT]",
    "pandas scalars": "[pd.Timedelta('1 day 2 ns'), pd.Period('2026-05', 'M'), pd.Interval(0, 1.5, 'both'), "
    "pd.NA]",
    "categorical array": "pd.Categorical(['a', 'b'])",
    "masked array": "pd.array([1, None], dtype='Int16')",
}
TORCH = {
    "tensor": "torch.arange(6).reshape(2, 3).t()",
    "bfloat16": "torch.tensor([1.5, -2.0], dtype=torch.bfloat16)",
    "no tensor": "torch.empty(0, 3)",
    "zero-d tensor": "torch.tensor(2.5, dtype=torch.float64)",
    "bool tensor": "torch.tensor([True, False])",
    "state": "{'w': torch.ones(2, 2), 'n': torch.tensor(3)}",
}
JAX = {
    "jax array": "jax.numpy.arange(6.0).reshape(2, 3)",
    "jax bfloat16": "jax.numpy.ones(3, dtype='bfloat16')",
}
PACKAGES = {"numpy": NUMPY, "pandas": PANDAS, "torch": TORCH, "jax": JAX}


def make_values(packages: Any) -> dict[str, Any]:
    """Every value of the table that this Python can have."""
    names: dict[str, Any] = {}
    exec(PREPARE, names)
    codes = {**PLAIN, **(ZONES if "zones" in packages else {})}
    for package, short in (("numpy", "np"), ("pandas", "pd"), ("torch", "torch"), ("jax", "jax")):
        if package in packages:
            names[short] = __import__(package)
            if package == "jax":
                __import__("jax.numpy")
            codes.update(PACKAGES[package])
    return {name: eval(code, names) for name, code in codes.items()}


def describe(value: Any) -> Any:
    """What must be the same on the other side: type, dtype, order, and every element."""
    kind = type(value)
    root = kind.__module__.split(".")[0]
    if root == "numpy":
        return _describe_numpy(value)
    if root == "pandas":
        return _describe_pandas(value)
    if root == "torch":
        return ["torch", str(value.dtype), list(value.shape), repr(value.tolist())]
    if root in ("jax", "jaxlib"):
        return ["jax", str(value.dtype), list(value.shape), repr(value.tolist())]
    if isinstance(value, dict):
        default = getattr(value, "default_factory", None)
        return [kind.__name__, str(default), [[describe(key), describe(each)] for key, each in value.items()]]
    if isinstance(value, (set, frozenset)):
        return [kind.__name__, sorted(json.dumps(describe(each)) for each in value)]
    if isinstance(value, (list, tuple)) or kind.__name__ == "deque":
        limit = getattr(value, "maxlen", None)
        if list(map(type, value)) == [kind] * len(value) and len(value) == 1:
            # Deep ones are compared without depth of their own.
            return [kind.__name__, _describe_chain(value)]
        return [kind.__name__, limit, [describe(each) for each in value]]
    if isinstance(value, (dt.datetime, dt.time)):
        zone = value.tzinfo
        key = (
            getattr(zone, "key", None) or getattr(zone, "_filename", "").split("zoneinfo/")[-1] or repr(zone)
        )
        return [
            kind.__name__,
            value.replace(tzinfo=None).isoformat(),
            value.fold,
            zone and key,
            str(value.utcoffset()),
        ]
    if isinstance(value, (int, float, complex)):
        return [kind.__name__, hex(value) if kind is int else repr(value)]
    if isinstance(value, str):
        return [kind.__name__, value.encode("utf-8", "surrogatepass").hex()]
    return [kind.__name__, repr(value)]


def _describe_chain(value: Any) -> Any:
    depth = 0
    while isinstance(value, (list, tuple)) and len(value) == 1:
        value, depth = value[0], depth + 1
    return [depth, describe(value)]


def _describe_numpy(value: Any) -> Any:
    import numpy as np

    if not isinstance(value, np.ndarray):
        return ["scalar", value.dtype.str, value.tobytes().hex() if value.dtype.char != "g" else repr(value)]
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    # Some bytes of a long double have no meaning.
    is_exact = value.dtype.kind == "f" and value.dtype.itemsize <= 8
    exact = value.tobytes().hex() if is_exact else [describe(each) for each in value.ravel().tolist()]
    return ["array", repr(value.dtype), list(value.shape), order, exact]


def _name_dtype(dtype: Any) -> str:
    """A dtype's name; what pandas 2 and 3 have for text by default are the same."""
    import pandas as pd

    if dtype == pd.Series(["a"]).dtype:
        return "text or objects"
    if hasattr(dtype, "categories") and dtype.categories is not None:
        return f"category of {_name_dtype(dtype.categories.dtype)} {dtype.ordered}"
    return str(dtype)


def _describe_pandas(value: Any) -> Any:
    import pandas as pd

    kind = type(value).__name__
    if isinstance(value, pd.DataFrame):
        columns = [_describe_pandas(value.iloc[:, number]) for number in range(value.shape[1])]
        return [kind, _describe_pandas(value.columns), _describe_pandas(value.index), columns]
    if isinstance(value, pd.MultiIndex):
        return [kind, [describe(name) for name in value.names], [_describe_element(each) for each in value]]
    if isinstance(value, (pd.Series, pd.Index)):
        index = (
            _describe_pandas(value.index)
            if isinstance(value, pd.Series)
            else str(getattr(value, "freq", None))
        )
        elements = [_describe_element(each) for each in value]
        return [kind, describe(value.name), _name_dtype(value.dtype), index, elements]
    if hasattr(value, "dtype"):
        return ["array", _name_dtype(value.dtype), [_describe_element(each) for each in value]]
    return _describe_element(value)


def _describe_element(value: Any) -> Any:
    if type(value).__module__.startswith("pandas") or type(value) is tuple:
        zone = getattr(value, "tzinfo", None)
        name = zone and (getattr(zone, "key", None) or getattr(zone, "zone", None) or str(value.utcoffset()))
        return [
            type(value).__name__,
            repr(value).split(", tz=")[0].replace("zoneinfo.ZoneInfo", ""),
            str(name),
            getattr(value, "unit", None),
        ]
    return describe(value)


def compare(ours: Any, theirs: Any) -> bool:
    """Whether two values are the same, by what must be."""
    return json.dumps(describe(ours)) == json.dumps(describe(theirs))


def main(archive: str, source: str, target: str) -> None:
    """Take the values of a file, compare each with its own, and write its own to another."""
    sys.path.insert(0, archive)
    from primepods_agent.values import codec

    with open(source, "rb") as file:
        description, buffers = codec.unpack_values(file.read())
    own = make_values(description["packages"])
    result: dict[str, Any] = {"facts": codec.describe_python(), "wrong": {}}
    for name, entry, own_buffers in list_entries(description["values"], buffers):
        try:
            taken = codec.decode_values({"values": [entry]}, own_buffers)[name]
            if not compare(taken, own[name]):
                result["wrong"][name] = (
                    f"{json.dumps(describe(taken))[:600]} instead of {json.dumps(describe(own[name]))[:600]}"
                )
        except Exception as error:  # noqa: BLE001 - it is what the test shows
            result["wrong"][name] = f"{type(error).__name__}: {error}"
    encoded = []
    for name, value in own.items():
        try:
            encoded.append(codec.encode_value(value, name))
        except Exception as error:  # noqa: BLE001 - it is what the test shows
            result["wrong"][name] = f"{type(error).__name__}: {error}"
    with open(target, "wb") as file:
        file.write(codec.pack_encoded(encoded, result=result))


def list_entries(entries: Any, buffers: Any) -> list[Any]:
    """Each value's name, what is said of it, and its buffers."""
    listed, begin = [], 0
    for entry in entries:
        listed.append((entry[0], entry, buffers[begin : begin + entry[2]]))
        begin += entry[2]
    return listed


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Python's own types as descriptions: exact, in order, and with nothing of the class of a value."""

from __future__ import annotations

import dataclasses
import re
import sys
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Callable, Dict, Iterable, List, Sequence
from uuid import UUID

from .coding import Decoder, Encoder, Node, Reader
from .packing import BadValue

__all__ = ["PLAIN_READERS", "PLAIN_WRITERS", "describe_dataclass", "describe_items", "read_items"]

_MAX_JSON_INT = 1 << 63
_MAX_SHORT_CHARS = 200
_MIN_BULK = 32
_MAX_FRACTION_DIGITS = 20_000
_MISSING = 0xFFFF_FFFF
_DECIMAL = re.compile(
    r"[+-]?(?:\d{1,100000}(?:\.\d{0,100000})?(?:E[+-]?\d{1,20})?|Infinity|s?NaN\d{0,1000})\Z"
)
_FACTORIES: Dict[str, Any] = {
    "int": int, "float": float, "str": str, "list": list, "dict": dict, "set": set, "None": None,
}  # fmt: skip
_LISTS: Dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_DICTS: Dict[str, Any] = {"dict": dict, "odict": OrderedDict, "counter": Counter}
_PATHS: Dict[str, Any] = {"path": Path, "pposix": PurePosixPath, "pwindows": PureWindowsPath}

Writer = Callable[[Encoder, Any], Node]


# Text and numbers


def _describe_int(encoder: Encoder, value: int) -> Node:
    # Decimal digits take quadratic time, and Python refuses more than 4300 of them.
    return value if -_MAX_JSON_INT <= value < _MAX_JSON_INT else ["int", hex(value)]


def _read_int(decoder: Decoder, rest: List[Any]) -> int:
    (text,) = rest
    if type(text) is not str or not re.match(r"-?0x[0-9a-f]+\Z", text):
        raise BadValue("not an int")
    return int(text, 16)


def _describe_float(encoder: Encoder, value: float) -> Node:
    is_finite = value - value == 0
    return value if is_finite else ["float", repr(value)]


def _read_float(decoder: Decoder, rest: List[Any]) -> float:
    (text,) = rest
    if text not in ("nan", "inf", "-inf"):
        raise BadValue("not a float")
    return float(text)


def _describe_str(encoder: Encoder, value: str) -> Node:
    if len(value) <= _MAX_SHORT_CHARS and not _has_surrogates(value):
        return value
    encoder.texts.append((value,))
    return ["str", encoder.add_buffer(value.encode("utf-8", "surrogatepass"))]


def _has_surrogates(text: str) -> bool:
    # JSON would join two of them into one character.
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)


def _read_str(decoder: Decoder, rest: List[Any]) -> str:
    (number,) = rest
    return bytes(decoder.take_buffer(number)).decode("utf-8", "surrogatepass")


def _describe_bytes(encoder: Encoder, value: bytes) -> Node:
    encoder.texts.append((value,))
    return ["bytes", encoder.add_buffer(value)]


def _describe_bytearray(encoder: Encoder, value: bytearray) -> Node:
    encoder.note_use(value)
    encoder.texts.append((value,))
    return ["bytearray", encoder.add_buffer(bytes(value))]


def _describe_complex(encoder: Encoder, value: complex) -> Node:
    return ["complex", encoder.encode(value.real), encoder.encode(value.imag)]


def _describe_decimal(encoder: Encoder, value: Decimal) -> Node:
    return ["decimal", encoder.encode(str(value))]


def _read_decimal(decoder: Decoder, rest: List[Any]) -> Decimal:
    (node,) = rest
    text = decoder.decode_as(str, node)
    if not _DECIMAL.match(text):
        raise BadValue("not a Decimal")
    return Decimal(text)


def _describe_fraction(encoder: Encoder, value: Fraction) -> Node:
    if max(abs(value.numerator), value.denominator).bit_length() > 4 * _MAX_FRACTION_DIGITS:
        raise encoder.refuse("is a Fraction with too many digits")
    return ["fraction", encoder.encode(value.numerator), encoder.encode(value.denominator)]


def _read_fraction(decoder: Decoder, rest: List[Any]) -> Fraction:
    parts = [decoder.decode_as(int, node) for node in rest]
    if len(parts) != 2 or max(map(abs, parts)).bit_length() > 4 * _MAX_FRACTION_DIGITS:
        raise BadValue("not a Fraction")
    return Fraction(*parts)


def _read_uuid(decoder: Decoder, rest: List[Any]) -> UUID:
    (text,) = rest
    if type(text) is not str or not re.match(r"[0-9a-f]{32}\Z", text):
        raise BadValue("not a UUID")
    return UUID(hex=text)


def _read_range(decoder: Decoder, rest: List[Any]) -> range:
    start, stop, step = (decoder.decode_as(int, node) for node in rest)
    return range(start, stop, step)


def _path_writer(tag: str) -> Writer:
    return lambda encoder, value: [tag, encoder.encode(str(value))]


def _path_reader(tag: str) -> Reader:
    def read_path(decoder: Decoder, rest: List[Any]) -> PurePath:
        (node,) = rest
        path: PurePath = _PATHS[tag](decoder.decode_as(str, node))
        return path

    return read_path


# Containers


def describe_items(encoder: Encoder, items: Sequence[Any]) -> Node:
    """Describe values in order; many ints, floats or texts are one buffer."""
    kinds = set(map(type, items)) if len(items) >= _MIN_BULK else set()
    if kinds == {int} and min(items) >= -_MAX_JSON_INT and max(items) < _MAX_JSON_INT:
        return ["q", encoder.add_buffer(_order_bytes(array("q", items)).tobytes())]
    if kinds == {float}:
        return ["d", encoder.add_buffer(_order_bytes(array("d", items)).tobytes())]
    if str in kinds and kinds <= {str, type(None)}:
        pieces = [None if item is None else item.encode("utf-8", "surrogatepass") for item in items]
        sizes = [_MISSING if piece is None else len(piece) for piece in pieces]
        if max(0 if size == _MISSING else size for size in sizes) < _MISSING:
            encoder.texts.append(items)
            text = encoder.add_buffer(b"".join(filter(None, pieces)))
            return ["s", text, encoder.add_buffer(_order_bytes(array("I", sizes)).tobytes())]
    return ["items", *(encoder.encode(item, f"[{index}]") for index, item in enumerate(items))]


def _order_bytes(numbers: "array[Any]") -> "array[Any]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def read_items(decoder: Decoder, node: Node) -> List[Any]:
    """Return the values of a description of `describe_items`."""
    if type(node) is not list or not node:
        raise BadValue("not items")
    kind, rest = node[0], node[1:]
    if kind == "items":
        return [decoder.decode(each) for each in rest]
    if kind in ("q", "d"):
        (number,) = rest
        return _read_numbers(kind, decoder.take_buffer(number))
    if kind == "s":
        text, sizes = map(decoder.take_buffer, rest)
        return _cut_text(bytes(text), _read_numbers("I", sizes))
    raise BadValue("not items")


def _read_numbers(kind: str, data: memoryview) -> List[Any]:
    numbers = array(kind)
    if len(data) % numbers.itemsize:
        raise BadValue("numbers that are cut off")
    numbers.frombytes(data)
    return _order_bytes(numbers).tolist()


def _cut_text(text: bytes, sizes: List[int]) -> List[Any]:
    if sum(size for size in sizes if size != _MISSING) != len(text):
        raise BadValue("texts of other lengths")
    texts: List[Any] = []
    begin = 0
    for size in sizes:
        if size == _MISSING:
            texts.append(None)
            continue
        texts.append(text[begin : begin + size].decode("utf-8", "surrogatepass"))
        begin += size
    return texts


def _list_writer(tag: str) -> Writer:
    def describe_list(encoder: Encoder, value: Iterable[Any]) -> Node:
        if tag in ("list", "set"):
            encoder.note_use(value)
            return [tag, describe_items(encoder, list(value))]
        return [tag, describe_items(encoder, list(value))]

    return describe_list


def _list_reader(tag: str) -> Reader:
    def read_list(decoder: Decoder, rest: List[Any]) -> Any:
        (node,) = rest
        items = read_items(decoder, node)
        value = _LISTS[tag](items)
        if len(value) != len(items):
            raise BadValue("an element that is there twice")
        return value

    return read_list


def _describe_deque(encoder: Encoder, value: "deque[Any]") -> Node:
    encoder.note_use(value)
    return ["deque", describe_items(encoder, list(value)), value.maxlen]


def _read_deque(decoder: Decoder, rest: List[Any]) -> "deque[Any]":
    node, limit = rest
    if not (limit is None or (type(limit) is int and limit >= 0)):
        raise BadValue("not a deque")
    return deque(read_items(decoder, node), limit)


def _describe_pairs(encoder: Encoder, pairs: Iterable[Any]) -> List[Node]:
    keys, values = [], []
    for key, value in pairs:
        keys.append(key)
        place = f"[{_shorten_key(key)}]"
        encoder.note_key(key, value, place)
        values.append(encoder.encode(value, place))
    return [describe_items(encoder, keys), values]


def _shorten_key(key: Any) -> str:
    text = repr(key) if type(key) in (str, int, bool, float) else type(key).__name__
    return text if len(text) <= 40 else f"{text[:39]}…"


def _dict_writer(tag: str) -> Writer:
    def describe_dict(encoder: Encoder, value: Dict[Any, Any]) -> Node:
        encoder.note_use(value)
        return [tag, *_describe_pairs(encoder, value.items())]

    return describe_dict


def _read_pairs(decoder: Decoder, keys_node: Node, nodes: Any) -> Dict[Any, Any]:
    keys = read_items(decoder, keys_node)
    if type(nodes) is not list or len(nodes) != len(keys):
        raise BadValue("keys and values of other counts")
    pairs = {key: decoder.decode(node) for key, node in zip(keys, nodes)}
    if len(pairs) != len(keys):
        raise BadValue("a key that is there twice")
    return pairs


def _dict_reader(tag: str) -> Reader:
    def read_dict(decoder: Decoder, rest: List[Any]) -> Any:
        keys, nodes = rest
        pairs = _read_pairs(decoder, keys, nodes)
        return pairs if tag == "dict" else _DICTS[tag](pairs)

    return read_dict


def _describe_defaultdict(encoder: Encoder, value: "defaultdict[Any, Any]") -> Node:
    factory = next((name for name, each in _FACTORIES.items() if each is value.default_factory), None)
    if factory is None:
        raise encoder.refuse("is a defaultdict with a function of yours. Send dict(…) of it")
    encoder.note_use(value)
    return ["defaultdict", factory, *_describe_pairs(encoder, value.items())]


def _read_defaultdict(decoder: Decoder, rest: List[Any]) -> "defaultdict[Any, Any]":
    factory, keys, nodes = rest
    if type(factory) is not str or factory not in _FACTORIES:
        raise BadValue("not a defaultdict")
    return defaultdict(_FACTORIES[factory], _read_pairs(decoder, keys, nodes))


def describe_dataclass(encoder: Encoder, value: Any) -> Node:
    """Describe an instance of a dataclass as a dict of its fields."""
    encoder.note(f"is a dict there, not a {type(value).__name__}")
    pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    encoder.note_use(value)
    return ["dict", *_describe_pairs(encoder, pairs)]


def is_dataclass(value: Any) -> bool:
    """Return whether a value is an instance of a dataclass, and not an enum's member."""
    # Asked of its class: an object may run code when it is asked for anything.
    return dataclasses.is_dataclass(type(value)) and not issubclass(type(value), Enum)


PLAIN_WRITERS: Dict[type, Writer] = {
    type(None): lambda encoder, value: None,
    bool: lambda encoder, value: value,
    int: _describe_int,
    float: _describe_float,
    str: _describe_str,
    bytes: _describe_bytes,
    bytearray: _describe_bytearray,
    complex: _describe_complex,
    type(...): lambda encoder, value: ["ellipsis"],
    range: lambda encoder, value: ["range", *map(encoder.encode, (value.start, value.stop, value.step))],
    slice: lambda encoder, value: ["slice", *map(encoder.encode, (value.start, value.stop, value.step))],
    Decimal: _describe_decimal,
    Fraction: _describe_fraction,
    UUID: lambda encoder, value: ["uuid", value.hex],
    type(Path()): _path_writer("path"),
    PurePosixPath: _path_writer("pposix"),
    PureWindowsPath: _path_writer("pwindows"),
    **{kind: _list_writer(tag) for tag, kind in _LISTS.items()},
    **{kind: _dict_writer(tag) for tag, kind in _DICTS.items()},
    deque: _describe_deque,
    defaultdict: _describe_defaultdict,
}

PLAIN_READERS: Dict[str, Reader] = {
    "int": _read_int,
    "float": _read_float,
    "str": _read_str,
    "bytes": lambda decoder, rest: bytes(decoder.take_buffer(*rest)),
    "bytearray": lambda decoder, rest: bytearray(decoder.take_buffer(*rest)),
    "complex": lambda decoder, rest: complex(*(decoder.decode_as(float, node) for node in rest[:2])),
    "ellipsis": lambda decoder, rest: ...,
    "range": _read_range,
    "slice": lambda decoder, rest: slice(*map(decoder.decode, rest[:3])),
    "decimal": _read_decimal,
    "fraction": _read_fraction,
    "uuid": _read_uuid,
    **{tag: _path_reader(tag) for tag in _PATHS},
    **{tag: _list_reader(tag) for tag in _LISTS},
    **{tag: _dict_reader(tag) for tag in _DICTS},
    "deque": _read_deque,
    "defaultdict": _read_defaultdict,
}

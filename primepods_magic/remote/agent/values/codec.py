"""Named values as one block of bytes, and back: the table of everything that can be sent."""

from __future__ import annotations

import platform
import sys
from typing import Any, Dict, Mapping, Sequence

from .arrays import ARRAY_READERS, find_array_writer
from .coding import CannotEncode, Decoder, Encoder, Node
from .packing import BadValue, pack_values, unpack_values
from .plain import PLAIN_READERS, PLAIN_WRITERS, describe_dataclass, is_dataclass
from .tables import TABLE_READERS, find_table_writer
from .times import TIME_READERS, TIME_WRITERS, describe_zone, find_zone

__all__ = [
    "EncodedValue",
    "decode_values",
    "describe_python",
    "encode_value",
    "find_unmet",
    "pack_encoded",
    "unpack_values",
]

_PACKAGES = ("numpy", "pandas", "pyarrow", "torch", "jax", "ml_dtypes")
_WRITERS = {**PLAIN_WRITERS, **TIME_WRITERS}
_READERS = {**PLAIN_READERS, **TIME_READERS, **ARRAY_READERS, **TABLE_READERS}
_MAX_VALUES = 10_000


def describe_value(encoder: Encoder, value: Any) -> Node:
    """Describe a value of any kind; CannotEncode if it is of none."""
    kind = type(value)
    if kind in _WRITERS:
        return _WRITERS[kind](encoder, value)
    root, name = str(kind.__module__).split(".")[0], kind.__name__
    writer = find_array_writer(root, name) or find_table_writer(root, name)
    if writer:
        return writer(encoder, value)
    if root in ("zoneinfo", "backports"):
        return ["tz", describe_zone(encoder, value)]
    if is_dataclass(value):
        return describe_dataclass(encoder, value)
    full_name = name if root == "builtins" else f"{kind.__module__}.{name}"
    raise encoder.refuse(f"is of the type {full_name}, which cannot be sent")


def encode_value(value: Any, name: str, lacks: Sequence[str] = ()) -> EncodedValue:
    """Return the description of a value with its buffers; CannotEncode if it has none.

    A tensor of a library that the other side `lacks` is an array there.
    """
    encoder = Encoder(describe_value, lacks)
    encoder.note_key(name, value, name)
    try:
        node = encoder.encode(value, name)
    except CannotEncode:
        raise
    except Exception as error:
        # A value may change meanwhile, or be of a class that another one takes the place of.
        raise CannotEncode(name, f"cannot be read: {type(error).__name__}: {error}") from error
    return EncodedValue(name, node, encoder)


class EncodedValue:
    """A value that can be sent.

    Attributes
    ----------
    name : str
    node : Node
    buffers : list
    size : int
        Bytes in the buffers.
    needs, notes, texts, keys, columns
        As those of `Encoder`.
    """

    def __init__(self, name: str, node: Node, encoder: Encoder) -> None:
        self.name = name
        self.node = node
        self.buffers = encoder.buffers
        self.size = encoder.size
        self.needs = encoder.needs
        self.notes = encoder.notes
        self.texts = encoder.texts
        self.keys = encoder.keys
        self.columns = encoder.columns


def pack_encoded(values: Sequence[EncodedValue], **details: Any) -> bytes:
    """Return values as one block; `details` go with their description."""
    nodes = [[value.name, value.node, len(value.buffers)] for value in values]
    buffers = [buffer for value in values for buffer in value.buffers]
    return pack_values({**details, "values": nodes}, buffers)


def decode_values(description: Mapping[str, Any], buffers: Sequence[memoryview]) -> Dict[str, Any]:
    """Return values by name; BadValue if one is not what an encoder makes, or cannot be had here."""
    nodes = description.get("values")
    if type(nodes) is not list or len(nodes) > _MAX_VALUES:
        raise BadValue("not values")
    values: Dict[str, Any] = {}
    begin = 0
    for each in nodes:
        if type(each) is not list or len(each) != 3 or type(each[0]) is not str or each[0] in values:
            raise BadValue("a value without a name of its own")
        name, node, count = each
        if type(count) is not int or not 0 <= count <= len(buffers) - begin:
            raise BadValue("a value without its buffers")
        try:
            values[name] = Decoder(buffers[begin : begin + count], _READERS).decode(node)
        except BadValue:
            raise
        except Exception as error:
            # Libraries refuse what no encoder makes in ways of their own.
            raise BadValue(f"{type(error).__name__}: {str(error)[:200]}") from error
        begin += count
    return values


def describe_python() -> Dict[str, Any]:
    """Return what this Python can have: its packages, and how its machine stores numbers."""
    facts: Dict[str, Any] = {name: _find_version(name) for name in _PACKAGES}
    try:
        find_zone("Europe/Berlin")
        facts["time zones"] = True
    except (BadValue, ImportError):
        facts["time zones"] = False
    facts["python"] = platform.python_version()
    facts["byteorder"] = sys.byteorder
    facts["machine"] = platform.machine()
    return facts


def _find_version(name: str) -> str | None:
    version = getattr(sys.modules.get(name), "__version__", None)
    if version is None:
        from importlib import metadata, util

        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = "0" if util.find_spec(name) else None
    return None if version is None else str(version)


def find_unmet(needs: Mapping[str, str], facts: Mapping[str, Any]) -> Dict[str, str]:
    """Return which needs another Python does not meet, and the place of a value that has each."""
    return {need: place for need, place in needs.items() if not _is_met(need, facts)}


def _is_met(need: str, facts: Mapping[str, Any]) -> bool:
    if need == "numpy 2":
        return not str(facts.get("numpy") or "0").startswith(("0", "1."))
    if need == "long double":
        return bool(facts.get("machine") == platform.machine())
    return bool(facts.get(need))

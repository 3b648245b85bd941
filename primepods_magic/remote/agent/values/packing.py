"""Values as one block of bytes: a description in JSON, then the binary buffers that it refers to.

A description is made of JSON's own values and of lists that begin with a tag. Nothing in it names code.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Dict, List, Sequence, Tuple

__all__ = ["MAX_TEXT_BYTES", "BadValue", "pack_values", "unpack_values"]

_MAGIC = b"primepods values 1\n"
_LENGTH = struct.Struct(">Q")
MAX_TEXT_BYTES = 32 << 20
"""The most that a description may have; bulk data is in buffers."""
_MAX_BUFFERS = 200_000


class BadValue(ValueError):
    """Bytes that do not stand for values, or that stand for some that this Python cannot have."""


def pack_values(description: Dict[str, Any], buffers: Sequence[Any]) -> bytes:
    """Return a description and its buffers as one block."""
    sizes = [memoryview(buffer).nbytes for buffer in buffers]
    text = json.dumps({**description, "sizes": sizes}, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(text) > MAX_TEXT_BYTES or len(sizes) > _MAX_BUFFERS:
        raise BadValue(
            f"they have too many parts: a description of {len(text) / 1e6:,.0f} MB. "
            "Put numbers into an array or a DataFrame"
        )
    return b"".join((_MAGIC, _LENGTH.pack(len(text)), text, *buffers))


def unpack_values(data: bytes) -> Tuple[Dict[str, Any], List[memoryview]]:
    """Return the description and the buffers of a block; BadValue if it is not one."""
    begin = len(_MAGIC) + _LENGTH.size
    view = memoryview(data)
    if bytes(view[: len(_MAGIC)]) != _MAGIC or len(view) < begin:
        raise BadValue("they do not begin as values do")
    (length,) = _LENGTH.unpack(view[len(_MAGIC) : begin])
    if length > MAX_TEXT_BYTES or begin + length > len(view):
        raise BadValue("their description is cut off or too long")
    try:
        description = json.loads(
            bytes(view[begin : begin + length]).decode("ascii"), parse_constant=_refuse_word
        )
    except (ValueError, RecursionError):
        raise BadValue("their description is not JSON") from None
    sizes = description.pop("sizes", None) if isinstance(description, dict) else None
    if not isinstance(sizes, list) or len(sizes) > _MAX_BUFFERS:
        raise BadValue("their description is not one")
    buffers = []
    begin += length
    for size in sizes:
        if type(size) is not int or not 0 <= size <= len(view) - begin:
            raise BadValue("a buffer is cut off")
        buffers.append(view[begin : begin + size])
        begin += size
    if begin != len(view):
        raise BadValue("there is more than the description says")
    return description, buffers


def _refuse_word(word: str) -> None:
    raise BadValue(f"{word} is not JSON")

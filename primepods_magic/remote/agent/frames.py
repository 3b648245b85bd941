"""Frames between this computer, the agent and its kernels: a length, a JSON header, and binary buffers."""

from __future__ import annotations

import json
import re
import struct
from typing import Any, BinaryIO, Callable, Dict, List, Sequence, Tuple

__all__ = [
    "MAX_BUFFERS_BYTES",
    "MAX_OUTPUT_BYTES",
    "OUTPUT_TYPES",
    "SESSION_NAME",
    "BadFrame",
    "Frame",
    "Header",
    "pack_frame",
    "pack_head",
    "parse_header",
    "read_frame",
    "read_sizes",
]

Header = Dict[str, Any]
Frame = Tuple[Header, List[bytes]]

OUTPUT_TYPES = (
    "stream", "display_data", "execute_result", "update_display_data", "clear_output", "error",
    "comm_open", "comm_msg", "comm_close",
)  # fmt: skip
"""Types of a kernel's messages that are output."""
SESSION_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")
"""Names of sessions, which are also names of folders."""

_LENGTH = struct.Struct(">I")
LENGTH_BYTES = _LENGTH.size
MAX_HEADER_BYTES = 32 << 20
MAX_BUFFERS_BYTES = 512 << 20
# Numbers and names are added to the header of an output in transit.
MAX_OUTPUT_BYTES = MAX_HEADER_BYTES - 65_536
_CHUNK_BYTES = 1 << 20


class BadFrame(ValueError):
    """Data that is not a frame, or a frame above the limits."""


def pack_frame(header: Header, buffers: Sequence[bytes] = ()) -> bytes:
    """Return the bytes of a frame; raise BadFrame if it is above the limits."""
    return b"".join((pack_head(header, buffers), *buffers))


def pack_head(header: Header, buffers: Sequence[bytes] = ()) -> bytes:
    """Return the bytes of a frame up to its buffers; raise BadFrame if it is above the limits."""
    sizes = [len(buffer) for buffer in buffers]
    text = json.dumps({**header, "sizes": sizes}, separators=(",", ":"), ensure_ascii=False)
    # Half of a character is none, and a kernel that gets one ends.
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_HEADER_BYTES or sum(sizes) > MAX_BUFFERS_BYTES:
        raise BadFrame(f"a frame of {len(data) + sum(sizes)} bytes")
    return _LENGTH.pack(len(data)) + data


def parse_length(data: bytes) -> int:
    """Return the length of the header."""
    (length,) = _LENGTH.unpack(data)
    if length > MAX_HEADER_BYTES:
        raise BadFrame(f"a header of {length} bytes")
    return int(length)


def parse_header(data: bytes) -> Header:
    """Return the header of a frame."""
    try:
        header = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise BadFrame("a header that is not JSON") from None
    if not isinstance(header, dict):
        raise BadFrame("a header that is not an object")
    return header


def read_sizes(header: Header) -> List[int]:
    """Take the sizes of the buffers out of a header."""
    sizes = header.pop("sizes", [])
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise BadFrame("sizes that are not numbers")
    if sum(sizes) > MAX_BUFFERS_BYTES:
        raise BadFrame(f"buffers of {sum(sizes)} bytes")
    return sizes


def read_frame(stream: BinaryIO, check: Callable[[Header, List[int]], object] | None = None) -> Frame:
    """Read one frame from a blocking stream; raise EOFError if it ends, even in the middle of a frame.

    `check` is given its header and the sizes of its buffers before they are read, and raises BadFrame.
    """
    header = parse_header(_read_exactly(stream, parse_length(_read_exactly(stream, LENGTH_BYTES))))
    sizes = read_sizes(header)
    if check is not None:
        check(header, sizes)
    return header, [_read_exactly(stream, size) for size in sizes]


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    """Read in pieces: only data that has arrived takes memory, whatever the announced size."""
    pieces: List[bytes] = []
    while size:
        piece = stream.read(min(size, _CHUNK_BYTES))
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)

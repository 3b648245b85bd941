"""Files as one stream of bytes: for each, where it belongs and what it is, its content, and its hash.

Both sides write and read such streams. A stream is cut into blocks anywhere, so that a thousand small files
cost no more round trips than one large file.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

__all__ = [
    "BLOCK_BYTES",
    "MAX_PIECE_BYTES",
    "BadStream",
    "StreamParser",
    "StreamTarget",
    "cut_blocks",
    "pack_begin",
    "pack_data",
    "pack_end",
    "pack_zeros",
]

BLOCK_BYTES = 1 << 20
MAX_PIECE_BYTES = 256 << 10
# Smaller pieces are joined; larger ones are sent without a copy.
_MIN_BUFFER_BYTES = 64 << 10
_MAX_FACTS_BYTES = 64 << 10
_HEAD = struct.Struct(">cI")
_BEGIN, _DATA, _ZEROS, _END = b"B", b"D", b"Z", b"E"


class BadStream(ValueError):
    """The data is not a stream of files, or not one that was asked for."""


def pack_begin(facts: dict[str, Any]) -> bytes:
    """Return the beginning of a file."""
    return _pack_facts(_BEGIN, facts)


def pack_end(facts: dict[str, Any]) -> bytes:
    """Return the end of a file."""
    return _pack_facts(_END, facts)


def _pack_facts(kind: bytes, facts: dict[str, Any]) -> bytes:
    data = json.dumps(facts, separators=(",", ":")).encode("ascii")
    return _HEAD.pack(kind, len(data)) + data


def pack_data(size: int) -> bytes:
    """Return the head of a piece of content, which follows it."""
    return _HEAD.pack(_DATA, size)


def pack_zeros(size: int) -> bytes:
    """Return a piece of content that is all zeros."""
    return _HEAD.pack(_ZEROS, size)


def cut_blocks(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield the pieces of a stream in blocks, each as the buffers that it consists of."""
    block: list[Any] = [bytearray()]
    size = 0
    for piece in pieces:
        size += len(piece)
        if len(piece) < _MIN_BUFFER_BYTES:
            block[-1] += piece
        else:
            block += piece, bytearray()
        if size >= BLOCK_BYTES:
            yield [buffer for buffer in block if buffer]
            block, size = [bytearray()], 0
    if size:
        yield [buffer for buffer in block if buffer]


class StreamTarget(Protocol):
    """Receives the files of a stream, one after another."""

    def begin_file(self, facts: dict[str, Any]) -> None:
        """Begin a file, or whatever the facts describe."""

    def add_data(self, data: memoryview) -> None:
        """Add content."""

    def add_zeros(self, size: int) -> None:
        """Add zeros."""

    def end_file(self, facts: dict[str, Any]) -> None:
        """End what was begun."""


class StreamParser:
    """Reads a stream from blocks; at most one description of a file is kept in memory.

    Parameters
    ----------
    target : StreamTarget
    """

    def __init__(self, target: StreamTarget) -> None:
        self._target = target
        self._head = bytearray()
        self._facts = bytearray()
        self._kind = b""
        self._left = 0
        self._is_open = False

    def feed(self, block: bytes) -> None:
        """Read a block; raise BadStream if it is none."""
        view = memoryview(block)
        while view:
            if not self._kind:
                taken = _HEAD.size - len(self._head)
                self._head += view[:taken]
                view = view[taken:]
                if len(self._head) == _HEAD.size:
                    self._begin_piece(*_HEAD.unpack(self._head))
                continue
            piece, view = view[: self._left], view[self._left :]
            self._left -= len(piece)
            if self._kind == _DATA:
                self._target.add_data(piece)
            else:
                self._facts += piece
            if not self._left:
                self._end_piece()

    def finish(self) -> None:
        """Raise BadStream if the stream has ended in the middle of something."""
        if self._kind or self._head or self._is_open:
            raise BadStream("a stream that ends early")

    def _begin_piece(self, kind: bytes, size: int) -> None:
        self._head.clear()
        limit = _MAX_FACTS_BYTES if kind in (_BEGIN, _END) else MAX_PIECE_BYTES
        if kind not in (_BEGIN, _DATA, _ZEROS, _END) or not 0 < size <= limit:
            raise BadStream("a piece that is none")
        if (kind == _BEGIN) is self._is_open:
            raise BadStream("pieces in the wrong order")
        if kind == _ZEROS:
            self._target.add_zeros(size)
        else:
            self._kind, self._left = kind, size

    def _end_piece(self) -> None:
        kind, self._kind = self._kind, b""
        if kind == _DATA:
            return
        try:
            facts = json.loads(bytes(self._facts))
        except (ValueError, RecursionError):
            raise BadStream("a description that is not JSON") from None
        self._facts.clear()
        if not isinstance(facts, dict):
            raise BadStream("a description that is not an object")
        self._is_open = kind == _BEGIN
        if self._is_open:
            self._target.begin_file(facts)
        else:
            self._target.end_file(facts)

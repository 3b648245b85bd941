"""Read files of a folder as a stream."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from .part_file import hash_part
from .root import FileProblem, Root, find_kind
from .stream import MAX_PIECE_BYTES, cut_blocks, pack_begin, pack_data, pack_end, pack_zeros
from .unpack import describe_error

__all__ = ["iterate_blocks", "open_file"]

_ZEROS = bytes(MAX_PIECE_BYTES)
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_file(root: Root, path: str) -> int:
    """Open a regular file for reading, never through a link."""
    parent, name = root.open_parent(path)
    fd = os.open(name, _FLAGS, dir_fd=parent)
    if find_kind(os.fstat(fd).st_mode) != "file":
        os.close(fd)
        raise FileProblem("it is not a file")
    return fd


def iterate_blocks(
    root: Root,
    files: Iterable[dict[str, Any]],
    on_read: Callable[[int], object] = lambda _: None,
    names: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[list[bytes]]:
    """Return the stream of files in blocks, each as the buffers that it consists of.

    Each has a ``path`` in the folder, and a ``kind``; a file may have a ``size``, up to which it is read, and
    a ``start``, up to which the other side has it. Files that cannot be read say so in the stream. `on_read`
    is called with the size of each piece of content; `names` are those of files here that have another one.
    """
    return cut_blocks(_iterate_pieces(root, files, on_read, names))


def _iterate_pieces(
    root: Root,
    files: Iterable[dict[str, Any]],
    on_read: Callable[[int], object],
    names: Mapping[str, str],
) -> Iterator[bytes]:
    for facts in files:
        if facts["kind"] != "file":
            yield pack_begin(facts)
            yield pack_end({})
            continue
        try:
            fd = open_file(root, names.get(facts["path"], facts["path"]))
        except (OSError, FileProblem) as error:
            yield pack_begin({"size": 0, **facts})
            yield pack_end({"failed": describe_error(error)})
            continue
        try:
            yield from _iterate_content(fd, facts, on_read)
        finally:
            os.close(fd)


def _iterate_content(fd: int, facts: dict[str, Any], on_read: Callable[[int], object]) -> Iterator[bytes]:
    found = os.fstat(fd)
    before = _note_state(found)
    size, start = facts.get("size", found.st_size), facts.get("start", 0)
    known = {"size": size, "mode": found.st_mode & 0o777, "mtime_ns": found.st_mtime_ns}
    yield pack_begin({**known, **facts})
    try:
        digest = hash_part(fd, start) if start else hashlib.sha256()
        left = size - start
        os.lseek(fd, start, os.SEEK_SET)
        while left:
            data = os.read(fd, min(left, MAX_PIECE_BYTES))
            if not data:
                raise FileProblem("it was changed while it was read")
            left -= len(data)
            on_read(len(data))
            digest.update(data)
            if data[0] == 0 and data == _ZEROS[: len(data)]:
                yield pack_zeros(len(data))
            else:
                yield pack_data(len(data))
                yield data
        # What is only added to, as a log is, still begins as it was sent.
        if _note_state(os.fstat(fd)) != before and hash_part(fd, size).digest() != digest.digest():
            raise FileProblem("it was changed while it was read")
    except (OSError, FileProblem) as error:
        yield pack_end({"failed": describe_error(error)})
    else:
        yield pack_end({"sha256": digest.hexdigest()})


def _note_state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns

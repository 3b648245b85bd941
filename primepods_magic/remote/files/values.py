"""Bytes of values, which cross as private files."""

from __future__ import annotations

import hashlib
import posixpath
import secrets
from collections.abc import Iterator
from typing import Any

from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.remote.agent.files.stream import (
    MAX_PIECE_BYTES,
    BadStream,
    StreamParser,
    cut_blocks,
    pack_begin,
    pack_data,
    pack_end,
)
from primepods_magic.remote.link import PodLink

from .streams import StreamWatch, ask_agent, fetch_stream, request_of, send_stream

__all__ = ["fetch_bytes", "remove_file", "send_bytes"]


def send_bytes(
    link: PodLink, data: bytes | bytearray | memoryview, *, watch: StreamWatch | None = None
) -> str:
    """Store bytes in a private file of the pod, and return its absolute path there.

    The folder has mode 0700, the file 0600. They are verified by SHA-256. Cuts of the connection cost at most
    a window of blocks. Raises PodsError; Ctrl-C ends it.
    """
    view = memoryview(data).cast("B")
    name = secrets.token_hex(16)
    watch = watch or StreamWatch()
    watch.total_bytes = view.nbytes
    sent = 0

    def make_pieces() -> Iterator[bytes]:
        nonlocal sent
        digest = hashlib.sha256()
        yield pack_begin({"path": name, "kind": "file", "size": view.nbytes, "mode": 0o600})
        for at in range(0, view.nbytes, MAX_PIECE_BYTES):
            piece = view[at : at + MAX_PIECE_BYTES]
            digest.update(piece)
            sent += piece.nbytes
            yield pack_data(piece.nbytes)
            yield bytes(piece)
        yield pack_end({"sha256": digest.hexdigest()})

    try:
        folder, failures = send_stream(link, "", cut_blocks(make_pieces()), watch, lambda: sent)
    except BaseException:
        # All of it may have arrived.
        if link.is_alive:
            request_of(link, "file_remove", [(name, None)], root="")
        raise
    if failures:
        raise PodsError(
            f"Cannot store a value on '{link.name}' ({next(iter(failures.values()))}). The pod is still "
            "billed"
        )
    return posixpath.join(folder, name)


def fetch_bytes(link: PodLink, path: str, *, max_bytes: int, watch: StreamWatch | None = None) -> bytes:
    """Return the content of a file of the pod.

    It is verified by SHA-256. Raises InvalidRequest if there are more than `max_bytes`, before they are
    fetched, and PodsError if it cannot be read; Ctrl-C ends it.
    """
    folder, name = posixpath.split(path)
    watch = watch or StreamWatch()
    watch.total_bytes = max_bytes
    target = _Memory(link, name, max_bytes, watch)
    fetch_stream(link, folder, [{"path": name, "kind": "file"}], StreamParser(target), target.watch)
    if not target.is_whole:
        raise PodsError(f"'{link.name}' did not send all of {sanitize(name)!r}. The pod is still billed")
    return bytes(target.data)


def remove_file(link: PodLink, path: str) -> None:
    """Remove a file of the pod; raise PodsError if that fails, not if there is none."""
    folder, name = posixpath.split(path)
    header = ask_agent(link, "file_remove", [(name, None)], StreamWatch(), root=folder)
    for why in header.get("failures", {}).values():
        raise PodsError(
            f"Cannot remove {sanitize(path)!r} on '{link.name}' ({sanitize(shorten(str(why), 300))})"
        )


class _Memory:
    """Receives one file of a stream; takes no more memory than was allowed."""

    def __init__(self, link: PodLink, name: str, max_bytes: int, watch: StreamWatch) -> None:
        self.data = bytearray()
        self.watch = watch
        self.is_whole = False
        self._link = link
        self._name = name
        self._max_bytes = max_bytes

    def begin_file(self, facts: dict[str, Any]) -> None:
        """Note its size."""
        size = facts.get("size")
        if self.is_whole or facts.get("path") != self._name or type(size) is not int or size < 0:
            raise BadStream("another file")
        if size > self._max_bytes:
            raise InvalidRequest(
                f"{sanitize(self._name)!r} on '{self._link.name}' has {size:,} bytes, more than the limit of "
                f"{self._max_bytes:,}. It was not fetched"
            )
        self.watch.total_bytes = size

    def add_data(self, data: memoryview) -> None:
        """Add content."""
        if len(self.data) + len(data) > self.watch.total_bytes:
            raise BadStream("more content than was announced")
        self.data += data
        self.watch.done_bytes = len(self.data)

    def add_zeros(self, size: int) -> None:
        """Add zeros."""
        self.add_data(memoryview(bytes(size)))

    def end_file(self, facts: dict[str, Any]) -> None:
        """Compare its hash."""
        if "failed" in facts:
            raise PodsError(
                f"'{self._link.name}' cannot read {sanitize(self._name)!r} "
                f"({sanitize(shorten(str(facts['failed']), 300))}). The pod is still billed"
            )
        if len(self.data) != self.watch.total_bytes:
            raise BadStream("less content than was announced")
        if facts.get("sha256") != hashlib.sha256(self.data).hexdigest():
            raise BadStream("content whose hash does not agree")
        self.is_whole = True

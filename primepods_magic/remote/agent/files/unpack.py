"""Write the files of a stream into a folder."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable
from typing import Any

from .part_file import PartFile, name_part
from .root import FileProblem, Root, find_kind, open_folder
from .stream import BadStream, StreamParser

__all__ = ["DiskFull", "Unpacker", "describe_error"]

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FIELDS = {"path": str, "kind": str, "size": int, "mtime_ns": int, "mode": int, "start": int, "link": str}
_KINDS = ("file", "dir", "link", "touch")
# More nanoseconds than a file system can keep.
_MAX_NUMBER = 1 << 93
_MAX_FAILURES = 100_000


class DiskFull(Exception):
    """The disk is full; nothing more can be written."""


class Unpacker:
    """Writes files under temporary names, and renames each when its hash agrees.

    Parameters
    ----------
    root : Root
        Closed by `close`.
    accept : callable, optional
        Is given the facts of each file before anything is written; raises BadStream or FileProblem.
    mode_mask : int
        Permissions that files may get.
    there : str
        The word for this side in messages.
    on_content : callable
        Is called with the size of each piece of content.

    Attributes
    ----------
    failures : dict
        By path, why a file was not written.
    """

    def __init__(
        self,
        root: Root,
        *,
        accept: Callable[[dict[str, Any]], object] | None = None,
        mode_mask: int = 0o777,
        there: str = "there",
        on_content: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.root = root
        self.failures: dict[str, str] = {}
        self._accept = accept
        self._mode_mask = mode_mask
        self._there = there
        self._on_content = on_content
        self._parser = StreamParser(self)
        self._facts: dict[str, Any] = {}
        self._file: PartFile | None = None

    def feed(self, block: bytes) -> None:
        """Write a block of the stream; raises BadStream, or DiskFull."""
        self._parser.feed(block)

    def finish(self) -> None:
        """Note that the stream has ended."""
        self._parser.finish()

    def close(self) -> None:
        """Close everything; the beginning of a large file is kept."""
        if self._file is not None:
            self._file.abandon()
            self._file = None
        self.root.close()

    # What the stream has

    def begin_file(self, facts: dict[str, Any]) -> None:
        """Begin a file."""
        self._facts = read_facts(facts)
        with self._catch_problems():
            if self._accept is not None:
                self._accept(self._facts)
            parent, name = self.root.open_parent(self._facts["path"], make=True)
            kind = self._facts["kind"]
            if kind == "file":
                self._check_target(parent, name)
                self._file = PartFile(parent, name, self._facts["start"])
            elif kind == "dir":
                self._make_folder(parent, name)
            elif kind == "link":
                self._make_link(parent, name)
            else:
                self._touch_file(parent, name)

    def add_data(self, data: memoryview) -> None:
        """Add content."""
        self._on_content(len(data))
        if self._file is not None:
            self._check_size(len(data))
            with self._catch_problems():
                self._file.add_data(data)

    def add_zeros(self, size: int) -> None:
        """Add zeros."""
        self._on_content(size)
        if self._file is not None:
            self._check_size(size)
            with self._catch_problems():
                self._file.add_zeros(size)

    def end_file(self, facts: dict[str, Any]) -> None:
        """End a file, and give it its name."""
        with self._catch_problems():
            if "failed" in facts:
                raise FileProblem(str(facts["failed"])[:300])
            if self._file is None:
                return
            if self._file.size != self._facts["size"]:
                raise FileProblem("it is shorter than was said")
            # It may have taken hours to arrive.
            self._check_target(*self.root.open_parent(self._facts["path"]))
            file, self._file = self._file, None
            file.finish(
                str(facts.get("sha256")), self._facts["mode"] & self._mode_mask, self._facts["mtime_ns"]
            )

    # Parts

    def _check_size(self, size: int) -> None:
        if self._file is not None and self._file.size + size > self._facts["size"]:
            raise BadStream("more content than was announced")

    def _check_target(self, parent: int, name: str) -> None:
        """Refuse to replace a folder, or what has changed since it was looked at."""
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        if find_kind(found.st_mode) in ("dir", "other"):
            raise FileProblem("there is a folder or a device of that name")
        has_changed = self._facts.get("seen", found.st_mtime_ns) != found.st_mtime_ns
        if has_changed and not self._is_wanted(parent, name, found):
            raise FileProblem(f"it has changed {self._there} meanwhile")

    def _is_wanted(self, parent: int, name: str, found: os.stat_result) -> bool:
        """Return whether another transfer has written the same meanwhile."""
        is_link = find_kind(found.st_mode) == "link"
        if is_link or self._facts["kind"] == "link":
            return is_link and os.readlink(name, dir_fd=parent) == self._facts["link"]
        size = found.st_size if self._facts["kind"] == "touch" else self._facts["size"]
        return (found.st_size, found.st_mtime_ns) == (size, self._facts["mtime_ns"])

    def _make_folder(self, parent: int, name: str) -> None:
        fd = open_folder(parent, name, True)
        try:
            # Its owner must be able to write files into it.
            os.fchmod(fd, self._facts["mode"] & self._mode_mask | 0o700)
        finally:
            os.close(fd)

    def _make_link(self, parent: int, name: str) -> None:
        self._check_target(parent, name)
        part = name_part(secrets.token_hex(8))
        os.symlink(self._facts["link"], part, dir_fd=parent)
        os.rename(part, name, src_dir_fd=parent, dst_dir_fd=parent)

    def _touch_file(self, parent: int, name: str) -> None:
        """Set time and permissions of a file whose content is the same."""
        self._check_target(parent, name)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(name, flags, dir_fd=parent)
        try:
            if find_kind(os.fstat(fd).st_mode) == "file":
                os.fchmod(fd, self._facts["mode"] & self._mode_mask)
                os.utime(fd, ns=(self._facts["mtime_ns"],) * 2)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _catch_problems(self) -> Any:
        """Note why a file cannot be written, and go on with the next one; a full disk ends all."""
        try:
            yield
        except (OSError, OverflowError, FileProblem) as error:
            if self._file is not None:
                self._file.abandon()
                self._file = None
            if isinstance(error, OSError) and error.errno in _FULL:
                raise DiskFull(self._facts["path"]) from None
            self._note_failure(describe_error(error))

    def _note_failure(self, text: str) -> None:
        if len(self.failures) < _MAX_FAILURES:
            self.failures.setdefault(self._facts["path"], text)


def describe_error(error: Exception) -> str:
    """Return why a file cannot be read or written."""
    return (os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)).strip()


def read_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of a file; raise BadStream if one has another type or is out of bounds."""
    read = {name: facts.get(name, kind()) for name, kind in _FIELDS.items()}
    for name, kind in _FIELDS.items():
        if type(read[name]) is not kind or (kind is int and not -_MAX_NUMBER < read[name] < _MAX_NUMBER):
            raise BadStream(f"a file whose {name} is of another type")
    if read["kind"] not in _KINDS or not 0 <= read["start"] <= read["size"] or "\0" in read["link"]:
        raise BadStream("a file that is none")
    if "seen" in facts:
        read["seen"] = facts["seen"]
    return read

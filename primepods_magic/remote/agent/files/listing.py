"""List folders: every entry with its size, time and permissions, and the hashes of some."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .pack import open_file
from .part_file import PART_SUFFIX, hash_part
from .root import FileProblem, Root, find_kind
from .stream import BadStream
from .unpack import describe_error

__all__ = [
    "MAX_LIST_BYTES",
    "Entry",
    "find_free_bytes",
    "hash_files",
    "list_tree",
    "look_up",
    "pack_entries",
    "parse_entries",
    "read_entry",
    "remove_files",
]

MAX_LIST_BYTES = 64 << 20
_SEPARATOR = "\0"
_FIELDS = 3
_MAX_ENTRIES = 2_000_000
_MAX_FACTS_CHARS = 80
_KINDS = ("file", "dir", "link", "other", "unreadable")


class Entry(NamedTuple):
    """A file, or what else has a name.

    ``kind`` is ``file``, ``dir``, ``link``, ``other``, or ``unreadable``, which may be anything.
    """

    path: str
    kind: str
    size: int
    mtime_ns: int
    mode: int
    link: str


def read_entry(path: str, found: os.stat_result, link: str = "") -> Entry:
    """Return the entry of what was looked up."""
    kind = find_kind(found.st_mode)
    size = found.st_size if kind == "file" else 0
    return Entry(path, kind, size, found.st_mtime_ns, found.st_mode & 0o777, link)


def list_tree(
    folder: str, enter: Callable[[str, Iterable[str]], Callable[[str, bool], bool]] | None = None
) -> Iterator[Entry]:
    """Yield what is in a folder, at any depth, a folder before what it has in it, in order of names.

    Raises OSError if the folder itself cannot be listed. `enter` is given each folder and its names, and
    returns a function that decides whether one is left out.
    """
    waiting = [""]
    while waiting:
        path = waiting.pop()
        try:
            with os.scandir(os.path.join(folder, path)) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if not path:
                raise
            if not isinstance(error, FileNotFoundError):
                yield Entry(path, "unreadable", 0, 0, 0, "")
            continue
        is_left_out = enter(path, [entry.name for entry in entries]) if enter else None
        folders = []
        for each in entries:
            if each.name.endswith(PART_SUFFIX):
                continue
            below = f"{path}/{each.name}" if path else each.name
            try:
                if is_left_out and is_left_out(below, each.is_dir(follow_symlinks=False)):
                    continue
                link = os.readlink(each.path) if each.is_symlink() else ""
                entry = read_entry(below, each.stat(follow_symlinks=False), link)
            except FileNotFoundError:
                # It was removed meanwhile.
                continue
            except OSError:
                entry = Entry(below, "unreadable", 0, 0, 0, "")
            yield entry
            if entry.kind == "dir":
                folders.append(below)
        waiting += reversed(folders)


def look_up(root: Root, paths: Iterable[str]) -> Iterator[Entry]:
    """Yield those of the paths below a folder that there are; best in order, those of a folder together."""
    for path in paths:
        try:
            parent, name = root.open_parent(path)
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            link = os.readlink(name, dir_fd=parent) if find_kind(found.st_mode) == "link" else ""
        except (OSError, FileProblem):
            continue
        yield read_entry(path, found, link)


def hash_files(root: Root, files: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the hash of the beginning of each file, given with its size; empty if it cannot be read."""
    for path, size in files:
        try:
            fd = open_file(root, path)
            try:
                yield hash_part(fd, size).hexdigest()
            finally:
                os.close(fd)
        except (OSError, FileProblem):
            yield ""


def remove_files(root: Root, files: Iterable[Sequence[Any]]) -> dict[str, str]:
    """Remove files, given with the time of their last change or None, and empty folders.

    Returns by path why one could not be removed. A full folder stays, and what has changed since.
    """
    failures: dict[str, str] = {}
    for path, mtime_ns in files:
        try:
            parent, name = root.open_parent(path)
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if find_kind(found.st_mode) == "dir":
                os.rmdir(name, dir_fd=parent)
            elif mtime_ns in (found.st_mtime_ns, None):
                os.unlink(name, dir_fd=parent)
            else:
                raise FileProblem("it has changed there meanwhile")
        except FileNotFoundError:
            pass
        except (OSError, FileProblem) as error:
            failures[path] = describe_error(error)
    return failures


def find_free_bytes(path: str) -> int:
    """Return how much can be written below a path, which need not be there yet."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def pack_entries(entries: Iterable[Entry]) -> bytes:
    """Return entries as bytes."""
    parts: list[str] = []
    for path, kind, size, mtime_ns, mode, link in entries:
        parts += (f"{kind} {size} {mtime_ns} {mode}", path, link)
    return _SEPARATOR.join(parts).encode("utf-8", "surrogateescape")


def parse_entries(data: bytes) -> list[Entry]:
    """Return the entries of bytes from elsewhere; raise BadStream if they are none."""
    if not data:
        return []
    if data.count(b"\0") >= _FIELDS * _MAX_ENTRIES:
        raise BadStream("a list that is too long")
    parts = data.decode("utf-8", "surrogateescape").split(_SEPARATOR)
    if len(parts) % _FIELDS:
        raise BadStream("a list that ends early")
    entries = []
    for facts, path, link in zip(parts[::3], parts[1::3], parts[2::3]):  # noqa: B905 - Python 3.8
        kind, *numbers = facts.split(" ") if len(facts) <= _MAX_FACTS_CHARS else [""]
        try:
            size, mtime_ns, mode = map(int, numbers)
        except ValueError:
            raise BadStream("an entry that is none") from None
        if kind not in _KINDS or size < 0 or not 0 <= mode <= 0o777:
            raise BadStream("an entry that is none")
        entries.append(Entry(path, kind, size, mtime_ns, mode, link))
    return entries

"""A folder that files are read from and written to, and nothing outside of it."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Any

__all__ = ["FileProblem", "Root", "find_kind", "open_folder", "split_path"]

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Each level is an open file.
_MAX_LEVELS = 200
_WINDOWS_NAMES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{word}{n}" for word in ("com", "lpt") for n in range(1, 10))]
)


class FileProblem(Exception):
    """One file cannot be read or written; its text says why."""


def split_path(path: str, *, is_windows: bool = os.name == "nt") -> list[str]:
    """Return the names of a relative path; FileProblem if it leads out of its folder, or is too deep."""
    names = path.split("/")
    if len(names) > _MAX_LEVELS:
        raise FileProblem(f"it is in more than {_MAX_LEVELS} folders")
    for name in names:
        if name in ("", ".", "..") or "\0" in name or (is_windows and _is_unsafe_on_windows(name)):
            raise FileProblem("its name is not allowed here")
    return names


def _is_unsafe_on_windows(name: str) -> bool:
    has_special = any(char in '<>:"/\\|?*' or char < " " for char in name)
    return has_special or name[-1] in ". " or name.partition(".")[0].strip().lower() in _WINDOWS_NAMES


def find_kind(mode: int) -> str:
    """Return ``file``, ``dir``, ``link`` or ``other``."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "link" if stat.S_ISLNK(mode) else "other"


class Root:
    """A folder, held open; no path below it is followed through a symbolic link.

    Parameters
    ----------
    path : str
        The folder itself may be reached through links.
    make : bool
        Make it, and its parents, if it is not there.
    """

    def __init__(self, path: str, *, make: bool = False, mode: int = 0o777) -> None:
        self.path = path
        if make:
            os.makedirs(path, mode=mode, exist_ok=True)
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open: list[tuple[str, int]] = []

    def close(self) -> None:
        """Close it."""
        self._close_from(0)
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Root:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def open_parent(self, path: str, *, make: bool = False) -> tuple[int, str]:
        """Return the folder of a relative path, open until the next call, and the name in it.

        Raises FileProblem if a link or a file is in the way, OSError if it is not there.
        """
        *folders, name = split_path(path)
        same = 0
        while same < min(len(folders), len(self._open)) and self._open[same][0] == folders[same]:
            same += 1
        self._close_from(same)
        fd = self._open[-1][1] if self._open else self.fd
        for folder in folders[same:]:
            fd = open_folder(fd, folder, make)
            self._open.append((folder, fd))
        return fd, name

    def _close_from(self, index: int) -> None:
        while len(self._open) > index:
            os.close(self._open.pop()[1])


def open_folder(parent: int, name: str, make: bool) -> int:
    """Open a folder in another one, never through a link."""
    try:
        return os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    except FileNotFoundError:
        if not make:
            raise
    except NotADirectoryError:
        raise FileProblem(f"{name!r} is in its way, which is not a folder") from None
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
    return os.open(name, _FOLDER_FLAGS, dir_fd=parent)

"""The guard's key on the pod: a file in memory, for its user only: a killed guard is restarted with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile

__all__ = ["delete_key", "find_memory", "read_key", "restore_key", "write_key"]

_MOUNTS = "/proc/mounts"
_MEMORY = ("tmpfs", "ramfs")
_PREFIX = "primepods-guard-"
_NAME = "key"
_MAX_BYTES = 4096


def find_memory(places: tuple[str, ...] = ()) -> str:
    """Return a folder in memory in which files can be made, or "" if there is none."""
    for place in places or (f"/run/user/{os.getuid()}", "/dev/shm"):  # noqa: S108 - a folder is made there
        if _is_in_memory(place) and os.access(place, os.W_OK | os.X_OK):
            return place
    return ""


def write_key(place: str, key: str) -> str:
    """Write the key below a place in memory, and return its path; raise OSError if that fails."""
    folder = tempfile.mkdtemp(prefix=_PREFIX, dir=place)
    path = os.path.join(folder, _NAME)
    try:
        _write_file(path, key)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return path


def restore_key(path: str, key: str) -> None:
    """Write a key again that was deleted, at the same path, as far as that is possible."""
    with contextlib.suppress(OSError):
        os.mkdir(os.path.dirname(path), 0o700)
        _write_file(path, key)


def _write_file(path: str, key: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(key)


def read_key(path: str) -> str:
    """Return the key, or "" if its file is gone, or is not ours alone, or not in memory."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), encoding="ascii") as file:
            facts = os.fstat(file.fileno())
            is_ours = (
                facts.st_uid == os.getuid() and not facts.st_mode & 0o077 and stat.S_ISREG(facts.st_mode)
            )
            return file.read(_MAX_BYTES) if is_ours and _is_in_memory(path) else ""
    except (OSError, ValueError):
        return ""


def delete_key(path: str) -> None:
    """Delete the key and its folder, if they are there."""
    folder = os.path.dirname(path)
    if os.path.basename(folder).startswith(_PREFIX):
        with contextlib.suppress(OSError):
            os.unlink(path)
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _is_in_memory(path: str) -> bool:
    """Return whether the file system of a path keeps its files in memory, by the system's table."""
    real = os.path.realpath(path)
    kind, longest = "", -1
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as table:
            for line in table:
                fields = line.split(" ")
                point = fields[1].encode("utf-8", "surrogateescape").decode("unicode_escape")
                # Of several on one place, the last one is seen.
                if (real + "/").startswith(point.rstrip("/") + "/") and len(point) >= longest:
                    kind, longest = fields[2], len(point)
    except (OSError, ValueError, IndexError):
        return False
    return kind in _MEMORY

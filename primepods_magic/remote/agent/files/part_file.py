"""A file that is being written: under a temporary name beside its own until its hash agrees."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import stat

from .root import FileProblem

__all__ = ["MIN_KEPT_BYTES", "PART_SUFFIX", "PartFile", "hash_part", "name_part"]

PART_SUFFIX = ".primepods-part"
# A smaller beginning is not worth keeping.
MIN_KEPT_BYTES = 1 << 20
_MAX_NAME_BYTES = 255
_LOCKED = "another transfer writes it"
_CHUNK_BYTES = 1 << 20
_READ_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def name_part(name: str) -> str:
    """Return the temporary name of a file."""
    part = f".{name}{PART_SUFFIX}"
    if len(os.fsencode(part)) <= _MAX_NAME_BYTES:
        return part
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()}{PART_SUFFIX}"


def hash_part(fd: int, size: int) -> hashlib._Hash:
    """Return the hash of the beginning of an open file; FileProblem if it is shorter."""
    digest, at = hashlib.sha256(), 0
    while at < size:
        data = os.pread(fd, min(_CHUNK_BYTES, size - at), at)
        if not data:
            raise FileProblem("it is shorter than it was")
        digest.update(data)
        at += len(data)
    return digest


class PartFile:
    """The content of a file so far.

    Parameters
    ----------
    parent : int
        Its folder, open as long as this is.
    name : str
        Its name in the end.
    start : int
        Size of its beginning that is there from an earlier attempt, and goes on from there.
    """

    def __init__(self, parent: int, name: str, start: int) -> None:
        self.name = name
        self._parent = parent
        self._part = name_part(name)
        self._fd = self._open_old() if start else self._open_new()
        self.size = start
        try:
            self._digest = hash_part(self._fd, start)
            os.ftruncate(self._fd, start)
            os.lseek(self._fd, start, os.SEEK_SET)
        except BaseException:
            self._close_part()
            raise

    def _open_new(self) -> int:
        """Make and lock a file; if another transfer writes one, under a name that is used only once."""
        for part in (self._part, name_part(secrets.token_hex(8))):
            self._part = part
            with contextlib.suppress(FileExistsError):
                fd = os.open(part, _NEW_FLAGS, 0o600, dir_fd=self._parent)
                if _lock_file(fd) and self._has_name(fd):
                    return fd
                os.close(fd)
        raise FileProblem(_LOCKED)

    def _open_old(self) -> int:
        fd = os.open(self._part, _READ_FLAGS, dir_fd=self._parent)
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_nlink != 1:
            os.close(fd)
            raise FileProblem(f"{self._part!r} is not a beginning of it")
        if not _lock_file(fd):
            os.close(fd)
            raise FileProblem(_LOCKED)
        return fd

    def add_data(self, data: memoryview) -> None:
        """Append content."""
        rest = data
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._digest.update(data)
        self.size += len(data)

    def add_zeros(self, size: int) -> None:
        """Append a hole."""
        self._digest.update(bytes(size))
        self.size += size
        os.lseek(self._fd, size, os.SEEK_CUR)

    def finish(self, digest: str, mode: int, mtime_ns: int) -> None:
        """Give it its name, if its hash agrees."""
        try:
            os.ftruncate(self._fd, self.size)
            if self._digest.hexdigest() != digest:
                self.size = 0
                raise FileProblem("its hash does not agree")
            os.fchmod(self._fd, mode)
            os.utime(self._fd, ns=(mtime_ns, mtime_ns))
            if not self._has_name(self._fd):
                raise FileProblem(_LOCKED)
            os.rename(self._part, self.name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
        except BaseException:
            self._close_part()
            raise
        os.close(self._fd)
        if self._is_used_once():
            self._remove_old()

    def abandon(self) -> None:
        """Close it; a large beginning is kept, for an attempt that goes on from there."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self.size)
        self._close_part()

    def _close_part(self) -> None:
        """Close it, and remove it if it is small or would not be found again."""
        with contextlib.suppress(OSError):
            if (self.size < MIN_KEPT_BYTES or self._is_used_once()) and self._has_name(self._fd):
                os.unlink(self._part, dir_fd=self._parent)
        os.close(self._fd)

    def _remove_old(self) -> None:
        """Remove the beginning that an earlier attempt has left, unless a transfer writes it."""
        part = name_part(self.name)
        with contextlib.suppress(OSError):
            fd = os.open(part, _READ_FLAGS, dir_fd=self._parent)
            if _lock_file(fd):
                os.unlink(part, dir_fd=self._parent)
            os.close(fd)

    def _is_used_once(self) -> bool:
        return self._part != name_part(self.name)

    def _has_name(self, fd: int) -> bool:
        try:
            named = os.stat(self._part, dir_fd=self._parent, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(fd), named)


def _lock_file(fd: int) -> bool:
    """Lock a file until it is closed; return whether that was possible."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

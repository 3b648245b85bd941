"""Files on this computer: replaced atomically or appended to, and read only if they are plain files."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "append_line",
    "describe_error",
    "read_plain_file",
    "replace_file",
    "replace_users_file",
    "rotate_file",
    "take_file",
    "write_atomically",
]


def read_plain_file(path: Path, *, max_bytes: int = 16 * 2**20) -> bytes:
    """Return the content of a plain file of at most ``max_bytes``; pipes fail without blocking."""
    # Opening a pipe would block until someone writes.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a plain file", str(path))
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(0, f"larger than {max_bytes:,} bytes", str(path))
    return content


def take_file(path: Path, *, max_bytes: int = 16 * 2**20) -> bytes:
    """Return the content of a plain file and delete it; of several callers at once, one gets it."""
    taken = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    os.replace(path, taken)
    try:
        return read_plain_file(taken, max_bytes=max_bytes)
    finally:
        with contextlib.suppress(OSError):
            taken.unlink()


def append_line(path: Path, line: bytes) -> int:
    """Append a line to one of our plain files with one write; return the size of the file.

    The line break comes first, so that a line that a power cut cut off spoils no other. Symbolic links are
    not followed, and pipes fail without blocking.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o600)
    with open(descriptor, "ab", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a plain file", str(path))
        file.write(b"\n" + line)
        return os.fstat(descriptor).st_size


def rotate_file(path: Path, older: Path, *, max_bytes: int) -> None:
    """Let one of our files that is larger than ``max_bytes`` replace the older one.

    Of several callers at once, one does. Lines that others are just appending stay in one of the two files.
    """
    import fcntl

    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # Another process may have done it while this one waited for the lock.
        is_same = os.path.samestat(os.fstat(file.fileno()), os.stat(path))
        if is_same and os.fstat(file.fileno()).st_size > max_bytes:
            os.replace(path, older)


def write_atomically(
    path: Path, content: bytes | str, *, mode: int = 0o600, is_durable: bool = False
) -> None:
    """Replace one of our files atomically, text as UTF-8; a symbolic link is not followed."""
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    with replace_file(path, mode=mode, is_durable=is_durable) as file:
        file.write(data)


@contextlib.contextmanager
def replace_file(path: Path, *, mode: int = 0o600, is_durable: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces ``path`` when the block ends without an error.

    It has an unguessable name in the same folder, which must exist, and is removed if the block raises.
    ``mode`` is subject to the umask; ``is_durable`` syncs to disk, to survive a power cut.
    """
    import secrets

    temporary = path.parent / f".{secrets.token_hex(16)}.tmp"
    # O_EXCL refuses every existing name, also a symbolic link.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, mode)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            if is_durable:
                os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if is_durable:
        _sync_folder(path.parent)


@contextlib.contextmanager
def replace_users_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that durably replaces one of the user's, like `replace_file`.

    Symbolic links, permissions and owner stay. Raise OSError if the file is protected or not a plain file.
    """
    target = Path(os.path.realpath(path))
    try:
        earlier = os.stat(target)
    except FileNotFoundError:
        with replace_file(target, mode=0o666, is_durable=True) as file:
            yield file
        return
    if not stat.S_ISREG(earlier.st_mode):
        raise OSError(0, "not a plain file", str(path))
    # Fail for a write-protected file, although its folder would allow replacing it.
    os.close(os.open(target, os.O_WRONLY))
    with replace_file(target, is_durable=True) as file:
        # Systems without these functions have no such owners or permissions.
        with contextlib.suppress(OSError, AttributeError):
            os.fchown(file.fileno(), earlier.st_uid, earlier.st_gid)
        with contextlib.suppress(OSError, AttributeError):
            os.fchmod(file.fileno(), stat.S_IMODE(earlier.st_mode))
        yield file


def describe_error(error: OSError) -> str:
    """Return the reason of a failed file operation, without the path."""
    return error.strerror or type(error).__name__


def _sync_folder(folder: Path) -> None:
    # Some systems cannot sync a folder; the file itself is on disk already.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

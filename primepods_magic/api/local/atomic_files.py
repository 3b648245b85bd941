"""Files on this computer: replaced as a whole or not at all, and read only if they are plain files."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["describe_error", "read_plain_file", "replace_file", "replace_users_file", "write_atomically"]


def read_plain_file(path: Path, *, max_bytes: int = 16 * 2**20) -> bytes:
    """Return the content of a file. A pipe, a device and a folder are refused without waiting for them.

    Parameters
    ----------
    path : Path
        The file; symbolic links are followed.
    max_bytes : int
        The largest file that is read.

    Raises
    ------
    OSError
        It cannot be read, is not a plain file, or is larger.
    """
    # Opening a pipe to read would wait until someone writes.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a plain file", str(path))
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(0, f"larger than {max_bytes:,} bytes", str(path))
    return content


def write_atomically(
    path: Path, content: bytes | str, *, mode: int = 0o600, is_durable: bool = False
) -> None:
    """Write a file of ours. It has the new content, or it stays as it was; parameters as for `replace_file`.

    A symbolic link in its place is replaced, and never followed. Text is written as UTF-8.

    Raises
    ------
    OSError
        It cannot be written. The earlier file is as it was.
    """
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    with replace_file(path, mode=mode, is_durable=is_durable) as file:
        file.write(data)


@contextlib.contextmanager
def replace_file(path: Path, *, mode: int = 0o600, is_durable: bool = False) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of another one when the block ends without an error.

    The new file is beside the old one, under a name that no one can guess. If the block raises, also
    ``KeyboardInterrupt``, it is removed.

    Parameters
    ----------
    path : Path
        The file to replace. Its folder must exist.
    mode : int
        Permissions of the new file, less those that the umask takes away.
    is_durable : bool
        Whether the file must survive a power cut.

    Yields
    ------
    BinaryIO
        The new file, to be written to.

    Raises
    ------
    OSError
        It cannot be written. The earlier file is as it was.
    """
    beside = path.parent / f".{secrets.token_hex(16)}.tmp"
    # O_EXCL refuses every name that exists, also that of a symbolic link.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(beside, flags, mode)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            if is_durable:
                os.fsync(descriptor)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    if is_durable:
        _sync_folder(path.parent)


@contextlib.contextmanager
def replace_users_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of one of the user's, as `replace_file`; it is durable.

    A symbolic link stays, and the file it leads to is replaced. An earlier file's permissions and owner
    stay; a new file gets the usual permissions.

    Raises
    ------
    OSError
        It cannot be written, may not be, or is a pipe, a device or a folder. The earlier file is as it was.
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
    # A file that its owner has protected is not replaced, although its folder would allow that.
    os.close(os.open(target, os.O_WRONLY))
    with replace_file(target, is_durable=True) as file:
        # Systems without these functions have no such owners and permissions.
        with contextlib.suppress(OSError, AttributeError):
            os.fchown(file.fileno(), earlier.st_uid, earlier.st_gid)
        with contextlib.suppress(OSError, AttributeError):
            os.fchmod(file.fileno(), stat.S_IMODE(earlier.st_mode))
        yield file


def describe_error(error: OSError) -> str:
    """Return why a file operation failed, in a few words without the path."""
    return error.strerror or type(error).__name__


def _sync_folder(folder: Path) -> None:
    # Some systems cannot sync a folder; the file itself is on the disk already.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""Which files lie on a disk of this computer's own, and which may be another computer's too."""

from __future__ import annotations

import os
import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""Where Linux tells what is mounted, see proc_pid_mountinfo(5)."""

# Of the file systems in user space (fuse.sshfs, fuse.s3fs …) hardly one is a disk, so all of them count.
_REMOTE = re.compile(
    r"nfs4?|cifs|smb3|smbfs|ncpfs|9p|virtiofs|vboxsf|fuse(\..*)?|lustre|gpfs|beegfs|pvfs2|panfs|ceph"
    r"|glusterfs|gfs2?|ocfs2|afs|coda|davfs|prl_fs"
)


def is_local(path: Path, mounts: Path = MOUNTS) -> bool:
    """Whether a file is this computer's alone; False where that cannot be known.

    Parameters
    ----------
    path:
        The file, or where one is to be.
    mounts:
        What is mounted, in the format of Linux's ``/proc/self/mountinfo``.

    Example
    -------
    >>> is_local(Path("/proc/self/stat"), Path("/no/such/list"))
    False
    """
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    real = os.path.realpath(path)
    longest, kind = "", None
    for line in lines:
        fields, _, source = line.partition(" - ")
        if not source:
            continue
        point = _unescaped(fields.split(" ")[4])
        # The later of two at the same place hides the earlier one.
        if len(point) >= len(longest) and _is_within(real, point):
            longest, kind = point, source.split(" ")[0]
    return kind is not None and not _REMOTE.fullmatch(kind)


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _unescaped(text: str) -> str:
    """Blanks, tabs, line ends and backslashes are written as three octal digits there."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)

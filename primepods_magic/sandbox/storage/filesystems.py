"""Detection of network file systems."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["MOUNTS", "is_local"]

MOUNTS = Path("/proc/self/mountinfo")
"""The mount table of Linux, see proc_pid_mountinfo(5)."""

# Hardly any FUSE file system (fuse.sshfs, fuse.s3fs …) is a local disk.
_REMOTE = re.compile(
    r"nfs4?|cifs|smb3|smbfs|ncpfs|9p|virtiofs|vboxsf|fuse(\..*)?|lustre|gpfs|beegfs|pvfs2|panfs|ceph"
    r"|glusterfs|gfs2?|ocfs2|afs|coda|davfs|prl_fs"
)


def is_local(path: Path, mounts: Path = MOUNTS) -> bool:
    """Check that a file is on a local disk; return False if that is unknown.

    `mounts` has the format of Linux's `/proc/self/mountinfo`.
    """
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    real = os.path.realpath(path)
    longest, filesystem = "", None
    for line in lines:
        fields, _, source = line.partition(" - ")
        if not source:
            continue
        point = _unescape_octal(fields.split(" ")[4])
        # A later mount at the same point hides the earlier one.
        if len(point) >= len(longest) and _is_within(real, point):
            longest, filesystem = point, source.split(" ")[0]
    return filesystem is not None and not _REMOTE.fullmatch(filesystem)


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _unescape_octal(text: str) -> str:
    """Decode the three-digit octal escapes of mountinfo."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)

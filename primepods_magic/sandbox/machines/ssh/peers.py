"""The local user behind a loopback connection.

The sandbox's API keys are public, so any user of this computer could add an SSH key of theirs. A machine runs
commands as the user who started it, and therefore accepts connections of that user alone.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

__all__ = ["find_user_id", "is_own_connection"]

_TABLE = Path("/proc/net/tcp")


def is_own_connection(peer: tuple[str, int], own: tuple[str, int]) -> bool:
    """Return whether the other end belongs to this user or root; True if this system does not tell."""
    try:
        table = _TABLE.read_text("ascii")
    except OSError:
        return True
    return find_user_id(table, peer, own) in (0, os.getuid())


def find_user_id(table: str, local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    """Return the owner of the socket with these addresses in the text of `/proc/net/tcp`, or None."""
    wanted = [_format_address(local), _format_address(remote)]
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == wanted:
            return int(fields[7])
    return None


def _format_address(address: tuple[str, int]) -> str:
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"

"""CPU seconds and bytes of the pod's processes, and what they used between two samples."""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from typing import NamedTuple

__all__ = ["MARK", "Process", "Use", "measure_use", "read_mark", "read_processes"]

MARK = "SANDBOX_POD"
"""The variable that distinguishes the sandbox's machines, which share a computer."""

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """A process so far. What its children used counts when it has waited for them.

    The bytes include theirs, and are None if another user's process keeps them secret.
    """

    parent: int
    own_s: float
    reaped_s: float
    io_bytes: int | None
    has_terminal: bool


class Use(NamedTuple):
    """CPU seconds and bytes that processes used between two samples."""

    cpu_s: float
    io_bytes: int


def read_mark() -> bytes | None:
    """Return the entry of the environment that this machine's processes share; None on a real pod."""
    return os.fsencode(f"{MARK}={os.environ[MARK]}") if MARK in os.environ else None


def read_processes(mark: bytes | None) -> dict[tuple[int, bytes], Process]:
    """Return all processes by id and start time, as ids are used again; raise OSError if some are hidden."""
    found: dict[tuple[int, bytes], Process] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if mark is not None and mark not in read_file(f"/proc/{name}/environ").split(b"\0"):
                continue
            stat = read_file(f"/proc/{name}/stat")
        except (FileNotFoundError, ProcessLookupError):
            continue
        except PermissionError:
            if mark is None:
                raise
            continue
        # The name of a program may contain anything.
        fields = stat[stat.rindex(b")") + 2 :].split()
        found[int(name), fields[19]] = Process(
            parent=int(fields[1]),
            own_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
            reaped_s=(int(fields[13]) + int(fields[14])) / _TICKS_PER_S,
            io_bytes=_read_bytes(name),
            has_terminal=fields[4] != b"0",
        )
    pids = {pid for pid, _ in found}
    # A system may show each user only their own processes.
    if os.getpid() not in pids or (mark is None and 1 not in pids):
        raise OSError("the system hides processes")
    return found


def read_file(path: str) -> bytes:
    """Return the content of a file of the system."""
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def _read_bytes(pid: str) -> int | None:
    """Return what a process has read and written: files, pipes and sockets, or memory that is a file's."""
    try:
        lines = read_file(f"/proc/{pid}/io").split(b"\n")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except OSError:
        return None
    counts = {name: int(value) for name, _, value in (line.partition(b":") for line in lines) if value}
    read = max(counts[b"rchar"], counts.get(b"read_bytes", 0))
    return read + max(counts[b"wchar"], counts.get(b"write_bytes", 0))


def measure_use(
    before: Mapping[tuple[int, bytes], Process],
    now: Mapping[tuple[int, bytes], Process],
    excluded: Set[int],
) -> Use:
    """Return what was used in between, without some processes.

    What a parent adds for a child that has ended was partly counted while that ran. In doubt it is counted
    twice.
    """
    known_s: dict[int, float] = {}
    known_bytes: dict[int, int] = {}
    for key in before.keys() - now.keys():
        ended = before[key]
        known_s[ended.parent] = known_s.get(ended.parent, 0.0) + ended.own_s + ended.reaped_s
        known_bytes[ended.parent] = known_bytes.get(ended.parent, 0) + (ended.io_bytes or 0)
    cpu_s, io_bytes = 0.0, 0
    for key, process in now.items():
        pid = key[0]
        if pid in excluded:
            continue
        old = before.get(key)
        if old is None:
            cpu_s += process.own_s + process.reaped_s
            io_bytes += process.io_bytes or 0
            continue
        cpu_s += max(0.0, process.own_s - old.own_s)
        cpu_s += max(0.0, process.reaped_s - old.reaped_s - known_s.get(pid, 0.0))
        if process.io_bytes is not None and old.io_bytes is not None:
            io_bytes += max(0, process.io_bytes - old.io_bytes - known_bytes.get(pid, 0))
    return Use(cpu_s, io_bytes)

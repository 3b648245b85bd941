"""Processes of machines, found by a mark in their environment: daemons leave groups and sessions."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MARK", "ProcessUsage", "has_proc", "kill_marked", "kill_until_gone", "measure_marked"]

MARK = "SANDBOX_POD"
"""The variable whose value names the sandbox, the machine and its run."""

_PROC = Path("/proc")
_PREFIX = f"{MARK}=".encode()
_DEVICES = b"CUDA_VISIBLE_DEVICES="
_ROUND_S = 0.01
_KILL_TIMEOUT_S = 2.0
_MIB = 1 << 20


@dataclass(frozen=True)
class ProcessUsage:
    """What a process has used so far, and the GPUs that it may use (None: all)."""

    pid: int
    name: str
    cpu_s: float
    memory_mb: int
    devices: tuple[int, ...] | None


def has_proc() -> bool:
    """Return whether this system lists the environment of processes."""
    return (_PROC / "self" / "environ").exists()


def kill_marked(is_ours: Callable[[str], bool]) -> int:
    """Kill all processes whose mark is accepted; return how many there were."""
    count = 0
    for pid, _, _ in _find_marked(is_ours):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
        count += 1
    return count


def kill_until_gone(is_ours: Callable[[str], bool]) -> None:
    """Kill all processes whose mark is accepted, and those that they start meanwhile."""
    end = time.monotonic() + _KILL_TIMEOUT_S
    while kill_marked(is_ours) and time.monotonic() < end:
        time.sleep(_ROUND_S)


def measure_marked(mark: str) -> dict[int, ProcessUsage]:
    """Measure the processes with this mark."""
    usages = {}
    for pid, environment, status in _find_marked(mark.__eq__):
        name, _, numbers = status.rpartition(")")
        fields = numbers.split()
        # Fields 14, 15 and 24 of proc(5): user time, system time, resident pages.
        ticks = int(fields[11]) + int(fields[12])
        usages[pid] = ProcessUsage(
            pid=pid,
            name=name.partition("(")[2],
            cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
            memory_mb=int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // _MIB,
            devices=_parse_devices(environment),
        )
    return usages


def _find_marked(is_ours: Callable[[str], bool]) -> Iterator[tuple[int, list[bytes], str]]:
    """Yield the id, the environment and the status line of each process whose mark is accepted."""
    if not _PROC.is_dir():
        return
    for entry in os.listdir(_PROC):
        if not entry.isdecimal():
            continue
        try:
            environment = (_PROC / entry / "environ").read_bytes().split(b"\0")
            mark = next((pair for pair in environment if pair.startswith(_PREFIX)), None)
            if mark is None or not is_ours(mark[len(_PREFIX) :].decode("utf-8", "replace")):
                continue
            status = (_PROC / entry / "stat").read_text("utf-8", "replace")
        except OSError:
            # It has ended, or belongs to another user.
            continue
        yield int(entry), environment, status


def _parse_devices(environment: list[bytes]) -> tuple[int, ...] | None:
    value = next((pair for pair in environment if pair.startswith(_DEVICES)), None)
    if value is None:
        return None
    words = value[len(_DEVICES) :].decode("ascii", "replace").split(",")
    return tuple(int(word) for word in words if word.strip().isdecimal())

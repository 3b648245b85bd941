"""The end of a kernel: its exit code, and whether memory ran out."""

from __future__ import annotations

import contextlib
import re
from typing import Any

__all__ = ["OomCounter"]

# Of the container, in both versions of control groups.
_COUNTS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


class OomCounter:
    """Counts the processes that were killed because memory ran out."""

    def __init__(self) -> None:
        self._before = _count_kills()

    def describe(self, process: Any) -> dict[str, Any]:
        """Return how a process ended: its exit code, if it is known, and whether memory ran out."""
        code = getattr(process, "returncode", None)
        has_run_out = code == -9 and _count_kills() > self._before
        return {**({"exit_code": code} if isinstance(code, int) else {}), "has_run_out": has_run_out}


def _count_kills() -> int:
    for path in _COUNTS:
        with contextlib.suppress(OSError), open(path) as file:
            found = re.search(r"^oom_kill (\d+)$", file.read(), re.MULTILINE)
            if found:
                return int(found[1])
    return 0

"""How a contestant of `read_history` is measured, in a process of its own: `python CONTESTANT URL ROWS_FILE`.

Only the standard library, and plain scripts: the official SDK has a Python of its own, without our packages.
"""

from __future__ import annotations

import gc
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

FIELDS = (
    "id",
    "name",
    "providerType",
    "provisionedBy",
    "type",
    "createdAt",
    "terminatedAt",
    "gpuName",
    "gpuCount",
    "socket",
    "priceHr",
    "userId",
    "teamId",
    "totalBilledPrice",
)
"""What every contestant tells of a row, in this order and as JSON has it."""

Answer = TypeVar("Answer")


def url() -> str:
    """Where the sandbox is."""
    return sys.argv[1]


def measure(
    warm_up: Callable[[], object],
    read: Callable[[], Answer],
    rows: Callable[[Answer], Iterable[Iterable[Any]]],
    also: Callable[[Answer], Mapping[str, Any]] = lambda answer: {},
) -> None:
    """Time one reading and print what it took; its rows go into the file.

    Parameters
    ----------
    warm_up : callable
        Reads one page, uncounted: imports, a connection and what a page takes are not what is compared.
    read : callable
        What is timed.
    rows : callable
        Of its answer the rows, with all `FIELDS`; neither timed nor counted as memory.
    also : callable
        What else is to be told.
    """
    warm_up()
    gc.collect()
    # "5" sets the peak back to what is in use now.
    Path("/proc/self/clear_refs").write_text("5")
    before = _kilobytes("VmHWM")
    begin, used_s = time.perf_counter(), time.process_time()
    answer = read()
    told = {
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": time.process_time() - used_s,
        "peak_bytes": 1024 * (_kilobytes("VmHWM") - before),
        **also(answer),
    }
    with Path(sys.argv[2]).open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(list(row))}\n" for row in rows(answer))
    print(json.dumps(told))


def _kilobytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])

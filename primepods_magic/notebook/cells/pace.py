"""The pace of a kernel's output: Jupyter's server drops what comes faster."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["await_server"]

# The server drops output above 3 MB or 3,000 messages in any 3 s, of all cells of a kernel together.
_RATE_BYTES_S = 600_000
_BURST_BYTES = 400_000
_MIN_MESSAGE_BYTES = 800
_MAX_SLEEP_S = 0.2

_lock = threading.Lock()
_budget_bytes = float(_BURST_BYTES)
_counted_at = time.monotonic()


def await_server(content: Mapping[str, Any], buffers: Sequence[bytes] = ()) -> None:
    """Wait until the server takes a message, and count its size."""
    text = json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
    size = max(_MIN_MESSAGE_BYTES, len(text) + sum(map(len, buffers)))
    while (missing_bytes := _take_bytes(size)) > 0:
        time.sleep(min(_MAX_SLEEP_S, missing_bytes / _RATE_BYTES_S))


def _take_bytes(size: int) -> float:
    """Take them from the budget if it is above zero, or return how far below it is."""
    global _budget_bytes, _counted_at
    with _lock:
        now = time.monotonic()
        _budget_bytes = min(_BURST_BYTES, _budget_bytes + (now - _counted_at) * _RATE_BYTES_S)
        _counted_at = now
        if _budget_bytes > 0:
            _budget_bytes -= size
            return 0.0
        return max(1.0, -_budget_bytes)

"""Following a pod's logs: new lines are found by comparing successive windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from primepods_magic.api.client import Client
from primepods_magic.api.errors import (
    NotFound,
    PodFailed,
    RateLimited,
    ServiceUnavailable,
    UnexpectedAnswer,
    WaitInterrupted,
)
from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.validation.bounds import check_count
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.watching.snapshot import Snapshot

from .wait import DEFAULT_TIMEOUT_S, wait_for

__all__ = ["GAP", "follow_logs", "new_lines", "read_log_end"]

GAP = "… gap …"
"""Stands for lines that may be missing."""

_MAX_LINES = 5000
_MAX_END_LINES, _MAX_END_CHARS = 200, 40_000
_MAX_REDRAWN = 100


def read_log_end(client: Client, pod_id: str) -> str:
    """Return the end of a pod's logs, as much as a view below its row shows."""
    lines = client.pod_logs(pod_id, tail=_MAX_END_LINES).splitlines()
    return "\n".join(lines[-_MAX_END_LINES:])[-_MAX_END_CHARS:] or "No logs yet"


def follow_logs(
    connection: Connection,
    pod: PodDetails,
    on_line: Callable[[str], object],
    *,
    tail: int | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> PodDetails:
    """Pass each line of a pod's logs to `on_line` until it is ready, failed or gone; return the pod.

    `GAP` stands for lines that may be missing. `tail` starts with that many of the last lines. Raises
    WaitTimedOut after `timeout_s` seconds of the service's clock, WaitInterrupted on Ctrl-C; the pod keeps
    running.
    """
    check_count("tail", tail)
    before: list[str] | None = None
    latest = pod

    def read(snapshot: Snapshot) -> None:
        nonlocal before, latest
        (latest,) = snapshot.pods
        try:
            lines = connection.client.pod_logs(pod.id or "", keep=_MAX_LINES).splitlines()
        except (NotFound, RateLimited, ServiceUnavailable, UnexpectedAnswer):
            return
        for line in lines[-tail if tail else None :] if before is None else new_lines(before, lines):
            on_line(line)
        before = lines or before

    try:
        wait_for(connection, [pod], timeout_s=timeout_s, on_snapshot=read)
    except PodFailed:
        pass
    except WaitInterrupted:
        raise WaitInterrupted(f"Stopped following the logs; '{sanitize(pod.name)}' keeps running") from None
    return latest


def new_lines(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """Return the lines of ``now`` that were not there ``before``.

    Both are windows of one log that moves on. They are aligned where the end of the first and the beginning
    of the second have most in common. The last lines may have been redrawn since; those that differ are
    returned.

    >>> new_lines(["a", "b"], ["b", "c"]), new_lines(["a", "b"], ["x"]), new_lines(["a", "b…"], ["a", "b c"])
    (['c'], ['… gap …', 'x'], ['b c'])
    """
    before, now = list(before), list(now)
    if not before or not now:
        return now
    common = _find_common_lengths(before, now)
    fits = [
        (redrawn, begin)
        for begin, length in enumerate(common)
        for redrawn in [len(before) - begin - length]
        if redrawn <= 1 or (redrawn <= _MAX_REDRAWN and (length >= redrawn or not begin))
        if length or len(before) == 1
    ]
    if not fits:
        return [GAP, *now]
    _, begin = min(fits)
    old, new = before[begin + common[begin] :], now[common[begin] :]
    return [line for index, line in enumerate(new) if index >= len(old) or line != old[index]]


def _find_common_lengths(before: list[str], now: list[str]) -> list[int]:
    """Return how many lines ``now`` begins with that follow each index of ``before`` (Z algorithm)."""
    lines: list[str | None] = [*now, None, *before]
    lengths = [0] * len(lines)
    left = right = 0
    for index in range(1, len(lines)):
        length = min(right - index, lengths[index - left]) if index < right else 0
        while index + length < len(lines) and lines[length] == lines[index + length]:
            length += 1
        if index + length > right:
            left, right = index, index + length
        lengths[index] = length
    return lengths[len(now) + 1 :]

"""Following the logs of a pod: the service tells what there is by now, and what is new is told apart here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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

__all__ = ["GAP", "follow_logs", "new_lines"]

GAP = "… gap …"
"""Stands where lines may be missing."""

_MAX_LINES = 5000
_MAX_REDRAWN = 100


def follow_logs(
    connection: Connection,
    pod: PodDetails,
    on_line: Callable[[str], object],
    *,
    tail: int | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> PodDetails:
    """Tell every line of a pod's logs as it appears, until the pod is ready, has failed or is gone.

    Parameters
    ----------
    connection : Connection
        Where the pod is.
    pod : PodDetails
        The pod.
    on_line : callable
        Is given each line once, and `GAP` where lines may be missing.
    tail : int, optional
        Begin with so many of the last lines; else with the first.
    timeout_s : float
        For how long, in seconds of the service's clock.

    Returns
    -------
    PodDetails
        The pod as last seen.

    Raises
    ------
    WaitTimedOut
        The time is over.
    WaitInterrupted
        Ctrl-C. The pod goes on in both.

    Examples
    --------
    >>> follow_logs(connection, pod, print).is_ready                         # doctest: +SKIP
    True
    """
    check_count("tail", tail)
    before: list[str] | None = None
    latest = pod

    def read(snapshot: Snapshot) -> None:
        """What is written before the pod is settled is there when it is seen to be."""
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
        wait_for(connection, [pod], timeout_s=timeout_s, on_look=read)
    except PodFailed:
        pass
    except WaitInterrupted:
        raise WaitInterrupted(f"stopped following the logs; '{sanitize(pod.name)}' goes on") from None
    return latest


def new_lines(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """Return the lines of now that were not there before.

    Both are windows of one log that moves on. They are lined up where the end before and the beginning now
    have most in common; the last lines before may have been redrawn since, and are told where they differ.

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
    """Return how many lines now begin as those from each index before on do (by the Z algorithm)."""
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

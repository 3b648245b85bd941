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
from primepods_magic.api.text import clean

from .connection import Connection
from .snapshot import Snapshot
from .wait import DEFAULT_TIMEOUT_S, wait_for

__all__ = ["GAP", "follow_logs", "new_lines"]

GAP = "… gap …"
"""Stands where lines may be missing."""

_MOST_LINES = 5000


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
    before: list[str] | None = None
    latest = pod

    def read(snapshot: Snapshot) -> None:
        """What is written before the pod is settled is there when it is seen to be."""
        nonlocal before, latest
        (latest,) = snapshot.pods
        try:
            lines = connection.client.pod_logs(pod.id or "").splitlines()[-_MOST_LINES:]
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
        raise WaitInterrupted(f"stopped following the logs; '{clean(pod.name)}' goes on") from None
    return latest


def new_lines(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """What of the lines now was not there before, by the longest overlap of the end before with the beginning
    now; the last line before may have grown since.

    >>> new_lines(["a", "b"], ["b", "c"]), new_lines(["a", "b"], ["x"]), new_lines(["a", "b…"], ["a", "b c"])
    (['c'], ['… gap …', 'x'], ['b c'])
    """
    before, now = list(before), list(now)
    for seen in (before, before[:-1]):
        for length in range(min(len(seen), len(now)), 0, -1):
            if seen[-length:] == now[:length]:
                return now[length:]
    return [GAP, *now] if before and now else now

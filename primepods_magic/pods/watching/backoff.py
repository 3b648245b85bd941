"""How often to look: less often where nothing changes, and less often still where looking fails."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["BELIEVED_S", "LIVE_INTERVAL_S", "SANDBOX_INTERVAL_S", "SETTLE_S", "PollBackoff"]

SETTLE_S = 60.0
"""Seconds until a pod that was created must be seen, unless a launch says otherwise."""

BELIEVED_S = 600.0
"""Seconds for which a pod that was created or seen is believed to be there although no one shows it."""

SANDBOX_INTERVAL_S = 0.5
LIVE_INTERVAL_S = 5.0

# A minute of the live service: most of what happens to a pod happens sooner.
_QUIET_POLLS = 12
_MAX_FACTOR_WHILE_STARTING = 2.0
_MAX_FACTOR_WHEN_SETTLED = 6.0
_MAX_FACTOR_AFTER_FAILURE = 8.0
_MAX_BACKOFF_S = 30.0
# A service that asks for more is asked again all the same; it may have meant something else.
_MAX_RETRY_AFTER_S = 300.0


class PollBackoff:
    """How long to wait before the next look, by how the last ones went.

    Parameters
    ----------
    jitter : callable
        A number from 0 to 1 for each wait after a failure, so that many kernels do not come back at once.

    Examples
    --------
    >>> backoff = PollBackoff(jitter=lambda: 1.0)
    >>> backoff.delay_s(5.0)
    5.0
    >>> backoff.record_failure()
    >>> backoff.record_failure()
    >>> backoff.delay_s(5.0)
    20.0
    """

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._quiet_polls = 0
        self._failures = 0
        self._is_settled = False
        self._retry_after_s = 0.0

    def record_success(self, *, changed: bool, settled: bool) -> None:
        """A look went well: did anything change, and is there anything left to wait for?"""
        self._quiet_polls = 0 if changed else self._quiet_polls + 1
        self._is_settled = settled
        self._failures, self._retry_after_s = 0, 0.0

    def record_failure(self, retry_after_s: float | None = None) -> None:
        """A look record_failure, and the service may have said when to come back."""
        self._failures += 1
        self._retry_after_s = min(retry_after_s or 0.0, _MAX_RETRY_AFTER_S)

    def reset(self) -> None:
        """Somebody has begun to watch: what was quiet so far says nothing of that."""
        self._quiet_polls = 0

    def delay_s(self, interval_s: float) -> float:
        """Seconds until the next look, where one each ``interval_s`` is wanted."""
        if self._failures:
            longest_s = max(interval_s, min(interval_s * _MAX_FACTOR_AFTER_FAILURE, _MAX_BACKOFF_S))
            # Beyond a few doublings only the limit counts, and the power would grow without one.
            wait_s = min(interval_s * 2.0 ** min(self._failures, 10), longest_s)
            return max(wait_s * (0.75 + 0.25 * self._jitter()), interval_s, self._retry_after_s)
        slowest = _MAX_FACTOR_WHEN_SETTLED if self._is_settled else _MAX_FACTOR_WHILE_STARTING
        return interval_s * min(max(1.0, self._quiet_polls / _QUIET_POLLS), slowest)

"""Polling intervals: longer while nothing changes, longer still after failures."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ["BELIEVED_S", "LIVE_INTERVAL_S", "SANDBOX_INTERVAL_S", "SETTLE_S", "PollBackoff"]

SETTLE_S = 60.0
"""Default time in seconds within which a created pod must appear."""

BELIEVED_S = 600.0
"""Time in seconds for which a created or seen pod is believed to exist although nothing lists it."""

SANDBOX_INTERVAL_S = 0.5
LIVE_INTERVAL_S = 5.0

# One minute at the live service: most changes happen sooner.
_QUIET_POLLS = 12
_MAX_FACTOR_WHILE_STARTING = 2.0
_MAX_FACTOR_WHEN_SETTLED = 6.0
_MAX_FACTOR_AFTER_FAILURE = 8.0
_MAX_BACKOFF_S = 30.0
# A longer Retry-After is cut to this: it may be a mistake.
_MAX_RETRY_AFTER_S = 300.0


class PollBackoff:
    """Delay before the next poll, by the results of the last ones.

    `jitter` returns a number from 0 to 1 for each delay after a failure, so that many kernels do not retry at
    once.

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
        """Record a poll that succeeded."""
        self._quiet_polls = 0 if changed else self._quiet_polls + 1
        self._is_settled = settled
        self._failures, self._retry_after_s = 0, 0.0

    def record_failure(self, retry_after_s: float | None = None) -> None:
        """Record a poll that failed, and the service's ``Retry-After`` in seconds, if any."""
        self._failures += 1
        self._retry_after_s = min(retry_after_s or 0.0, _MAX_RETRY_AFTER_S)

    def reset(self) -> None:
        """Return to the base interval, because a new watch began."""
        self._quiet_polls = 0

    def delay_s(self, interval_s: float) -> float:
        """Return the delay before the next poll in seconds, at a base interval of ``interval_s``."""
        if self._failures:
            longest_s = max(interval_s, min(interval_s * _MAX_FACTOR_AFTER_FAILURE, _MAX_BACKOFF_S))
            # After a few doublings only the limit counts; the power must stay finite.
            wait_s = min(interval_s * 2.0 ** min(self._failures, 10), longest_s)
            return max(wait_s * (0.75 + 0.25 * self._jitter()), interval_s, self._retry_after_s)
        slowest = _MAX_FACTOR_WHEN_SETTLED if self._is_settled else _MAX_FACTOR_WHILE_STARTING
        return interval_s * min(max(1.0, self._quiet_polls / _QUIET_POLLS), slowest)

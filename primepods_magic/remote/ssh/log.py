"""Reasons for a failed connection in the log of an OpenSSH client."""

from __future__ import annotations

import re
from typing import Literal

from primepods_magic.api.text.sanitize import sanitize

__all__ = ["FailureReason", "find_failure", "is_logged_in", "last_complaint"]

FailureReason = Literal["host-key", "denied", "refused", "unreachable", "lost", "setup"]

# The client's own words, in the order in which they are searched for.
_BEFORE_LOGIN: tuple[tuple[FailureReason, re.Pattern[str]], ...] = (
    ("host-key", re.compile(r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed")),
    ("denied", re.compile(r"Permission denied \(|Too many authentication failures")),
    (
        "refused",
        re.compile(
            r"Connection refused|kex_exchange_identification|banner exchange|Connection (reset|closed) by "
        ),
    ),
    ("unreachable", re.compile(r"timed out|No route to host|is unreachable|Could not resolve hostname")),
)
_COMMAND_ENDED = re.compile(r"^debug1: .* rtype exit-(status|signal) ", re.MULTILINE)
_LOGGED_IN = re.compile(r"^Authenticated to ", re.MULTILINE)
_NOISE = re.compile(
    r"^(@|Warning: Permanently added|debug\d|Authenticated to|Transferred: |Bytes per|OpenSSH_)"
)


def is_logged_in(log: str) -> bool:
    """Return whether the client logged in, so that the command may have run."""
    return bool(_LOGGED_IN.search(log))


def find_failure(log: str) -> FailureReason | None:
    """Return why there is no connection, or None if the log has no reason.

    The log must have the level DEBUG1, which names a successful login and the end of the command.

    >>> find_failure("ssh: connect to host 127.0.0.1 port 9: Connection refused")
    'refused'
    >>> find_failure("Authenticated to pod-train ([127.0.0.1]:22).")
    'lost'
    """
    if is_logged_in(log):
        return None if _COMMAND_ENDED.search(log) else "lost"
    return next((reason for reason, words in _BEFORE_LOGIN if words.search(log)), "setup")


def last_complaint(log: str) -> str:
    """Return the last line of the log for people, sanitized and at most 300 characters long."""
    lines = [line.strip() for line in log.splitlines() if line.strip() and not _NOISE.match(line)]
    return sanitize(lines[-1])[:300].removesuffix(".") if lines else "the server closed it"

"""Results of checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["LOG_IN", "Finding", "Result", "failed_check", "run_check"]

Result = Literal["ok", "warning", "problem"]

LOG_IN = "set PRIME_API_KEY or run 'prime login'"


@dataclass(frozen=True)
class Finding:
    """Result of one check; a problem prevents something from working.

    `detail` holds no secret. `what_to_do` is empty if nothing needs to be done.
    """

    check: str
    result: Result
    detail: str
    what_to_do: str = ""


def run_check(check: str, run: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return a check's findings, or one that says that the check failed."""
    try:
        return list(run())
    except Exception as error:  # noqa: BLE001 - one check that fails must not hide the others
        return [failed_check(check, error)]


def failed_check(check: str, error: Exception) -> Finding:
    """Report a check that failed itself."""
    # The error's message may hold a secret.
    return Finding(check, "problem", f"the check failed ({type(error).__name__})")

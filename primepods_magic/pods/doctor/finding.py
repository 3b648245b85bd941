"""What came of a check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["LOG_IN", "Finding", "Result", "failed_check", "run_check"]

Result = Literal["ok", "warning", "problem"]

LOG_IN = "set PRIME_API_KEY or run 'prime login'"


@dataclass(frozen=True)
class Finding:
    """What came of one check.

    Parameters
    ----------
    check : str
        What was looked at.
    result : {"ok", "warning", "problem"}
        How it is; a problem keeps something from working.
    detail : str
        What was seen; holds no secret.
    what_to_do : str
        How to mend it; empty where nothing is to be done.
    """

    check: str
    result: Result
    detail: str
    what_to_do: str = ""


def run_check(check: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What a check finds, or that it failed."""
    try:
        return list(look())
    except Exception as error:  # noqa: BLE001 - one check that fails must not hide the others
        return [failed_check(check, error)]


def failed_check(check: str, error: Exception) -> Finding:
    """A check that failed itself."""
    # The error's words may hold a secret.
    return Finding(check, "problem", f"could not be checked ({type(error).__name__})")

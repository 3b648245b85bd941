"""How long the long tests take: short by default, in full under `make soak`."""

from __future__ import annotations

import os
from typing import TypeVar

from hypothesis import HealthCheck, settings

# Read once, while tests are collected: inside a test the environment holds nothing of ours.
SOAK = os.environ.get("PRIMEPODS_SOAK") == "1"

T = TypeVar("T")


def pick(quick: T, full: T) -> T:
    """`quick` in an ordinary run, `full` under `make soak`."""
    return full if SOAK else quick


def register_profiles() -> None:
    """The same examples on every ordinary run; new ones, and many more, under `make soak`."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    settings.register_profile(
        "quick",
        max_examples=40,
        stateful_step_count=25,
        deadline=None,
        derandomize=True,
        suppress_health_check=slow,
    )
    settings.register_profile(
        "soak",
        max_examples=2000,
        stateful_step_count=60,
        deadline=None,
        print_blob=True,
        suppress_health_check=slow,
    )
    settings.load_profile("soak" if SOAK else "quick")

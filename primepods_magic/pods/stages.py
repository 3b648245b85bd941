"""The stages of a launch, and what an interrupt in each of them leaves behind."""

from __future__ import annotations

from typing import Literal

from primepods_magic.api.errors import OutcomeUnknown, PodsError, WaitInterrupted

__all__ = ["Stage", "describe_interrupt"]

Stage = Literal["looking", "ending", "creating", "done"]


def describe_interrupt(stage: Stage, name: str) -> PodsError:
    """Return the error that reports an interrupted launch.

    Parameters
    ----------
    stage : Stage
        What was being done.
    name : str
        The pod's name, clean.
    """
    if stage == "looking":
        return WaitInterrupted(f"interrupted before '{name}' was ordered; nothing was created")
    if stage == "ending":
        return WaitInterrupted(
            f"interrupted while the old '{name}' was being ended; no new one was created. '%pods ls' shows "
            "what is left"
        )
    if stage == "done":
        return WaitInterrupted(
            f"interrupted, but '{name}' was launched and is billed. Running this again returns it"
        )
    return OutcomeUnknown(
        f"interrupted while '{name}' was being created: it may exist and be billed. Its outcome is "
        "being found out; running this again waits for that and returns the pod"
    )

"""The frames of jobs that a link waits for, as far as there is room for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from primepods_magic.remote.agent.frames import Header

__all__ = ["Following", "FrameHandler"]

FrameHandler = Callable[[Header, list[bytes]], object]


@dataclass
class Following:
    """A place where a job is followed: its next frame, and the frames received but not used yet."""

    job: str
    handler: FrameHandler
    next: int
    unused: deque[tuple[int, int]] = field(default_factory=deque)
    unused_bytes: int = 0
    is_asked: bool = False
    """True if the agent of this connection was asked for it."""

    unreported_bytes: int = 0
    """Used since the agent was last told so."""

    def note_used(self, number: int) -> None:
        """Count everything before a frame as used."""
        while self.unused and self.unused[0][0] < number:
            self.unused_bytes -= self.unused[0][1]
            self.unreported_bytes += self.unused.popleft()[1]

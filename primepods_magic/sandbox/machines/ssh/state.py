"""The state of a machine that its connections, logins and sessions share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from primepods_magic.sandbox.machines.processes import has_proc

from .children import Child, Reaper

__all__ = ["Connected", "MachineState"]


class Connected(Protocol):
    """An accepted connection."""

    has_logged_in: bool

    def freeze(self, is_frozen: bool) -> None:
        """Neither read nor write from now on, or do so again."""

    def cut(self) -> None:
        """Drop the connection at once."""


@dataclass(eq=False)
class MachineState:
    """Who may log in, what a login finds, what is connected, and which faults are active."""

    user: str
    keys: frozenset[bytes]
    home: Path
    shell: str
    env: Mapping[str, str] = field(repr=False)
    reaper: Reaper
    links: set[Connected] = field(default_factory=set)
    children: set[Child] = field(default_factory=set)
    is_frozen: bool = False
    refuses_logins: bool = False

    def remember_child(self, child: Child) -> None:
        """Remember whose process group to kill."""
        self.children.add(child)
        if has_proc():
            # Its descendants are found by their mark.
            child.exited.add_done_callback(lambda _: self.children.discard(child))

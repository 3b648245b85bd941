"""One cell that is running or has run in a session: its state and its journal, both on disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Sequence
from typing import Any

from .frames import Header
from .gpu_sampler import GpuUse
from .journal import Journal

__all__ = ["DONE_STATES", "Job"]

DONE_STATES = ("ok", "error", "cancelled", "died")
_FILE = "job.json"


class Job:
    """A cell that is queued, running or done.

    Attributes
    ----------
    facts : dict
        Listed facts: id, session, title, state, and times in seconds since the epoch of the pod's clock.
    grown : asyncio.Event
        Set, and replaced by a new one, when its journal has another frame.
    """

    def __init__(self, folder: str, facts: dict[str, Any]) -> None:
        self.id: str = facts["id"]
        self.facts = facts
        self.journal = Journal(folder, self.id)
        self.grown = asyncio.Event()
        self.gpu = GpuUse()
        self.input_number = -1
        """Number of the frame that waits for input, or -1."""
        self._folder = folder
        # An agent that was started later can only use the wall clock.
        self._started_s = time.monotonic() - max(0.0, time.time() - facts.get("started_at", time.time()))

    @classmethod
    def load(cls, folder: str) -> Job:
        """Return a job as it is on disk."""
        with open(os.path.join(folder, _FILE), encoding="utf-8") as file:
            return cls(folder, json.load(file))

    @property
    def is_done(self) -> bool:
        """True if it has ended."""
        return self.facts["state"] in DONE_STATES

    def append(self, header: Header, buffers: Sequence[bytes] = ()) -> None:
        """Write a frame for all followers."""
        self.journal.append(header, buffers)
        self.grown.set()
        self.grown = asyncio.Event()

    def start(self, **details: Any) -> None:
        """Mark it as running."""
        self._started_s = time.monotonic()
        self._change_facts(state="running", started_at=time.time(), **details)
        self.append({"type": "started", **details})

    def end(self, state: str) -> None:
        """Mark it as ended."""
        if self.facts["state"] == "running":
            self.facts["seconds"] = time.monotonic() - self._started_s
        self.facts.pop("request", None)
        self._change_facts(state=state, ended_at=time.time(), **self.gpu.summarize())
        self._append_end()

    def _append_end(self) -> None:
        self.append({"type": "done", **self.facts})
        self.journal.close()

    def repair(self) -> None:
        """Read its journal; add its last frame if an agent ended before it was written."""
        if self.journal.end and self.is_done and not self.journal.has_end:
            self._append_end()

    def _change_facts(self, **facts: Any) -> None:
        """Change its facts; a full disk must not stop a running cell."""
        self.facts.update(facts)
        with contextlib.suppress(OSError):
            self.save()

    def save(self) -> None:
        """Write its facts to disk."""
        path = os.path.join(self._folder, _FILE)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.facts, file)
        os.replace(path + ".new", path)

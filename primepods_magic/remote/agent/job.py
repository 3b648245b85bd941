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
_PAGE_BYTES = 4096
_GATHER_S = 0.004
# Parts of an execute request.
_REQUEST = ("code", "allow_stdin", "silent", "store_history", "user_expressions", "stop_on_error")
# What a relay needs to show the job again after it was restarted.
_RELAYED = ("owner", "client")


class Job:
    """A cell that is queued, running or done.

    Attributes
    ----------
    facts : dict
        Listed facts: id, session, title, state, and times in seconds since the epoch of the pod's clock.
    """

    def __init__(self, folder: str, facts: dict[str, Any]) -> None:
        self.id: str = facts["id"]
        self.facts = facts
        self.journal = Journal(folder, self.id)
        self.gpu = GpuUse()
        self.input_number = -1
        """Number of the frame that waits for input, or -1."""
        self._folder = folder
        self._grown = asyncio.Event()
        """Set, and replaced by a new one, when its journal has another frame."""
        self._ended = asyncio.Event()
        # An agent that was started later can only use the wall clock.
        self._started_s = time.monotonic() - max(0.0, time.time() - facts.get("started_at", time.time()))

    @classmethod
    def load(cls, folder: str) -> Job:
        """Return a job as it is on disk."""
        with open(os.path.join(folder, _FILE), encoding="utf-8") as file:
            return cls(folder, json.load(file))

    @classmethod
    def make(cls, folder: str, session: str, header: Header) -> Job:
        """Return a new job, and write it to disk: a cell, or an expression that no one sees."""
        facts = {
            "id": header["id"],
            "session": session,
            "msg_id": header["msg_id"],
            "title": header.get("title", ""),
            "digest": header.get("digest", ""),
            "needs": header.get("needs"),
            "state": "queued",
            "queued_at": time.time(),
            **{key: header[key] for key in _RELAYED if key in header},
        }
        if "expression" in header:
            answer = {"answer": header["expression"]}
            hidden = {"silent": True, "store_history": False, "stop_on_error": False, "allow_stdin": False}
            facts["hidden"] = True
            facts["request"] = {**hidden, "code": "", "user_expressions": answer}
        else:
            facts["request"] = {key: header[key] for key in _REQUEST if key in header}
            if header.get("silent"):
                facts["hidden"] = True
        job = cls(folder, facts)
        job.save()
        return job

    @property
    def is_hidden(self) -> bool:
        """True if it is not a cell: it is not listed, and nothing waits for it to be shown."""
        return bool(self.facts.get("hidden"))

    @property
    def is_done(self) -> bool:
        """True if it has ended."""
        return self.facts["state"] in DONE_STATES

    def append(self, header: Header, buffers: Sequence[bytes] = ()) -> None:
        """Write a frame for all followers."""
        self.journal.append(header, buffers)
        self._grown.set()
        self._grown = asyncio.Event()

    async def await_frames(self, number: int) -> None:
        """Wait until there is a frame from a number on, and for what follows it within moments."""
        while self.journal.end <= number:
            await self._grown.wait()
        # Frames that cross together wake each process on the way once. The last one does not wait.
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ended.wait(), _GATHER_S)

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

    def note_shown(self) -> None:
        """Note that the relay that it is for has shown its end."""
        self._change_facts(shown=True)

    def _append_end(self) -> None:
        self.append({"type": "done", **self.facts})
        self._ended.set()
        self.journal.close()

    def repair(self) -> None:
        """Read its journal after an agent ended: a question may still wait; the last frame may be missing."""
        if not self.is_done and self.journal.end:
            self.input_number = self.journal.question
        if self.journal.end and self.is_done and not self.journal.has_end:
            self._append_end()

    def _change_facts(self, **facts: Any) -> None:
        """Change its facts; a full disk must not stop a running cell."""
        self.facts.update(facts)
        with contextlib.suppress(OSError):
            self.save()

    def save(self) -> None:
        """Write its facts to disk, whole at any moment.

        A page is written over at once, and replacing a file takes ten times as long.
        """
        path = os.path.join(self._folder, _FILE)
        data = json.dumps(self.facts).encode()
        page = data.ljust(_PAGE_BYTES)
        if len(page) == _PAGE_BYTES and os.path.exists(path) and os.path.getsize(path) == _PAGE_BYTES:
            with open(path, "r+b", buffering=0) as file:
                file.write(page)
            return
        with open(path + ".new", "wb") as file:
            file.write(page)
        os.replace(path + ".new", path)

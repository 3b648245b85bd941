"""Cells of agents of other versions, which run beside this one and keep theirs in folders of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from ..folders import agent_folder, find_lock_owner, root_folder
from ..job import DONE_STATES

__all__ = ["OtherAgents"]


class OtherAgents:
    """Looks for cells of other agents; jobs that are done are read only once."""

    def __init__(self) -> None:
        self._done: set[str] = set()

    def has_running_cell(self) -> bool:
        """Return whether a cell runs in a kernel that is alive; raise OSError if that cannot be read."""
        seen: set[str] = set()
        is_running = False
        for folder in _list_jobs():
            if folder not in self._done:
                try:
                    with open(os.path.join(folder, "job.json"), encoding="utf-8") as file:
                        state = json.load(file)["state"]
                except FileNotFoundError:
                    continue
                is_running = is_running or state == "running"
                if state not in DONE_STATES:
                    continue
            seen.add(folder)
        self._done = seen
        return is_running


def _list_jobs() -> Iterator[str]:
    """Yield the folders of jobs in the sessions of other agents whose kernel is alive."""
    own = os.path.realpath(agent_folder())
    for agent in _list_folders(root_folder()):
        if os.path.realpath(agent) == own or not os.path.isdir(os.path.join(agent, "sessions")):
            continue
        for session in _list_folders(os.path.join(agent, "sessions")):
            if find_lock_owner(session):
                yield from _list_folders(session)


def _list_folders(path: str) -> Iterator[str]:
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield entry.path

"""Requests of the guard on the pod to the agents beside it, over their sockets."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Iterator
from typing import Any

from ..bridge import connect_agent, find_agent
from ..folders import SOCKET, agent_folder, root_folder
from ..frames import BadFrame, pack_frame, read_frame

__all__ = ["end_cells", "note_in_cells", "read_activity"]

_ANSWER_S = 5.0
_GRACE_S = 30.0
_POLL_S = 0.5


def read_activity(gpu_count: int) -> dict[str, Any] | None:
    """Return what keeps the pod busy, as the agent of this version says, or None if it does not.

    The agent is started if it was killed.
    """
    try:
        with find_agent() as agent:
            content = _ask_agent(agent, "activity", gpus=gpu_count).get("content")
    except (OSError, EOFError, BadFrame, RuntimeError):
        return None
    is_whole = isinstance(content, dict) and bool(content.get("signals"))
    return content if is_whole else None


def end_cells() -> None:
    """Interrupt the cells of all agents; after 30 s, cancel those that still run."""
    give_up = time.monotonic() + _GRACE_S
    interrupted: set[str] = set()
    while time.monotonic() < give_up:
        running = _change_cells("interrupt", interrupted)
        if not running:
            return
        interrupted |= running
        time.sleep(_POLL_S)
    _change_cells("cancel", set())


def note_in_cells(text: str) -> None:
    """Show a line in the output of every cell that runs."""
    for agent in _open_agents():
        with agent, contextlib.suppress(OSError, EOFError, BadFrame):
            _ask_agent(agent, "note", text=text)


def _change_cells(op: str, known: set[str]) -> set[str]:
    """Interrupt or cancel all cells but the known ones; return those that run or wait."""
    running: set[str] = set()
    for agent in _open_agents():
        with agent, contextlib.suppress(OSError, EOFError, BadFrame):
            for job in _ask_agent(agent, "jobs").get("jobs", ()):
                if job.get("state") in ("running", "queued"):
                    running.add(job["id"])
                    if job["id"] not in known:
                        _ask_agent(agent, op, job=job["id"])
    return running


def _open_agents() -> Iterator[socket.socket]:
    own = agent_folder()
    for name in os.listdir(root_folder()):
        folder = os.path.join(root_folder(), name)
        if os.path.exists(os.path.join(folder, SOCKET)):
            # The paths of sockets must be short.
            os.chdir(folder)
            try:
                agent = connect_agent()
            except OSError:
                continue
            finally:
                os.chdir(own)
            yield agent


def _ask_agent(agent: socket.socket, op: str, **values: Any) -> dict[str, Any]:
    agent.settimeout(_ANSWER_S)
    request_id = secrets.token_hex(8)
    agent.sendall(pack_frame({"op": op, "id": request_id, **values}))
    with agent.makefile("rb") as stream:
        while True:
            header, _ = read_frame(stream)
            if header.get("type") == "reply" and header.get("id") == request_id:
                return header

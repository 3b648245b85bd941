"""Where the agent keeps its files on the pod, all of them for its user only."""

from __future__ import annotations

import os
import sys

__all__ = ["SOCKET", "agent_folder", "read_last_line", "root_folder"]

SOCKET = "socket"
_TAIL_BYTES = 4096


def root_folder() -> str:
    """Return the folder of everything of ours."""
    return os.path.join(os.path.expanduser("~"), ".primepods")


def agent_folder() -> str:
    """Return the folder of this version of the agent: the one its archive lies in."""
    return os.path.dirname(os.path.abspath(sys.argv[0]))


def read_last_line(name: str) -> str:
    """Return the last line of a log in the agent's folder."""
    try:
        with open(os.path.join(agent_folder(), name), "rb") as file:
            file.seek(max(0, os.path.getsize(file.name) - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError as error:
        return str(error)
    return next((line for line in reversed(lines) if line.strip()), f"see {name}")

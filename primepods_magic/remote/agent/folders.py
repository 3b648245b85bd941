"""Where the agent keeps its files on the pod, all of them for its user only."""

from __future__ import annotations

import os
import sys

__all__ = ["SOCKET", "agent_folder", "root_folder"]

SOCKET = "socket"


def root_folder() -> str:
    """Return the folder of everything of ours."""
    return os.path.join(os.path.expanduser("~"), ".primepods")


def agent_folder() -> str:
    """Return the folder of this version of the agent: the one its archive lies in."""
    return os.path.dirname(os.path.abspath(sys.argv[0]))

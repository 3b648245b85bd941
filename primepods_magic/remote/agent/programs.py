"""Other programs of the agent, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from .folders import agent_folder, read_last_line

__all__ = ["find_kernel_python", "forget_kernel_python", "spawn_program"]

# The last one that was found: looking takes as long as a tenth of a kernel's start.
_known_python = ""


async def spawn_program(python: str, *words: str, stdout: Any = None) -> Any:
    """Start a command of the agent that outlives it, with a log of its own."""
    folder = agent_folder()
    with open(os.path.join(folder, f"{words[0]}.log"), "ab") as log:
        return await asyncio.create_subprocess_exec(
            python,
            os.path.join(folder, "agent.pyz"),
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout or log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
        )


async def find_kernel_python(on_text: Callable[[str], object]) -> tuple[str, str]:
    """Return the Python that runs kernels, installed if there is none, or the reason why there is none."""
    global _known_python
    if os.access(_known_python or "/nowhere", os.X_OK):
        return _known_python, ""
    python = ""
    setup = await spawn_program(sys.executable, "prepare", stdout=asyncio.subprocess.PIPE)
    async for line in setup.stdout:
        said = json.loads(line)
        if "error" in said:
            return "", str(said["error"])
        python = said.get("python", python)
        if "text" in said:
            on_text(said["text"])
    if await setup.wait() or not python:
        return "", f"Looking for a Python with ipykernel failed: {read_last_line('prepare.log')}"
    _known_python = python
    return python, ""


def forget_kernel_python() -> None:
    """Look for it again next time: a kernel does not start with it."""
    global _known_python
    _known_python = ""

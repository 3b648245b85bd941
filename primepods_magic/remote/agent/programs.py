"""Other programs of the agent, each in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .folders import agent_folder, read_last_line
from .frames import Header

__all__ = ["find_kernel_python", "forget_kernel_python", "run_program", "spawn_program"]

# The last one that was found: looking takes as long as a tenth of a kernel's start.
_known_python = ""


async def spawn_program(
    python: str,
    *words: str,
    stdout: Any = None,
    given: bytes | None = None,
    variables: Mapping[str, str] | None = None,
) -> Any:
    """Start a command of the agent that outlives it, with a log of its own and what is given as its input."""
    folder = agent_folder()
    with open(os.path.join(folder, f"{words[0]}.log"), "ab") as log:
        process = await asyncio.create_subprocess_exec(
            python,
            os.path.join(folder, "agent.pyz"),
            *words,
            stdin=asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE,
            stdout=stdout or log,
            stderr=log,
            cwd=folder,
            env=None if variables is None else {**os.environ, **variables},
            start_new_session=True,
        )
    if process.stdin is not None:
        assert given is not None
        # One that has ended already says why in its log.
        with contextlib.suppress(ConnectionError):
            process.stdin.write(given)
            await process.stdin.drain()
        process.stdin.close()
    return process


async def run_program(command: str, given: Any) -> Header:
    """Return what a command of the agent prints, as a reply: some of it takes seconds."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "agent.pyz", command),
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate(json.dumps(given).encode())
    return {"content": json.loads(output)} if process.returncode == 0 else {"failed": command}


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

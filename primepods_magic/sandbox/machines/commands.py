"""Commands of the sandbox to the process of the machines: JSON lines on stdin, one answer each on stdout."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .machine import Machine, MachineOrder
from .processes import kill_marked
from .ssh.children import Reaper

__all__ = ["serve_commands"]

_MAX_LINE_BYTES = 64 << 20
_PARENT_CHECK_S = 0.5
_KILL_TIMEOUT_S = 5.0
_ROUND_S = 0.01


class _Machines:
    """All machines of one sandbox."""

    def __init__(self, folder: Path, token: str, reaper: Reaper) -> None:
        self._folder = folder
        self._token = token
        self._reaper = reaper
        self._running: dict[str, Machine] = {}
        self._folders: dict[str, Path] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._serial = 0

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out a command."""
        actions: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
            "run": self._run_machines,
            "end": self._end_machines,
            "keys": self._set_keys,
            "change": self._change_machine,
        }
        return await actions[command.pop("do")](**command)

    async def end_all(self) -> None:
        """End every machine, and whatever was started on one."""
        for machine in self._running.values():
            machine.close()
        await _kill_processes(lambda mark: mark.startswith(f"{self._token}/"))
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _run_machines(self, orders: list[dict[str, Any]]) -> dict[str, Any]:
        ports = {}
        for fields in orders:
            order = MachineOrder(**fields)
            if order.id in self._running:
                ports[order.id] = self._running[order.id].port
                continue
            self._serial += 1
            # The serial number tells a machine from an earlier run of it.
            mark = f"{self._token}/{order.id}/{self._serial}"
            folder = self._folders.setdefault(order.id, self._folder / str(self._serial))
            # One that cannot start, for want of files or ports, is left out.
            with suppress(OSError):
                machine = Machine(order, folder, mark, self._reaper, sys.executable)
                await machine.start()
                self._running[order.id] = machine
                ports[order.id] = machine.port
        return {"ports": ports}

    async def _end_machines(self, ids: list[str], keeps_files: bool) -> dict[str, Any]:
        machines = [self._running.pop(machine_id) for machine_id in ids if machine_id in self._running]
        for machine in machines:
            machine.close()
        folders = [] if keeps_files else [self._folders.pop(each) for each in ids if each in self._folders]
        # Answer now: a process may take long to die.
        task = asyncio.ensure_future(_clean_up({machine.mark for machine in machines}, folders))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return {}

    async def _set_keys(self, keys: dict[str, list[str]]) -> dict[str, Any]:
        for machine_id, lines in keys.items():
            if machine_id in self._running:
                self._running[machine_id].set_keys(lines)
        return {}

    async def _change_machine(self, id: str, settings: dict[str, Any]) -> dict[str, Any]:
        self._running[id].change(settings)
        return {}


async def _clean_up(marks: set[str], folders: list[Path]) -> None:
    await _kill_processes(marks.__contains__)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


async def _kill_processes(is_ours: Callable[[str], bool]) -> None:
    """Kill processes by their marks, and those that they start meanwhile."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + _KILL_TIMEOUT_S
    while kill_marked(is_ours) and loop.time() < deadline_s:
        await asyncio.sleep(_ROUND_S)


async def serve_commands() -> int:
    """Answer commands until stdin ends, the parent is gone or SIGTERM arrives; leave nothing behind."""
    # As sshd: programs of a machine must not ignore what a kernel under nohup or in the background ignores.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_MAX_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    hello = json.loads(await reader.readline() or b"null")
    if hello is None:
        return 0
    machines = _Machines(Path(hello["folder"]), hello["token"], Reaper(loop))
    try:
        _send_line({})
        commands = asyncio.ensure_future(_answer_lines(reader, machines))
        loop.add_signal_handler(signal.SIGTERM, commands.cancel)
        parent = asyncio.ensure_future(_wait_for_other_parent(hello["parent"]))
        await asyncio.wait({commands, parent}, return_when=asyncio.FIRST_COMPLETED)
        commands.cancel()
        parent.cancel()
    finally:
        await machines.end_all()
    return 0


async def _answer_lines(reader: asyncio.StreamReader, machines: _Machines) -> None:
    # The sandbox may be killed while it is being answered.
    with suppress(BrokenPipeError):
        while line := await reader.readline():
            try:
                _send_line(await machines.answer(json.loads(line)))
            except (OSError, LookupError, TypeError, ValueError) as error:
                _send_line({"error": f"{type(error).__name__}: {error}"})


async def _wait_for_other_parent(parent: int) -> None:
    """Wait until the sandbox's process is gone: a fork of it may keep the pipe open."""
    while os.getppid() == parent:
        await asyncio.sleep(_PARENT_CHECK_S)


def _send_line(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()

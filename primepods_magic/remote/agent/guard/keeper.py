"""The agent's side of the guard on the pod: it arms it, starts it again when it dies, and says its state."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from typing import Any

from ..activity.signals import read_clock
from ..folders import agent_folder, read_last_line
from ..frames import Header
from ..programs import spawn_program
from .clock import format_time
from .key_file import delete_key, find_memory, read_key, write_key
from .notes import ORDER, STATE, VERDICT, delete_note, find_guard, read_note, write_note
from .on_end import GPUS

__all__ = ["GUARD_CHANGES", "GuardKeeper"]

GUARD_CHANGES = ("guard_arm", "guard_hold", "guard_end")
"""Requests that take a while."""

_LOOK_S = 1.0
_LONGEST_LOOK_S = 60.0
_START_S = 15.0
_STOP_S = 3.0
_HEED_S = 3.0
_TEST_S = 55.0
_POLL_S = 0.02
_NO_MEMORY = "the pod has no storage in memory (tmpfs) for the key, which must not be on a disk"
_NO_KEY = "no key is there: the pod was restarted, perhaps. Arm it again, with a key"
_TERMINATING = "it is being terminated already"
_SECRET = ("key_path", "anchor")


class GuardKeeper:
    """The one guard of this pod. Its key passes through here, and is kept in a file in memory alone."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._trouble = ""
        self._watching = asyncio.ensure_future(self._watch_forever())

    async def change(self, header: Header) -> Header:
        """Carry out one of the requests that change the guard."""
        async with self._turn:
            if header["op"] == "guard_arm":
                return {"obstacle": await self._arm_guard(header)}
            if header["op"] == "guard_hold":
                return await self._hold_pod(float(header["until_s"]))
            return await self._end_guard()

    def read_state(self) -> Header:
        """Return the order and the state of the guard, without secrets, and whether it runs."""
        order, state = read_note(ORDER), read_note(STATE) or {}
        silent_s = read_clock() - state["running_s"] if "running_s" in state else None
        return {
            "order": order and {name: value for name, value in order.items() if name not in _SECRET},
            "guard": state,
            "is_running": find_guard() is not None,
            "silent_s": silent_s,
            "keeper_trouble": self._trouble,
        }

    # Arming and ending

    async def _arm_guard(self, header: Header) -> str:
        """Arm a guard after a test fire, and return what is in the way; then an earlier one stays."""
        before = read_note(ORDER)
        if (read_note(STATE) or {}).get("step") == "terminating" and find_guard():
            return _TERMINATING
        place = find_memory()
        if not place:
            return _NO_MEMORY
        key = header.get("key") or (read_key(before["key_path"]) if before else "")
        if not key:
            return _NO_KEY
        names = ("pod_id", "rules", "base_url", "is_sandbox", "speed", "gpu_count", "created_at_s")
        order = {name: header[name] for name in names}
        tested = await _run_test(key, order)
        if tested["obstacle"]:
            return str(tested["obstacle"])
        key_path = write_key(place, key)
        order = {
            **order,
            "anchor": tested["anchor"],
            "armed_at": format_time(tested["anchor"]["service_s"]),
            "held_until_s": max(header["held_until_s"], before["held_until_s"] if before else 0.0),
            "key_path": key_path,
        }
        await self._stop_guard()
        state = read_note(STATE)
        try:
            write_note(ORDER, order)
            for name in (STATE, VERDICT):
                delete_note(name)
            if await self._start_guard(key):
                if before:
                    delete_key(before["key_path"])
                return ""
            failure = f"the guard does not start: {read_last_line('guard.log')}"
        except OSError as error:
            failure = f"its files cannot be written ({error.strerror})"
        delete_key(key_path)
        self._restore_notes(before, state)
        return failure

    def _restore_notes(self, order: Header | None, state: Header | None) -> None:
        """Write the notes of the earlier guard again, which is then started again, or delete them."""
        for name, note in ((ORDER, order), (STATE, state)):
            if note is None:
                delete_note(name)
            else:
                with contextlib.suppress(OSError):
                    write_note(name, note)

    async def _hold_pod(self, until_s: float) -> Header:
        order, state = read_note(ORDER), read_note(STATE) or {}
        if order is None:
            return {"refused": "it has no guard"}
        if state.get("step") == "terminating":
            return {"refused": _TERMINATING}
        write_note(ORDER, {**order, "held_until_s": until_s})
        give_up = time.monotonic() + _HEED_S
        while time.monotonic() < give_up:
            await asyncio.sleep(_POLL_S)
            state = read_note(STATE) or {}
            if state.get("held_until_s") == until_s:
                return {"refused": ""}
        if state.get("step") == "terminating":
            # It has not seen this before that step.
            write_note(ORDER, order)
            return {"refused": _TERMINATING}
        return {"refused": ""}

    async def _end_guard(self) -> Header:
        order, state = read_note(ORDER), read_note(STATE) or {}
        if state.get("step") == "terminating" and find_guard():
            return {"refused": _TERMINATING}
        delete_note(ORDER)
        if order is not None:
            delete_key(order["key_path"])
        await self._stop_guard()
        delete_note(STATE)
        self._trouble = ""
        return {"refused": ""}

    # The process

    async def _start_guard(self, key: str) -> bool:
        """Start the process, and return whether it, or one of another agent, guards the pod now."""
        given = json.dumps({"key": key, "gpus": os.environ.get(GPUS)}).encode()
        process = await spawn_program(sys.executable, "guard", given=given, variables={GPUS: ""})
        ended = asyncio.ensure_future(process.wait())
        give_up = time.monotonic() + _START_S
        while time.monotonic() < give_up:
            if find_guard() is not None and read_note(STATE) is not None:
                return True
            if ended.done():
                return find_guard() is not None
            await asyncio.sleep(_POLL_S)
        with contextlib.suppress(OSError):
            process.kill()
        return False

    async def _stop_guard(self) -> None:
        began = time.monotonic()
        while True:
            pid = find_guard()
            if pid is None:
                return
            is_late = time.monotonic() - began > _STOP_S
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL if is_late else signal.SIGTERM)
            await asyncio.sleep(_POLL_S)

    async def _watch_forever(self) -> None:
        """Start the guard again when it has died, and one of an older agent in this version."""
        is_first, pause_s = True, _LOOK_S
        while True:
            try:
                async with self._turn:
                    is_well = await self._restore_guard(is_first)
            except Exception as error:  # noqa: BLE001 - a pod without its guard must not be forgotten
                self._trouble, is_well = f"the guard cannot be looked after ({type(error).__name__})", False
            is_first = False
            pause_s = _LOOK_S if is_well else min(_LONGEST_LOOK_S, 2 * pause_s)
            await asyncio.sleep(pause_s)

    async def _restore_guard(self, is_first: bool) -> bool:
        order, state = read_note(ORDER), read_note(STATE) or {}
        is_running = find_guard() is not None
        is_own = state.get("agent") == os.path.basename(agent_folder())
        # The monitor of an older agent would take the connections of this one for logins.
        is_older = is_first and is_running and not is_own and not state.get("step")
        if order is None or (is_running and not is_older):
            self._trouble = ""
            return True
        key = read_key(order["key_path"])
        if not key:
            self._trouble = f"the guard has died and cannot be started: {_NO_KEY}"
            return False
        if is_older:
            await self._stop_guard()
        if await self._start_guard(key):
            self._trouble = ""
            return True
        self._trouble = f"the guard has died and does not start: {read_last_line('guard.log')}"
        return False


async def _run_test(key: str, order: dict[str, Any]) -> dict[str, Any]:
    """Return what the test fire says, which runs in a process of its own, as the guard will."""
    given = json.dumps({"key": key, "order": order}).encode()
    process = await spawn_program(sys.executable, "guard_test", stdout=asyncio.subprocess.PIPE, given=given)
    try:
        output = await asyncio.wait_for(process.stdout.read(), _TEST_S)
        await process.wait()
        tested = json.loads(output)
    except (asyncio.TimeoutError, ValueError):
        with contextlib.suppress(OSError):
            process.kill()
        return {"obstacle": f"the test of the guard fails: {read_last_line('guard_test.log')}"}
    return dict(tested)

"""The guard on the pod: a process that ends the pod by its rules, with a key that it has from its input."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import traceback
from typing import Any

from ..activity.signals import read_clock
from ..folders import agent_folder
from .clock import PodClock, describe_time, format_time, parse_time
from .due import Due, describe_busy, find_due
from .key_file import delete_key, restore_key
from .local_agent import end_cells, note_in_cells, read_activity
from .notes import ORDER, STATE, VERDICT, delete_note, hold_guard_lock, read_note, write_note
from .on_end import run_on_end
from .web import PodsService, WebTrouble, find_obstacle, is_live, read_status, try_power

__all__ = ["print_power", "run_guard"]

_LIVE_INTERVAL_S = 30.0
_SANDBOX_INTERVAL_S = 0.5
_POLL_S = 0.25
_LOCK_S = 5.0
_TEST_S = 3600.0
_RETEST_S = 60.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_GONE_S = 600.0
_SANDBOX_GONE_S = 10.0
_OTHER = "the service shows another pod instead of this one"
_LONGEST_WARNING_S = 600.0
_REPEAT_S = 60.0
"""A confirmed termination that shows no effect is sent again after this time."""


def print_power() -> None:
    """Print why a guard with the key on the input could not end the pod, or its clocks."""
    print(json.dumps(try_power(json.load(sys.stdin))))


def run_guard() -> None:
    """Guard the pod until it is gone, or the order is withdrawn; end at once if another guard does that."""
    given = json.load(sys.stdin)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        # Needs root. Memory that is short must not end this first.
        file.write("-500")
    os.chdir(agent_folder())
    with hold_guard_lock(_LOCK_S) as is_held:
        order = read_note(ORDER)
        if is_held and order is not None:
            _Guard(order, **given).run()


class _Guard:
    """The guard while it runs: it checks the pod, and ends it once it is due."""

    def __init__(self, order: dict[str, Any], key: str, gpus: str | None) -> None:
        self._order = order
        self._gpus = gpus
        self._pod: dict[str, Any] = {}
        self._key = key
        self._service = PodsService(order["base_url"], key)
        self._clock = PodClock(order["anchor"], order["is_sandbox"])
        before = read_note(STATE) or {}
        self._state: dict[str, Any] = {
            "state": "armed",
            "step": "",
            "tested_at": order["armed_at"],
            "has_held_unsaved": False,
            "has_warned": False,
            "kept_until_s": 0.0,
            **{
                name: before[name]
                for name in ("tested_at", "has_held_unsaved", "has_warned", "kept_until_s")
                if name in before
            },
            "agent": os.path.basename(agent_folder()),
        }
        # One that was restarted tests at once whether it still may.
        self._tested_s = read_clock() if not before else -_TEST_S
        self._write_state()

    def run(self) -> None:
        interval_s = _SANDBOX_INTERVAL_S if self._order["is_sandbox"] else _LIVE_INTERVAL_S
        while not self._is_withdrawn():
            try:
                if self._check_pod():
                    return
            except Exception:  # noqa: BLE001 - one mistake must not end the guard
                # The disk of the log may be full.
                with contextlib.suppress(OSError):
                    traceback.print_exc()
                self._write_state(trouble="the guard has an error, see guard.log")
            self._wait(self._find_wait_s(interval_s))

    def _wait(self, length_s: float) -> None:
        """Wait, at most until the order changes."""
        before, wake_s = self._order, time.monotonic() + length_s
        while time.monotonic() < wake_s and not self._is_withdrawn() and self._order == before:
            time.sleep(min(_POLL_S, length_s))

    def _is_withdrawn(self) -> bool:
        """Read the order again: the pod may be held longer, or its guard ended."""
        order = read_note(ORDER)
        if order is not None:
            self._order = order
        return order is None

    def _write_state(self, **changes: Any) -> None:
        self._state.update(changes, running_s=read_clock())
        # A full disk must not keep the pod.
        with contextlib.suppress(OSError):
            write_note(STATE, self._state)

    def _find_wait_s(self, interval_s: float) -> float:
        now_s, due_s = self._clock.read_now_s(), parse_time(self._state.get("due_at"))
        if now_s is None or due_s is None or due_s <= now_s:
            return interval_s
        return min(interval_s, due_s - now_s)

    # What is known

    def _check_pod(self) -> bool:
        """Look at the pod once, and end it if it is due; return whether it is gone."""
        pod, trouble = self._read_pod()
        trouble = trouble or self._test_again()
        activity = self._read_activity()
        now_s = self._clock.read_now_s()
        if now_s is None:
            self._write_state(trouble=trouble)
            return False
        due = self._find_due(pod, now_s, activity)
        self._write_state(
            due_at=None if due.at_s is None else format_time(due.at_s),
            due_rule=due.rule,
            why=due.why,
            held_until_s=self._order["held_until_s"],
            trouble="; ".join(filter(None, (trouble, due.trouble))),
            checked_at=format_time(now_s),
        )
        if due.at_s is not None and due.at_s <= now_s:
            return self._end_pod(due)
        self._warn(due, now_s)
        return False

    def _find_due(self, pod: dict[str, Any], now_s: float, activity: dict[str, Any] | None) -> Due:
        held_s = max(self._order["held_until_s"], self._state["kept_until_s"])
        return find_due(self._order, held_s, pod, now_s, activity)

    def _read_pod(self) -> tuple[dict[str, Any], str]:
        try:
            pod = self._service.read_pod(self._order["pod_id"])
        except WebTrouble as error:
            return self._pod, f"the pod cannot be read: {error}"
        if pod.get("id") != self._order["pod_id"]:
            return self._pod, _OTHER
        self._pod = pod
        if self._service.service_s is None:
            return pod, "the service's responses have no date"
        self._clock.note_service_time(self._service.service_s)
        return pod, ""

    def _test_again(self) -> str:
        """Repeat the test fire when it is due; return what is wrong."""
        is_armed = self._state["state"] != "unproven"
        if read_clock() - self._tested_s < (_TEST_S if is_armed else _RETEST_S):
            return "" if is_armed else str(self._state["trouble"])
        self._tested_s = read_clock()
        obstacle = find_obstacle(self._service, self._order["pod_id"], self._clock)
        now_s = self._clock.read_now_s()
        if obstacle:
            self._write_state(state="unproven", trouble=obstacle)
        elif now_s is not None:
            self._write_state(state="armed", tested_at=format_time(now_s))
        return obstacle

    def _read_activity(self) -> dict[str, Any] | None:
        """Read what keeps the pod busy. This also starts an agent again that was killed."""
        return read_activity(self._order["gpu_count"])

    # What follows

    def _warn(self, due: Due, now_s: float) -> None:
        """Announce the end in the cells that run, once for each time that it comes near."""
        is_near = False
        if due.at_s is not None:
            armed_s = parse_time(self._order["armed_at"]) or now_s
            is_near = due.at_s - now_s <= min(_LONGEST_WARNING_S, (due.at_s - armed_s) / 4)
            if is_near and not self._state["has_warned"]:
                at = describe_time(due.at_s)
                note_in_cells(f"This pod ends at {at}: {due.why}. '%pods hold' keeps it longer")
        if is_near != self._state["has_warned"]:
            self._write_state(has_warned=is_near)

    def _end_pod(self, due: Due) -> bool:
        """End the pod, and return whether it is gone; otherwise it is kept, or the order was withdrawn."""
        self._write_state(state="ending")
        if due.rule != "idle":
            note_in_cells(f"This pod ends now: {due.why}")
            self._write_state(step="interrupting")
            end_cells()
        command = self._order["rules"]["on_end"]
        if command:
            self._write_state(step="saving")
            problem = run_on_end(command, self._gpus)
            hold_s = self._order["rules"]["hold_s"]
            now_s = self._clock.read_now_s()
            if problem and hold_s > 0 and not self._state["has_held_unsaved"] and now_s is not None:
                text = f"the command at the end failed ({problem})"
                kept_s = now_s + hold_s
                self._write_state(
                    state="armed", step="", has_held_unsaved=True, kept_until_s=kept_s, kept=text
                )
                return False
        with contextlib.suppress(OSError):
            write_note(VERDICT, {"rule": due.rule, "why": due.why, "due_at": self._state["due_at"]})
        return self._terminate_pod(due)

    def _is_still_due(self, due: Due) -> bool:
        """Return whether the pod is neither held nor busy now; a sum does not wait for that."""
        now_s = self._clock.read_now_s()
        if due.rule != "sum" and now_s is not None and self._order["held_until_s"] > now_s:
            return False
        if due.rule != "idle":
            return True
        activity = self._read_activity()
        # The command at the end itself was no idleness.
        has_run = bool(self._order["rules"]["on_end"])
        return activity is not None and not describe_busy(self._order, activity, presence_only=has_run)

    def _terminate_pod(self, due: Due) -> bool:
        """Ask to terminate the pod until it is gone.

        Return False if the order is withdrawn first, or if the pod is busy or held before this is confirmed.
        """
        pod_id, pause_s = self._order["pod_id"], _FIRST_PAUSE_S
        confirmed_s = gone_since_s = None
        patience_s = _SANDBOX_GONE_S if self._order["is_sandbox"] else _GONE_S
        while not self._is_withdrawn():
            trouble = ""
            if confirmed_s is None:
                # A hold that is not seen below finds this step.
                self._write_state(step="terminating")
                if self._is_withdrawn() or not self._is_still_due(due):
                    break
            try:
                pod = self._service.read_pod(pod_id)
                if pod.get("id") != pod_id:
                    raise WebTrouble(_OTHER)
                # What is terminating already is not terminated twice.
                is_gone, is_there = read_status(pod) == "TERMINATED", is_live(pod)
            except WebTrouble as error:
                # What cannot be read is terminated all the same.
                is_gone, is_there = error.status == 404, confirmed_s is None
                trouble = f"it cannot be read: {error}"
            if is_there and (confirmed_s is None or time.monotonic() - confirmed_s > _REPEAT_S):
                trouble = self._send_termination(pod_id)
                if not trouble:
                    confirmed_s, pause_s = time.monotonic(), _FIRST_PAUSE_S
            # As long as this runs, the pod is there: the service may be mistaken for a while.
            gone_since_s = (gone_since_s or time.monotonic()) if is_gone else None
            if gone_since_s is not None and time.monotonic() - gone_since_s > patience_s:
                return self._finish()
            self._write_state(trouble=trouble, **({} if confirmed_s else {"step": ""}))
            self._wait(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)
        self._write_state(
            state="armed", step="", due_at=None, due_rule=None, held_until_s=self._order["held_until_s"]
        )
        return False

    def _send_termination(self, pod_id: str) -> str:
        """Ask to terminate the pod, without the key's file, which no one could delete later.

        Return what is wrong.
        """
        delete_key(self._order["key_path"])
        try:
            self._service.terminate_pod(pod_id)
        except WebTrouble as error:
            restore_key(self._order["key_path"], self._key)
            return f"it could not be ended: {error}"
        return ""

    def _finish(self) -> bool:
        delete_key(self._order["key_path"])
        delete_note(ORDER)
        self._write_state(state="ended", step="", trouble="")
        return True

"""Activity on a pod, as its agent reports it: what is unknown, stale or missing counts as busy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from primepods_magic.api.models import PodDetails
from primepods_magic.api.text.sanitize import sanitize, shorten
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote.agent.activity.gpus import BUSY_PERCENT
from primepods_magic.remote.frame_checks import read_number
from primepods_magic.remote.limits.figures import MAX_SECONDS, bound_seconds
from primepods_magic.remote.links import open_link

__all__ = ["Activity", "ActivityState", "GpuActivity", "Signal", "read_activity"]

ActivityState = Literal["busy", "idle", "unknown"]

# In the order in which a person wants to know them.
_NAMES = ("cells", "transfers", "gpu", "logins", "cpu", "io", "network")
_TITLES = {
    "cells": "cells", "transfers": "transfers", "gpu": "GPUs", "logins": "logins", "cpu": "CPU",
    "io": "reading and writing", "network": "network",
}  # fmt: skip
_MAX_SIGNALS = 20
_MAX_GPUS = 64
_MAX_CHARS = 120
# The agent samples every 5 s.
_MAX_AGE_S = 30.0


@dataclass(frozen=True)
class Signal:
    """One sign of activity on a pod.

    Attributes
    ----------
    name : str
        ``"cells"``, ``"transfers"``, ``"gpu"``, ``"logins"``, ``"cpu"``, ``"io"`` or ``"network"``.
    state : str
        ``"busy"``, ``"idle"`` or ``"unknown"``, which counts as busy.
    value : str
        What was measured, such as ``"0.02 CPU cores"``.
    reason : str
        Why it is busy or unknown.
    age_s : float or None
        Age of the last sample.
    quiet_s : float
        How long all samples have been idle, without a gap.
    """

    name: str
    state: ActivityState
    value: str = ""
    reason: str = ""
    age_s: float | None = None
    quiet_s: float = 0.0


@dataclass(frozen=True)
class GpuActivity:
    """One GPU of a pod.

    Attributes
    ----------
    index : int
    state : str
    percent, peak_percent : float or None
        Its utilization in the last second, and the highest one since monitoring began.
    quiet_s : float or None
        How long it has been idle; None if it has not been used since monitoring began.
    """

    index: int
    state: ActivityState
    percent: float | None = None
    peak_percent: float | None = None
    quiet_s: float | None = 0.0


@dataclass(frozen=True)
class Activity:
    """All signs of activity on a pod.

    Attributes
    ----------
    signals : tuple of Signal
    gpus : tuple of GpuActivity
    watched_s : float
        Since when the pod is monitored.
    left_out : tuple of str
        Signals that this pod does not have: ``"gpu"`` without a GPU, ``"network"`` in the sandbox.
    """

    signals: tuple[Signal, ...]
    gpus: tuple[GpuActivity, ...]
    watched_s: float
    left_out: tuple[str, ...] = ()

    @property
    def idle_s(self) -> float:
        """The time that all signals have been idle, in seconds; 0 while one is busy or unknown."""
        return min((signal.quiet_s for signal in self.signals), default=0.0)

    @property
    def why_busy(self) -> str:
        """Why it is not idle now, such as ``"GPU 3 at 97 %"``; empty if it is."""
        for state in ("busy", "unknown"):
            for signal in self.signals:
                if signal.state == state:
                    reason = signal.reason or f"no reason is given for {_TITLES[signal.name]}"
                    return reason if state == "busy" else f"{reason}: counted as busy"
        return ""

    @property
    def unused_gpus(self) -> tuple[int, ...]:
        """The GPUs that have not been used since monitoring began."""
        return tuple(gpu.index for gpu in self.gpus if gpu.state == "idle" and gpu.quiet_s is None)


def read_activity(connection: Connection, pod: PodDetails) -> Activity:
    """Return what keeps a pod busy; the first call switches its monitoring on, which stays on.

    The answer comes from the agent's memory. Raises SshFailed if there is no connection, and what `open_link`
    raises.
    """
    # A pod whose GPUs are not known has some. Those of other nodes count as busy.
    count = 1 if pod.total_gpus is None else min(max(0, pod.total_gpus), _MAX_GPUS)
    answer = open_link(connection, pod).ask("activity", gpus=count)
    return _check_answer(connection, pod, count, answer.get("content"))


def _check_answer(connection: Connection, pod: PodDetails, gpu_count: int, content: object) -> Activity:
    """Read an answer; whatever is missing or wrong makes its signal unknown."""
    facts: Mapping[str, Any] = content if isinstance(content, dict) else {}
    watched_s = read_number(facts, "watched_s", lowest=0.0, highest=MAX_SECONDS) or 0.0
    watched_s = bound_seconds(connection, pod, watched_s) or 0.0
    # The machines of the sandbox share the network of this computer.
    absent = {"gpu": not gpu_count, "network": connection.is_sandbox}
    left_out = tuple(name for name, is_absent in absent.items() if is_absent)
    parts = _list_parts(facts.get("signals"), _MAX_SIGNALS)
    signals = [_read_signal(name, parts, watched_s) for name in _NAMES if name not in left_out]
    gpus = _read_gpus(_list_parts(facts.get("gpus"), _MAX_GPUS), watched_s) if gpu_count else ()
    count = sum(gpu.state == "idle" for gpu in gpus)
    if count < gpu_count or count < len(gpus):
        reason = f"{count} of {max(gpu_count, len(gpus))} GPUs are known to be idle"
        signals = [
            Signal("gpu", "unknown", each.value, reason, each.age_s)
            if each.name == "gpu" and each.state == "idle"
            else each
            for each in signals
        ]
    return Activity(tuple(signals), gpus, watched_s, left_out)


def _list_parts(value: object, limit: int) -> list[dict[str, Any]]:
    parts = value[:limit] if isinstance(value, list) else []
    return [part for part in parts if isinstance(part, dict)]


def _read_signal(name: str, parts: list[dict[str, Any]], watched_s: float) -> Signal:
    named = [part for part in parts if part.get("name") == name]
    if len(named) != 1:
        return Signal(name, "unknown", reason=f"the pod does not say anything about {_TITLES[name]}")
    (part,) = named
    value, reason = _clean_text(part.get("value")), _clean_text(part.get("reason"))
    state = _read_state(part)
    age_s = read_number(part, "age_s", lowest=0.0, highest=MAX_SECONDS)
    if state != "idle":
        return Signal(name, state, value, reason, age_s)
    quiet_s = read_number(part, "quiet_s", lowest=0.0, highest=MAX_SECONDS)
    if quiet_s is None or age_s is None or age_s > _MAX_AGE_S:
        return Signal(name, "unknown", value, f"the pod does not say since when {_TITLES[name]} are idle")
    return Signal(name, state, value, "", age_s, min(quiet_s, watched_s))


def _read_gpus(parts: list[dict[str, Any]], watched_s: float) -> tuple[GpuActivity, ...]:
    gpus: dict[int, GpuActivity] = {}
    for part in parts:
        index = part.get("index")
        if type(index) is not int or not 0 <= index < _MAX_GPUS or index in gpus:
            continue
        state = _read_state(part)
        percent = read_number(part, "percent", lowest=0.0, highest=100.0)
        peak_percent = read_number(part, "peak_percent", lowest=0.0, highest=100.0)
        quiet_s: float | None = 0.0
        if state == "idle" and (percent is None or percent > BUSY_PERCENT):
            state = "unknown"
        elif state == "idle":
            is_unused = "quiet_s" in part and part["quiet_s"] is None and (peak_percent or 0) <= BUSY_PERCENT
            given_s = read_number(part, "quiet_s", lowest=0.0, highest=MAX_SECONDS) or 0.0
            quiet_s = None if is_unused else min(given_s, watched_s)
        gpus[index] = GpuActivity(index, state, percent, peak_percent, quiet_s)
    return tuple(gpus[index] for index in sorted(gpus))


def _read_state(part: Mapping[str, Any]) -> ActivityState:
    state = part.get("state")
    return next((known for known in ("busy", "idle") if state == known), "unknown")


def _clean_text(value: object) -> str:
    return sanitize(shorten(value, _MAX_CHARS)) if isinstance(value, str) else ""

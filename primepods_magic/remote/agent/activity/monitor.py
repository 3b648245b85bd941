"""The monitor of a pod's activity: once it is on, it samples all signals, and answers from memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..frames import Header
from ..gpu_sampler import GpuSampler
from .gpus import GpuActivity
from .logins import Logins
from .other_agents import OtherAgents
from .signals import BUSY, IDLE, Reading, Signal, make_unknown, read_clock
from .system import SystemSampler

__all__ = ["Monitor"]

_INTERVAL_S = 5.0
_MIN_INTERVAL_S = 0.05
_MISSED_SAMPLES = 3
_SLACK_S = 0.5
_GPU_PERIOD_S = 1.0
_OWN = ("cells", "transfers", "gpu")
"""Signals that do not come from the system."""
_MAX_GPUS = 64


class Monitor:
    """Samples what keeps a pod busy, from the first request until the agent ends.

    Parameters
    ----------
    sampler : GpuSampler
        Stays on while this does.
    find_busy_session : callable
        Returns the name of a session that runs a cell, has one waiting, or starts a kernel; else "".
    count_transfers : callable
        Returns how many transfers and programs of the agent are under way.
    find_guard : callable
        Returns the process of the pod's guard, which is no activity, or None.
    """

    def __init__(
        self,
        sampler: GpuSampler,
        find_busy_session: Callable[[], str],
        count_transfers: Callable[[], int],
        find_guard: Callable[[], int | None],
    ) -> None:
        self.logins = Logins()
        self._sampler = sampler
        self._find_busy_session = find_busy_session
        self._count_transfers = count_transfers
        self._find_guard = find_guard
        self._signals: dict[str, Signal] = {}
        self._interval_s = _INTERVAL_S
        self._gpus: GpuActivity | None = None
        self._others = OtherAgents()
        self._task: asyncio.Task[None] | None = None
        self._began_s = 0.0

    def answer(self, header: Header) -> dict[str, Any]:
        """Return the state of all signals; the first request starts sampling."""
        if "interval_s" in header:
            self._interval_s = min(_INTERVAL_S, max(_MIN_INTERVAL_S, float(header["interval_s"])))
        if self._task is None:
            self._began_s = read_clock()
            self._system = SystemSampler(self.logins)
            self._task = asyncio.ensure_future(self._sample_forever())
            for name in ("cells", "transfers", "cpu", "io", "logins"):
                self._signals[name] = Signal(name)
            if self._system.has_network:
                self._signals["network"] = Signal("network")
        self._expect_gpus(int(header["gpus"]))
        self._note_gpus()
        now_s = read_clock()
        signals = [signal.describe(now_s, self._max_gap_s) for signal in self._signals.values()]
        left_out = {} if "network" in self._signals else {"network": "machines of the sandbox share it"}
        if self._gpus is None:
            left_out["gpu"] = "no GPU"
        return {
            "signals": signals,
            "gpus": self._gpus.describe() if self._gpus else [],
            "watched_s": now_s - self._began_s,
            "left_out": left_out,
        }

    def note_busy(self, name: str, reason: str) -> None:
        """Note activity that may be over before the next sample."""
        if name in self._signals:
            self._signals[name].note_busy(reason)

    @property
    def _max_gap_s(self) -> float:
        return _MISSED_SAMPLES * self._interval_s + _SLACK_S

    def _expect_gpus(self, count: int) -> None:
        """Watch this number of GPUs from now on; it never shrinks."""
        if count <= 0:
            return
        if self._gpus is None:
            self._gpus = GpuActivity()
            self._gpus.period_s = min(_GPU_PERIOD_S, self._interval_s)
            self._signals["gpu"] = Signal("gpu")
            self._sampler.observe(self._gpus)
        self._gpus.expected = max(self._gpus.expected, min(count, _MAX_GPUS))

    def _note_gpus(self) -> None:
        """Note what the GPUs have done since the last time, which is in memory."""
        if self._gpus is not None:
            self._signals["gpu"].note(read_clock(), self._gpus.read(), self._max_gap_s)

    async def _sample_forever(self) -> None:
        # Reading a file of a process may take forever. Then the signals become unknown; nothing else waits.
        pool = ThreadPoolExecutor(1, "activity")
        while True:
            readings = await asyncio.get_running_loop().run_in_executor(pool, self._read_system)
            if readings["cells"].state == IDLE:
                readings["cells"] = self._read_cells()
            readings["transfers"] = self._read_transfers()
            now_s = read_clock()
            for name, reading in readings.items():
                self._signals[name].note(now_s, reading, self._max_gap_s)
            self._note_gpus()
            await asyncio.sleep(self._interval_s)

    def _read_system(self) -> dict[str, Reading]:
        try:
            own = {os.getpid()} | self.logins.bridge_pids | self._sampler.pids
            readings = self._system.read(own | {self._find_guard() or os.getpid()})
        except Exception as error:  # noqa: BLE001 - unknown is an answer, and the end of sampling is none
            reading = make_unknown(f"it cannot be measured ({type(error).__name__})")
            readings = {name: reading for name in self._signals if name not in _OWN}
        try:
            is_running = self._others.has_running_cell()
        except Exception as error:  # noqa: BLE001 - as above
            readings["cells"] = make_unknown(f"cells cannot be read ({type(error).__name__})")
            return readings
        said = "a cell of another version runs"
        readings["cells"] = Reading(BUSY, said, said) if is_running else Reading(IDLE, "no cell runs")
        return readings

    def _read_cells(self) -> Reading:
        name = self._find_busy_session()
        if not name:
            return Reading(IDLE, "no cell runs")
        return Reading(BUSY, f"session {name}", "a cell runs or waits")

    def _read_transfers(self) -> Reading:
        count = self._count_transfers()
        if not count:
            return Reading(IDLE, "none")
        return Reading(BUSY, f"{count} under way", "files are transferred, or something is installed")

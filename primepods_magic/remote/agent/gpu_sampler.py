"""Utilization of the pod's GPUs, once a second while something runs or the pod's activity is watched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from .activity.gpus import GpuActivity

__all__ = ["GpuSampler", "GpuUse"]

_COMMAND = (
    "nvidia-smi",
    "--query-gpu=index,utilization.gpu",
    "--format=csv,noheader,nounits",
    "-lms",
)
_PERIOD_S = 1.0
_DELAY_S = 0.1
_MISSED_SAMPLES = 10
_RETRY_PERIODS = 30
_MAX_CHARS = 100


class GpuUse:
    """Mean over all samples and GPUs, and the highest one, in percent."""

    def __init__(self) -> None:
        self._count = 0
        self._sum_pct = 0.0
        self._peak_pct = 0.0

    def add(self, percent: float) -> None:
        """Count the utilization of one GPU in one second."""
        self._count += 1
        self._sum_pct += percent
        self._peak_pct = max(self._peak_pct, percent)

    def summarize(self) -> dict[str, float]:
        """Return the figures; empty if there was no sample."""
        if not self._count:
            return {}
        return {"gpu_mean_pct": round(self._sum_pct / self._count, 1), "gpu_peak_pct": self._peak_pct}


class GpuSampler:
    """A sampler that runs ``nvidia-smi`` while it is on, and passes each number to a callback.

    A GPU that cannot be read gives no sample. If ``nvidia-smi`` fails or hangs, it is retried later.
    """

    def __init__(self, on_sample: Callable[[float], Any]) -> None:
        self._on_sample = on_sample
        self._observer: GpuActivity | None = None
        self._task: asyncio.Task[None] | None = None
        self.pids: set[int] = set()
        """The process of ``nvidia-smi``, if it runs."""

    def turn(self, is_on: bool) -> None:
        """Start or stop sampling, which goes on if it is observed."""
        if (is_on or self._observer) and self._task is None:
            self._task = asyncio.ensure_future(self._sample_forever())
        elif not is_on and not self._observer and self._task is not None:
            self._task.cancel()
            self._task = None

    def observe(self, observer: GpuActivity) -> None:
        """Sample from now on, and report what cannot be read, too."""
        self._observer = observer
        self.turn(True)

    @property
    def _period_s(self) -> float:
        return self._observer.period_s if self._observer else _PERIOD_S

    async def _sample_forever(self) -> None:
        # A program for each trivial cell would take longer than the cell.
        await asyncio.sleep(_DELAY_S)
        while True:
            try:
                await self._sample_once()
            except FileNotFoundError:
                self._note_trouble("nvidia-smi is missing")
            except (OSError, ValueError) as error:
                self._note_trouble(f"nvidia-smi cannot be run ({type(error).__name__})")
            await asyncio.sleep(_RETRY_PERIODS * self._period_s)

    async def _sample_once(self) -> None:
        null = asyncio.subprocess.DEVNULL
        period_s = self._period_s
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, str(round(period_s * 1000)), stdin=null, stdout=asyncio.subprocess.PIPE, stderr=null
        )
        self.pids = {process.pid}
        try:
            await self._read_lines(process.stdout, _MISSED_SAMPLES * period_s)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                # One that the driver holds stays; another one would be held, too.
                await asyncio.shield(process.wait())
            self.pids = set()

    async def _read_lines(self, stdout: Any, timeout_s: float) -> None:
        said = ""
        while True:
            try:
                line = await asyncio.wait_for(stdout.readline(), timeout_s)
            except asyncio.TimeoutError:
                self._note_trouble("nvidia-smi does not respond")
                return
            if not line:
                self._note_trouble(f"nvidia-smi ended{said}")
                return
            if not self._take_line(line):
                said = ": " + line.decode("utf-8", "replace").strip()[:_MAX_CHARS]
                self._note_trouble(f"nvidia-smi says{said}")

    def _take_line(self, line: bytes) -> bool:
        """Take an index and a number, or something that stands for a number; return False if it is none."""
        index, comma, value = line.partition(b",")
        if not comma or not index.strip().isdigit():
            return False
        try:
            percent = float(value)
        except ValueError:
            if self._observer:
                self._observer.note_unreadable(int(index), value.decode("utf-8", "replace").strip())
            return True
        self._on_sample(percent)
        if self._observer:
            self._observer.note_sample(int(index), percent)
        return True

    def _note_trouble(self, reason: str) -> None:
        if self._observer:
            self._observer.note_trouble(reason)

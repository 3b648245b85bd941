"""Utilization of the pod's GPUs, once a second while something runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

__all__ = ["GpuSampler", "GpuUse"]

_COMMAND = (
    "nvidia-smi",
    "--query-gpu=index,utilization.gpu",
    "--format=csv,noheader,nounits",
    "-lms",
    "1000",
)
_DELAY_S = 0.1
_RETRY_S = 30.0
_END_S = 2.0


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

    A GPU that cannot be read gives no sample. If ``nvidia-smi`` fails, it is retried later.
    """

    def __init__(self, on_sample: Callable[[float], Any]) -> None:
        self._on_sample = on_sample
        self._task: asyncio.Task[None] | None = None

    def turn(self, is_on: bool) -> None:
        """Start or stop sampling."""
        if is_on and self._task is None:
            self._task = asyncio.ensure_future(self._sample_forever())
        elif not is_on and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _sample_forever(self) -> None:
        # A program for each trivial cell would take longer than the cell.
        await asyncio.sleep(_DELAY_S)
        while True:
            with contextlib.suppress(OSError, ValueError):
                await self._sample_once()
            await asyncio.sleep(_RETRY_S)

    async def _sample_once(self) -> None:
        null = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, stdin=null, stdout=asyncio.subprocess.PIPE, stderr=null
        )
        assert process.stdout is not None
        try:
            while True:
                line = await process.stdout.readline()
                if not line:
                    return
                try:
                    self._on_sample(float(line.split(b",")[1]))
                except (IndexError, ValueError):
                    continue
        finally:
            if process.returncode is None:
                process.kill()
                await asyncio.shield(process.wait())

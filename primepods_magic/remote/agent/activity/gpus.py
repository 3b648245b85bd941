"""Activity of each GPU, from the samples of ``nvidia-smi``: memory that is held is not activity."""

from __future__ import annotations

from typing import Any

from .signals import BUSY, IDLE, UNKNOWN, Reading, make_unknown, read_clock

__all__ = ["BUSY_PERCENT", "GpuActivity"]

BUSY_PERCENT = 3.0
"""A GPU with more is busy."""

_MISSED_SAMPLES = 10
_MAX_GPUS = 64


class _Gpu:
    """One GPU. It is unused if it has been sampled since monitoring began, and was never busy or unknown."""

    def __init__(self, is_unused: bool) -> None:
        self.percent: float | None = None
        self.peak_percent: float | None = None
        self.window_percent = 0.0
        self.is_unused = is_unused
        self.sampled_s: float | None = None
        self.quiet_since_s: float | None = None
        self.reason = ""

    def note_used(self) -> None:
        self.is_unused = False
        self.quiet_since_s = None


class GpuActivity:
    """The GPUs of a pod; a `GpuSampler` notes samples and trouble here.

    Attributes
    ----------
    expected : int
        How many GPUs the pod has.
    period_s : float
        Time between samples of each GPU.
    """

    def __init__(self) -> None:
        self.expected = 0
        self.period_s = 1.0
        self._gpus: dict[int, _Gpu] = {}
        self._trouble = ""
        self._began_s = read_clock()

    @property
    def _max_age_s(self) -> float:
        return _MISSED_SAMPLES * self.period_s

    def note_sample(self, index: int, percent: float) -> None:
        """Note the utilization of a GPU in the last period."""
        now_s = read_clock()
        gpu = self._find_gpu(index, now_s)
        if gpu is None or not 0 <= percent <= 100:
            self.note_unreadable(index, str(percent))
            return
        if gpu.reason or (gpu.sampled_s is not None and now_s - gpu.sampled_s > self._max_age_s):
            gpu.note_used()
        self._trouble = ""
        gpu.reason, gpu.percent, gpu.sampled_s = "", percent, now_s
        gpu.peak_percent = max(percent, gpu.peak_percent or 0.0)
        gpu.window_percent = max(percent, gpu.window_percent)
        if percent > BUSY_PERCENT:
            gpu.note_used()
        elif gpu.quiet_since_s is None:
            gpu.quiet_since_s = now_s

    def note_unreadable(self, index: int, text: str) -> None:
        """Note that a GPU does not report its utilization: that is not 0 %."""
        gpu = self._find_gpu(index, read_clock())
        reason = f"GPU {index} reports {text[:40]!r} instead of its use"
        if gpu is None:
            self._trouble = reason
            return
        gpu.note_used()
        gpu.percent, gpu.reason = None, reason

    def note_trouble(self, text: str) -> None:
        """Note that ``nvidia-smi`` does not work; that ends with the next sample."""
        self._trouble = text
        for gpu in self._gpus.values():
            gpu.note_used()
            gpu.percent = None

    def read(self) -> Reading:
        """Return the reading since the last one; one GPU that is unknown makes it unknown."""
        now_s = read_clock()
        # A GPU that has been seen, and is not any more, may be the one that is busy.
        self.expected = max(self.expected, len(self._gpus))
        busiest = max(self._gpus, key=lambda index: self._gpus[index].window_percent, default=None)
        percent = 0.0 if busiest is None else self._gpus[busiest].window_percent
        for gpu in self._gpus.values():
            gpu.window_percent = gpu.percent or 0.0
        if percent > BUSY_PERCENT:
            said = f"GPU {busiest} at {percent:.0f} %"
            return Reading(BUSY, said, said)
        reasons = [self._trouble, *(gpu.reason for gpu in self._gpus.values())]
        if any(reasons):
            return make_unknown(next(filter(None, reasons)))
        if busiest is None:
            return make_unknown("nvidia-smi has not answered yet")
        count = sum(self._find_state(index, now_s) != UNKNOWN for index in self._gpus)
        if count < self.expected:
            return make_unknown(f"nvidia-smi reports {count} of {self.expected} GPUs")
        return Reading(IDLE, f"at most {percent:.0f} %")

    def describe(self) -> list[dict[str, Any]]:
        """Return the facts of each GPU for a client; `quiet_s` is None if it was never used."""
        now_s = read_clock()
        return [self._describe_gpu(index, now_s) for index in sorted({*range(self.expected), *self._gpus})]

    def _describe_gpu(self, index: int, now_s: float) -> dict[str, Any]:
        gpu = self._gpus.get(index) or _Gpu(False)
        state = self._find_state(index, now_s)
        quiet_s: float | None = 0.0
        if state == IDLE and gpu.sampled_s is not None and gpu.quiet_since_s is not None:
            quiet_s = None if gpu.is_unused else gpu.sampled_s - gpu.quiet_since_s
        return {
            "index": index,
            "percent": gpu.percent,
            "peak_percent": gpu.peak_percent,
            "quiet_s": quiet_s,
            "state": state,
        }

    def _find_gpu(self, index: int, now_s: float) -> _Gpu | None:
        if index not in self._gpus and 0 <= index < _MAX_GPUS:
            self._gpus[index] = _Gpu(now_s - self._began_s <= self._max_age_s)
        return self._gpus.get(index)

    def _find_state(self, index: int, now_s: float) -> str:
        gpu = self._gpus.get(index)
        if gpu is None or gpu.percent is None or gpu.sampled_s is None or gpu.reason:
            return UNKNOWN
        if now_s - gpu.sampled_s > self._max_age_s:
            return UNKNOWN
        return BUSY if gpu.percent > BUSY_PERCENT else IDLE

"""The GPUs of a machine: what they are, and how busy its processes keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from primepods_magic.sandbox.machines.processes import ProcessUsage

__all__ = ["Gpu", "GpuProcess", "Gpus"]

# Less than this is a shell that waits.
_MIN_BUSY_SHARE = 0.05
_CONTEXT_MB = 300
_IDLE_WATTS, _MAX_WATTS = 70, 700
_IDLE_DEGREES, _MAX_DEGREES = 31, 78
_FIRST_BUS = 0x19
_BUS_STEP = 0x11


@dataclass(frozen=True)
class GpuProcess:
    """A process that computes on a GPU."""

    pid: int
    name: str
    memory_mb: int


@dataclass(frozen=True)
class Gpu:
    """One GPU at one moment."""

    index: int
    count: int
    name: str
    uuid: str
    memory_mb: int
    used_mb: int
    utilization_percent: int
    processes: tuple[GpuProcess, ...] = ()

    @property
    def bus_id(self) -> str:
        """The address on the PCI bus."""
        return f"00000000:{(_FIRST_BUS + _BUS_STEP * self.index) % 256:02X}:00.0"

    @property
    def power_w(self) -> float:
        """The power draw, which follows the utilization."""
        return _IDLE_WATTS + (_MAX_WATTS - _IDLE_WATTS) * 0.9 * self.utilization_percent / 100

    @property
    def power_limit_w(self) -> float:
        return float(_MAX_WATTS)

    @property
    def degrees_c(self) -> int:
        """The temperature, which follows the utilization."""
        return _IDLE_DEGREES + (_MAX_DEGREES - _IDLE_DEGREES) * self.utilization_percent // 100

    @property
    def performance(self) -> str:
        return "P0"


@dataclass(frozen=True)
class Gpus:
    """The GPUs of a machine, all of one type."""

    name: str
    memory_mb: int
    count: int
    machine_id: str

    def measure(
        self,
        before: Mapping[int, ProcessUsage],
        after: Mapping[int, ProcessUsage],
        elapsed_s: float,
        *,
        utilization_percent: int | None = None,
        used_mb: int | None = None,
    ) -> list[Gpu]:
        """Return the state of each GPU: CPU time stands for GPU time, unless a value is given.

        A process that may use several GPUs by `CUDA_VISIBLE_DEVICES` uses them all; otherwise the first one.
        """
        shares = {
            pid: (usage.cpu_s - before[pid].cpu_s) / elapsed_s
            for pid, usage in after.items()
            if pid in before and elapsed_s > 0
        }
        busy = [after[pid] for pid, share in shares.items() if share >= _MIN_BUSY_SHARE]
        gpus = []
        for index in range(self.count):
            here = [usage for usage in busy if index in _find_devices(usage)]
            share = sum(shares[usage.pid] for usage in here)
            processes = tuple(_describe_processes(here, self.memory_mb))
            own_mb = sum(process.memory_mb for process in processes)
            gpus.append(
                Gpu(
                    index=index,
                    count=self.count,
                    name=self.name,
                    uuid=self._make_uuid(index),
                    memory_mb=self.memory_mb,
                    used_mb=min(self.memory_mb, own_mb if used_mb is None else used_mb),
                    utilization_percent=min(100, round(100 * share))
                    if utilization_percent is None
                    else utilization_percent,
                    processes=processes,
                )
            )
        return gpus

    def _make_uuid(self, index: int) -> str:
        digits = hashlib.blake2b(f"{self.machine_id}/{index}".encode(), digest_size=16).hexdigest()
        return f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _find_devices(usage: ProcessUsage) -> tuple[int, ...]:
    return (0,) if usage.devices is None else usage.devices


def _describe_processes(usages: Iterable[ProcessUsage], memory_mb: int) -> Iterable[GpuProcess]:
    left_mb = memory_mb
    for usage in sorted(usages, key=lambda usage: usage.pid):
        used_mb = min(left_mb, usage.memory_mb + _CONTEXT_MB)
        left_mb -= used_mb
        yield GpuProcess(usage.pid, usage.name, used_mb)

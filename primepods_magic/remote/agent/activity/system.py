"""Signals that come from the system: CPU, bytes read and written, the network, and logins."""

from __future__ import annotations

from collections.abc import Set

from .logins import Logins
from .processes import Process, measure_use, read_file, read_mark, read_processes
from .signals import BUSY, IDLE, Reading, make_unknown, read_clock

__all__ = ["SystemSampler"]

_BUSY_CORES = 0.2
_BUSY_BYTES_PER_S = 1e6 / 10
_NOT_YET = "it is not measured yet"


class SystemSampler:
    """Compares each sample of the system with the one before it. It may run in any thread, one at a time."""

    def __init__(self, logins: Logins) -> None:
        self._logins = logins
        self._mark = read_mark()
        self._sampled_s = read_clock()
        self._processes: dict[tuple[int, bytes], Process] | None = None
        self._counters: dict[bytes, tuple[int, int]] | None = None

    @property
    def has_network(self) -> bool:
        """False on the sandbox's machines: all of them share that of this computer."""
        return self._mark is None

    def read(self, excluded: Set[int]) -> dict[str, Reading]:
        """Return a reading for each signal, without what some processes used."""
        now_s, before = read_clock(), self._processes
        elapsed_s, self._sampled_s = max(1e-3, now_s - self._sampled_s), now_s
        problem = _NOT_YET
        try:
            self._processes = read_processes(self._mark)
        except (OSError, ValueError, IndexError, KeyError) as error:
            self._processes, problem = None, f"processes cannot be read ({error})"
        readings = {"logins": self._logins.read(self._processes)}
        network_bytes = None
        if self.has_network:
            readings["network"], network_bytes = self._read_network(elapsed_s)
        if before is None or self._processes is None:
            return {**readings, "cpu": make_unknown(problem), "io": make_unknown(problem)}
        use = measure_use(before, self._processes, excluded)
        cores = use.cpu_s / elapsed_s
        said = f"{cores:.2f} CPU cores"
        is_busy = cores > _BUSY_CORES
        readings["cpu"] = Reading(BUSY, said, f"{said} in use") if is_busy else Reading(IDLE, said)
        readings["io"] = self._read_io(use.io_bytes, network_bytes, elapsed_s)
        return readings

    def _read_io(self, io_bytes: int, network_bytes: int | None, elapsed_s: float) -> Reading:
        assert self._processes is not None
        counts = [process.io_bytes for process in self._processes.values()]
        if all(count is None for count in counts):
            return make_unknown("the system does not say what processes read and write")
        if None in counts:
            # What other users' processes send and receive is part of what the network carries.
            if network_bytes is None:
                return make_unknown("another user's processes cannot be read")
            io_bytes += network_bytes
        return _judge_rate(io_bytes, elapsed_s, "read and written")

    def _read_network(self, elapsed_s: float) -> tuple[Reading, int | None]:
        before = self._counters
        try:
            self._counters = _read_counters()
        except (OSError, ValueError, IndexError) as error:
            self._counters = None
            return make_unknown(f"the network's counters cannot be read ({error})"), None
        if before is None:
            return make_unknown(_NOT_YET), None
        size = 0
        for name, (received, sent) in self._counters.items():
            old_received, old_sent = before.get(name, (0, 0))
            size += max(0, received - old_received) + max(0, sent - old_sent)
        return _judge_rate(size, elapsed_s, "sent and received"), size


def _judge_rate(size: int, elapsed_s: float, what: str) -> Reading:
    bytes_per_s = size / elapsed_s
    said = f"{bytes_per_s / 1e6:.2f} MB/s"
    return Reading(BUSY, said, f"{said} {what}") if bytes_per_s > _BUSY_BYTES_PER_S else Reading(IDLE, said)


def _read_counters() -> dict[bytes, tuple[int, int]]:
    """Return the bytes that each interface has received and sent, without the loopback."""
    counters = {}
    for line in read_file("/proc/net/dev").split(b"\n")[2:]:
        name, _, numbers = line.partition(b":")
        fields = numbers.split()
        if fields and name.strip() != b"lo":
            counters[name.strip()] = int(fields[0]), int(fields[8])
    return counters

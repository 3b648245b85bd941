"""Reading a whole history: the official SDK, the least that one connection can do, and ours.

The sandbox is a process of its own, and so is every reading; they take turns.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from benchmarks.readers.measured import FIELDS
from tests.sandbox.conftest import PRIME_ENVIRONMENT, PRIME_REQUIREMENT
from tests.support.environment import clean_environment
from tests.support.sandbox_control import KEY, SandboxControl, control

ROWS = int(os.environ.get("PRIMEPODS_BENCH_ROWS", "100000"))
NEW_ROWS = 200
"""How many end between filling the cache and using it."""
ROUNDS = 3
LATENCIES_MS, PAGE_CAPS = (0, 50), (100, 1000)

_READERS = Path(__file__).with_name("readers")
_SDK, _FLOOR, _COLD, _KEPT = "the official SDK", "by hand, one connection", "ours", "ours, kept"
# Against the SDK, by latency and page cap; without latency, what one connection can do is the measure too.
_SDK_TARGETS = {(0, 100): 1.0, (0, 1000): 1.0, (50, 100): 6.0, (50, 1000): 25.0}
_FLOOR_TARGET = 4.0
_KEPT_TARGETS = {0: 1.0, 50: 20.0}
_MEMORY_TARGET = 2.0
_IN_FLIGHT = 8
_POD = {"cloudId": "n3-CPUx1", "gpuType": "CPU_NODE", "socket": "PCIe", "gpuCount": 1}

Row = tuple[Any, ...]


def read_history() -> str:
    """Read all rows at each latency and page cap, compare them cell by cell, and tell what that took."""
    load, cores = os.getloadavg()[0], os.cpu_count()
    lines = [
        f"read_history  ({ROWS:,} rows, then {NEW_ROWS} more; medians; × is of the time of ours)",
        f"  two processes that compute need two cores to themselves: {cores} here, load {load:.1f} before",
    ]
    if not _has_sdk():
        lines.append(f"  no {PRIME_REQUIREMENT} here: pytest tests/sandbox/test_prime_cli.py installs it")
    for latency_ms in LATENCIES_MS:
        for page_cap in PAGE_CAPS:
            with tempfile.TemporaryDirectory(prefix="primepods-bench-") as folder:
                lines += _Setting(latency_ms, page_cap, Path(folder)).lines()
    return "\n".join(lines)


@dataclass
class Reading:
    """What the turns of one contestant took."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)
    frame_bytes: list[int] = field(default_factory=list)
    least_bytes: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    def note(self, told: dict[str, Any]) -> None:
        """Add one turn."""
        for name, value in told.items():
            getattr(self, name).append(value)

    @property
    def median_s(self) -> float:
        """Of the seconds."""
        return statistics.median(self.seconds)

    @property
    def of_frame(self) -> float:
        """The peak as a multiple of the frame."""
        return statistics.median(self.peak_bytes) / statistics.median(self.frame_bytes)

    def line(self, name: str, ours: Reading) -> str:
        """As it stands in the report."""
        width = max(map(len, (_SDK, _FLOOR, _COLD, _KEPT)))
        asked = f"  {'/'.join(f'{count:,}' for count in sorted(set(self.requests)))} requests"
        return (
            f"    {name:<{width}}  {self.median_s:8.3f} s  {self.median_s / ours.median_s:7.2f} ×"
            f"  [{', '.join(f'{seconds:.2f}' for seconds in self.seconds)}]"
            f"  CPU {statistics.median(self.cpu_seconds):5.2f} s"
            f"  peak +{statistics.median(self.peak_bytes) / 2**20:6.1f} MB{asked if self.requests else ''}"
        )


class _Setting:
    """The turns at one latency and page cap."""

    def __init__(self, latency_ms: int, page_cap: int, folder: Path) -> None:
        self._latency_ms = latency_ms
        self._page_cap = page_cap
        self._folder = folder
        self._readings: dict[str, Reading] = {}
        self._turn = 0

    def lines(self) -> list[str]:
        """Take the turns, and tell what they took."""
        with _sandbox(self._latency_ms, self._page_cap) as sandbox:
            self._without_cache(sandbox)
            _end_more(sandbox)
            self._with_cache(sandbox)
        title = f"  {self._latency_ms or 'no'} {'ms of ' if self._latency_ms else ''}latency"
        ours = self._readings[_COLD]
        return [
            f"{title}, pages of at most {self._page_cap:,}; same rows: yes",
            *(reading.line(name, ours) for name, reading in self._readings.items()),
            *self._verdicts(),
        ]

    def _without_cache(self, sandbox: SandboxControl) -> None:
        expected = _all_rows(sandbox, self._page_cap)
        assert len(expected) == ROWS
        rounds = self._rounds()
        self._readings = {name: Reading() for name in rounds}
        for number in range(ROUNDS):
            # Nobody is always the first.
            order = [*rounds][number % len(rounds) :] + [*rounds][: number % len(rounds)]
            for name in order:
                if number < rounds[name]:
                    self._take_turn(name, sandbox, expected, home=self._folder / f"{name} {number}")

    def _rounds(self) -> dict[str, int]:
        # Where a turn is nearly a minute of waiting, it does not vary by much.
        rounds = {_SDK: 1 if self._latency_ms else ROUNDS} if _has_sdk() else {}
        is_long = self._latency_ms and self._page_cap < 1000
        return {**rounds, _FLOOR: 1 if is_long else ROUNDS, _COLD: ROUNDS}

    def _with_cache(self, sandbox: SandboxControl) -> None:
        """Ours again, each time with what the first reading has kept."""
        expected = _all_rows(sandbox, self._page_cap)
        assert len(expected) == ROWS + NEW_ROWS
        self._readings[_KEPT] = Reading()
        for number in range(ROUNDS):
            home = self._folder / f"{_KEPT} {number}"
            shutil.copytree(self._folder / f"{_COLD} 0", home)
            self._take_turn(_KEPT, sandbox, expected, home)

    def _take_turn(self, name: str, sandbox: SandboxControl, expected: list[Row], home: Path) -> None:
        home.mkdir(exist_ok=True)
        file = self._folder / "rows"
        python, script = _PROGRAMS[name]
        done = subprocess.run(
            [str(python), str(_READERS / script), sandbox.url, str(file)],
            env=_environment(home, sandbox.url),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{name} failed:\n{done.stderr}")
        self._readings[name].note(json.loads(done.stdout.splitlines()[-1]))
        with file.open(encoding="utf-8") as lines:
            _compare(name, sorted((tuple(json.loads(line)) for line in lines), key=itemgetter(0)), expected)

    def _verdicts(self) -> Iterator[str]:
        ours, floor, kept = (self._readings[name] for name in (_COLD, _FLOOR, _KEPT))
        sdk = self._readings.get(_SDK)
        if sdk is not None:
            target = _SDK_TARGETS[self._latency_ms, self._page_cap]
            yield _verdict("faster than the SDK", sdk.median_s / ours.median_s, at_least=target)
        if not self._latency_ms:
            yield _verdict("of the time by hand", ours.median_s / floor.median_s, at_most=_FLOOR_TARGET)
        times = ours.median_s / kept.median_s
        yield _verdict("faster with what is kept", times, at_least=_KEPT_TARGETS[self._latency_ms])
        yield _verdict("the frame at the peak", ours.of_frame, at_most=_MEMORY_TARGET)
        yield _verdict("the same with what is kept", kept.of_frame, at_most=_MEMORY_TARGET)
        frame, least = ours.frame_bytes[0] / 2**20, ours.least_bytes[0] / 2**20
        yield f"      the frame: {frame:.1f} MB as pandas counts it, {least:.1f} MB with each text once"


_PRIME_PYTHON = PRIME_ENVIRONMENT / "bin" / "python"
_PROGRAMS: dict[str, tuple[Path, str]] = {
    _SDK: (_PRIME_PYTHON, "sdk.py"),
    _FLOOR: (Path(sys.executable), "floor.py"),
    _COLD: (Path(sys.executable), "ours.py"),
    _KEPT: (Path(sys.executable), "ours.py"),
}


def _has_sdk() -> bool:
    return (PRIME_ENVIRONMENT / PRIME_REQUIREMENT).exists()


def _environment(home: Path, url: str) -> dict[str, str]:
    return clean_environment(
        home,
        XDG_CACHE_HOME=str(home / "cache"),
        NO_PROXY="127.0.0.1",
        PRIME_DISABLE_VERSION_CHECK="1",
        PRIME_API_BASE_URL=url,
        PRIME_API_KEY=KEY,
    )


@contextmanager
def _sandbox(latency_ms: int, page_cap: int) -> Iterator[SandboxControl]:
    options = {"history": ROWS, "clock": "stepped", "latency-ms": latency_ms, "page-cap": page_cap}
    command = [sys.executable, "-m", "primepods_magic.sandbox"]
    command += [f"--{name}={value}" for name, value in options.items()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("listening on ").strip()
        try:
            with control(url) as sandbox:
                yield sandbox
        finally:
            process.terminate()


def _end_more(sandbox: SandboxControl) -> None:
    """Let pods be bought, run for a while, and end."""

    def buy(number: int) -> str:
        body = {"pod": {**_POD, "name": f"new-{number}"}, "provider": {"type": "hyperstack"}}
        pod_id: str = sandbox.api.post("/api/v1/pods", json=body).raise_for_status().json()["id"]
        return pod_id

    def end(pod_id: str) -> None:
        sandbox.api.delete(f"/api/v1/pods/{pod_id}").raise_for_status()

    sandbox.api.put("/sandbox/wallet", json={"balance_usd": 1e9}).raise_for_status()
    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        pod_ids = list(pool.map(buy, range(NEW_ROWS)))
        sandbox.advance(600)
        list(pool.map(end, pod_ids))
    sandbox.advance(60)


def _all_rows(sandbox: SandboxControl, page_cap: int) -> list[Row]:
    """What there is to read, by id."""
    path = f"/api/v1/pods/history?limit={page_cap}"

    def page(offset: int) -> dict[str, Any]:
        told: dict[str, Any] = sandbox.api.get(f"{path}&offset={offset}").raise_for_status().json()
        return told

    total = page(0)["total_count"]
    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        pages = pool.map(page, range(0, total, page_cap))
        rows = [itemgetter(*FIELDS)(row) for told in pages for row in told["data"]]
    return sorted(rows, key=itemgetter(0))


def _compare(name: str, rows: list[Row], expected: list[Row]) -> None:
    if len(rows) != len(expected):
        raise RuntimeError(f"{name}: {len(rows):,} rows, not {len(expected):,}")
    for row, right in zip(rows, expected, strict=True):
        if row != right:
            wrong = [
                f"{what} {cell!r}, not {should!r}"
                for what, cell, should in zip(FIELDS, row, right, strict=True)
                if cell != should
            ]
            raise RuntimeError(f"{name}: row {right[0]}: {', '.join(wrong)}")


def _verdict(what: str, times: float, *, at_least: float = 0.0, at_most: float = float("inf")) -> str:
    target = f"at least {at_least:g}" if at_least else f"at most {at_most:g}"
    is_met = at_least <= times <= at_most
    return f"      {times:6.2f} × {what:<28} {target:<12}  {'met' if is_met else 'MISSED'}"

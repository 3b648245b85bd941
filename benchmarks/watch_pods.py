"""What watching costs: requests, lag of the main thread, messages to the front end, and memory.

The sandbox is a process of its own. Idle and watched phases take turns; what is told of lag is the
difference between them.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import comm
import httpx
import psutil
from comm.base_comm import BaseComm

from primepods_magic.api.client import Client
from primepods_magic.api.settings import Settings
from primepods_magic.notebook.progress.open_view import open_view
from primepods_magic.notebook.progress.view import View
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.clock import Clock, ServiceClock
from primepods_magic.pods.watching.backoff import LIVE_INTERVAL_S, SANDBOX_INTERVAL_S
from primepods_magic.pods.watching.snapshot import Snapshot
from primepods_magic.pods.watching.watch import Watch
from tests.notebook.views.snapshots import FrontEnd
from tests.support.sandbox_control import KEY, SandboxControl, control

MANY, MORE = 200, 1_000
"""How many pods are watched; what was promised of lag was promised of the first."""
ROUNDS, IDLE_S, WATCHED_S = 3, 0.8, 1.7
"""Rounds of four phases: idle and watched, by either of two tickers. There are four looks in a phase."""
LOOKS = {MANY: 720, MORE: 30}
"""An hour of the live service, and two and a half minutes, for a look that is traced takes three times as
long. Less of this and of the rounds makes the run shorter."""
SETTLED_IN = {MANY: 60, MORE: 10}
"""The look after which memory is what the end is measured against."""

_TICK_S = 0.001
_PROMISED_MS = 10
# An installation takes the sandbox about six seconds, after three and a half. At this speed every pod has
# another percentage in nearly every look, and none is complete before the last phase is over.
_SPEED = 0.12
_BEFORE_INSTALLING_S, _INSTALLATION_S = 3.6, 4.8
_BODY: dict[str, dict[str, Any]] = {
    "pod": {"cloudId": "n3-CPUx1", "gpuType": "CPU_NODE", "socket": "PCIe", "gpuCount": 1},
    "provider": {"type": "hyperstack"},
}


def watch_pods() -> str:
    """Watch many pods and more, with the view of a notebook, and tell in numbers what that does."""
    with recorded_messages() as sent, tempfile.TemporaryDirectory(prefix="primepods-bench-") as folder:
        tables = [_measure(count, Path(folder) / f"{count}.db", sent) for count in (MANY, MORE)]
    width = max(len(row[0]) for row in tables[0])
    lines = [f"{'watch_pods':<{width + 2}}  {f'{MANY:,} pods':>20}  {f'{MORE:,} pods':>20}"]
    for (label, few, against), (_, more, _) in zip(*tables, strict=True):
        lines.append(f"  {label:<{width}}  {few:>20}  {more:>20}  {against}".rstrip())
    return "\n".join(lines)


Table = list[tuple[str, str, str]]
"""A label, what was measured, and what that is to be compared with."""


def _measure(count: int, db: Path, sent: Messages) -> Table:
    with _sandbox(db, "--clock", "stepped") as sandbox:
        _rent(sandbox, count)
    # What the next part finds is what the first one found.
    begun = db.read_bytes()
    with _sandbox(db, "--clock", "running", "--speed", str(_SPEED)) as sandbox:
        rows = _lag(sandbox, count, sent)
    for part in (_messages, _memory):
        for leftover in db.parent.glob(f"{db.name}*"):
            leftover.unlink()
        db.write_bytes(begun)
        with _sandbox(db, "--clock", "stepped") as sandbox:
            rows += part(sandbox, count, sent)
    return rows


@contextmanager
def _sandbox(db: Path, *options: str) -> Iterator[SandboxControl]:
    command = [sys.executable, "-m", "primepods_magic.sandbox", "--db", str(db), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("listening on ").strip()
        try:
            with control(url) as sandbox:
                yield sandbox
        finally:
            process.terminate()


def _rent(sandbox: SandboxControl, count: int) -> None:
    """Let so many pods be installing."""
    sandbox.api.put("/sandbox/wallet", json={"balance_usd": 1e9}).raise_for_status()
    for number in range(count):
        body = {**_BODY, "pod": {**_BODY["pod"], "name": f"pod-{number}"}}
        sandbox.api.post("/api/v1/pods", json=body).raise_for_status()
    sandbox.advance(_BEFORE_INSTALLING_S)


class Messages:
    """What widgets have sent to the front end, counted; of it, only the names of pods with a row are kept."""

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self.rows: set[str] = set()

    def take(self, data: dict[str, Any]) -> None:
        text = json.dumps(data)
        self.count += 1
        self.size += len(text)
        self.rows.update(re.findall(r'data-pod=\\"(pod-\d+)\\"', text))


@contextmanager
def recorded_messages() -> Iterator[Messages]:
    """Widgets send to a recorder, which makes JSON of everything, as a kernel does."""
    messages = Messages()

    class Recorded(BaseComm):
        def publish_msg(self, msg_type: str, data: Any = None, *_: Any, **__: Any) -> None:
            messages.take(data or {})

    before, comm.create_comm = comm.create_comm, Recorded
    try:
        yield messages
    finally:
        comm.create_comm = before


class Counting(httpx.HTTPTransport):
    """The network, and how often it was asked."""

    def __init__(self) -> None:
        super().__init__(verify=False, trust_env=False)
        self.count = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.count += 1
        return super().handle_request(request)


@dataclass(frozen=True)
class Look:
    """What one look took, and what came of it."""

    requests: int
    changed: int
    cpu_s: float
    view_cpu_s: float
    messages: int
    size: int
    rows_changed: int


@dataclass
class Looks:
    """Listens as a display does, and notes every look. It is called on the thread that watches."""

    view: View
    network: Counting
    sent: Messages
    also: Callable[[int], object] = lambda number: None
    keeps: bool = True
    count: int = 0
    seen: list[Look] = field(default_factory=list)
    _asked: int = 0
    _used_s: float = 0.0

    def begin(self) -> None:
        self._asked = self.network.count

    def __call__(self, snapshot: Snapshot) -> None:
        if snapshot.trouble:
            raise RuntimeError(snapshot.trouble)
        before_s, messages, size = time.thread_time(), self.sent.count, self.sent.size
        self.view.show(snapshot)
        now_s = time.thread_time()
        self.count += 1
        if self.keeps:
            names = [change.pod.name for change in snapshot.changes if change.pod]
            look = Look(
                requests=self.network.count - self._asked,
                changed=len(names),
                cpu_s=now_s - self._used_s,
                view_cpu_s=now_s - before_s,
                messages=self.sent.count - messages,
                size=self.sent.size - size,
                rows_changed=len(self.sent.rows.intersection(names)),
            )
            self.seen.append(look)
        self.also(self.count)
        self._asked, self._used_s = self.network.count, time.thread_time()


@contextmanager
def _watching(
    sandbox: SandboxControl,
    sent: Messages,
    *,
    clock: Clock | None = None,
    interval_s: float = SANDBOX_INTERVAL_S,
    also: Callable[[int], object] = lambda number: None,
    keeps: bool = True,
) -> Iterator[tuple[Looks, Watch]]:
    """All pods, watched until the block ends; then the thread has ended as well."""
    network = Counting()
    client = Client(Settings(base_url=sandbox.url, api_key=KEY), http=network)
    connection = Connection(
        client, clock or ServiceClock(client.session), is_sandbox=True, poll_interval_s=interval_s
    )
    with ExitStack() as stack:
        stack.callback(connection.close)
        pods = client.list_all_pods()
        view = open_view(FrontEnd())
        stack.callback(view.close)
        first = Snapshot(tuple(pods), connection.now())
        sent.rows.clear()
        view.show(first)
        looks = Looks(view, network, sent, also=also, keeps=keeps)
        looks.begin()
        with connection.poller.watch(pods, looks, is_over=lambda _: False, at_once=True) as watch:
            yield looks, watch
            if watch.error is not None:
                raise watch.error
        connection.poller.stop()
        view.finish(watch.latest)


def _lag(sandbox: SandboxControl, count: int, sent: Messages) -> Table:
    """Phases take turns; a look is what the real poller and the real view make of it."""
    idle: dict[Ticker, list[float]] = {_sleeps: [], _loops: []}
    watched: dict[Ticker, list[float]] = {_sleeps: [], _loops: []}
    looks: list[Look] = []
    took_s = 0.0
    for _ in range(ROUNDS):
        for ticker in idle:
            gc.collect()
            idle[ticker] += ticker(IDLE_S)
            with _watching(sandbox, sent) as (seen, _):
                begin = time.perf_counter()
                watched[ticker] += ticker(WATCHED_S)
                took_s += time.perf_counter() - begin
            looks += seen.seen
    requests = sorted({look.requests for look in looks})
    fewest = math.ceil(count / 100)
    changed = statistics.median(look.changed for look in looks)
    rows: Table = [
        ("looks, pods that changed in one", f"{len(looks)}, {changed:.0f}", "the median"),
        (
            "requests of a look, the fewest",
            f"{' or '.join(map(str, requests))}, {fewest}",
            "one for each 100 pods",
        ),
    ]
    for ticker, name in ((_sleeps, "time.sleep"), (_loops, "asyncio.sleep")):
        before, after = _lateness(idle[ticker]), _lateness(watched[ticker])
        rows += [
            (f"{name}, idle: late by", str(before), "p50, p99, worst"),
            (
                f"{name}, watching: late by",
                str(after),
                f"threads take turns of {sys.getswitchinterval() * 1000:.0f} ms",
            ),
            (
                f"{name}: p99 grows by",
                f"{after.p99 - before.p99:+.2f} ms",
                f"at most {_PROMISED_MS} ms for {MANY} pods",
            ),
        ]
    used_s = sum(look.cpu_s for look in looks)
    return [
        *rows,
        (
            "CPU of the thread that watches",
            f"{used_s / took_s:.1%}",
            f"one core; looks are {SANDBOX_INTERVAL_S} s apart",
        ),
        ("CPU of a look, of the view in it", _cpu_ms(looks), "the median"),
    ]


Ticker = Callable[[float], list[float]]
"""Ticks for so many seconds, and answers with how late each tick was; one that was slept through counts."""


def _sleeps(seconds: float) -> list[float]:
    late: list[float] = []
    due = time.perf_counter() + _TICK_S
    end = due + seconds
    while due < end:
        time.sleep(max(due - time.perf_counter(), 0.0))
        due = _note(late, due)
    return late


def _loops(seconds: float) -> list[float]:
    async def tick() -> list[float]:
        late: list[float] = []
        due = time.perf_counter() + _TICK_S
        end = due + seconds
        while due < end:
            await asyncio.sleep(max(due - time.perf_counter(), 0.0))
            due = _note(late, due)
        return late

    return asyncio.run(tick())


def _note(late: list[float], due: float) -> float:
    now = time.perf_counter()
    while due <= now:
        late.append(now - due)
        due += _TICK_S
    return due


class ScriptedClock:
    """Time passes only by waiting, and at once; before each look something is done.

    Parameters
    ----------
    script : iterable of (callable, bool)
        What to do while somebody waits for the next look, and whether time passes then.
    """

    def __init__(self, script: Iterator[tuple[Callable[[], object], bool]]) -> None:
        self._script = script
        self._passed_s = 0.0
        self._begin = datetime(2026, 9, 14, 8, 0, 10, tzinfo=timezone.utc)
        self.is_over = threading.Event()

    def now(self) -> datetime:
        return self._begin + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        return self._passed_s

    def sleep(self, seconds: float) -> None:
        self._passed_s += seconds

    def pass_by(self, seconds: float) -> bool:
        self.sleep(seconds)
        return True

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        if event.is_set():
            return True
        step = next(self._script, None)
        if seconds is None or step is None:
            self.is_over.set()
            return event.wait()
        do, passes = step
        do()
        if passes:
            self.sleep(seconds)
        return False


def _play(clock: ScriptedClock, watch: Watch) -> None:
    """Until the script is over, or the watch has ended for another reason."""
    while not clock.is_over.wait(0.05) and not watch.has_ended:
        pass


def _messages(sandbox: SandboxControl, count: int, sent: Messages) -> Table:
    """Looks of which it is known what has changed before."""

    def to_some(names: Sequence[str], event: str) -> None:
        for name in names:
            sandbox.event(ids[name], event)

    def install() -> None:
        # 2 % of an installation, or a little more.
        sandbox.advance(_INSTALLATION_S * 0.03)

    listed = [pod for offset in range(0, count, 100) for pod in _page(sandbox, offset)]
    ids = {pod["name"]: pod["id"] for pod in listed}

    def script() -> Iterator[tuple[Callable[[], object], bool]]:
        yield lambda: None, False
        yield lambda: None, True
        # Of the rows that are shown, once the first look has shown them.
        names = sorted(sent.rows, reverse=True)
        yield lambda: to_some(names[:1], "lose"), True
        yield lambda: to_some(names[1:11], "lose"), True
        yield install, True

    clock = ScriptedClock(script())
    with _watching(sandbox, sent, clock=clock, interval_s=LIVE_INTERVAL_S) as (looks, watch):
        _play(clock, watch)
        shown = len(sent.rows)
    kinds = {
        "nothing, in the same second": "rows that changed: widget messages, their size",
        "nothing but the time": "one for the times of all rows",
        "one pod": "rows that changed, and 3: totals, times, announcement",
        "ten pods": "the same",
        "every pod that installs": "the same; the others are added up in one row",
    }
    rows: Table = [("rows shown", str(shown), "")]
    for (kind, against), look in zip(kinds.items(), looks.seen[1:], strict=True):
        said = f"{look.rows_changed}: {look.messages}, {look.size / 1000:.1f} kB"
        rows.append((f"changed: {kind}", said, against))
    return rows


def _page(sandbox: SandboxControl, offset: int) -> list[dict[str, Any]]:
    answer = sandbox.api.get("/api/v1/pods/", params={"limit": 100, "offset": offset})
    pods: list[dict[str, Any]] = answer.raise_for_status().json()["data"]
    return pods


def _memory(sandbox: SandboxControl, count: int, sent: Messages) -> Table:
    """Look after look, each five seconds of the service's time after the one before; the installations take
    as long as all of them."""
    looks, settled = LOOKS[count], min(SETTLED_IN[count], LOOKS[count])
    measured = (settled, max(settled, looks // 2), looks)
    traced: dict[int, tuple[float, float]] = {}

    def script() -> Iterator[tuple[Callable[[], object], bool]]:
        for number in range(2, looks + 1):
            # A snapshot holds its changes; where memory is measured, there are none.
            passes_s = 0.0 if number in measured else _INSTALLATION_S / looks
            yield partial(sandbox.advance, passes_s), True

    def note(number: int) -> None:
        if number in measured:
            gc.collect()
            memory_mb = tracemalloc.get_traced_memory()[0] / 1e6
            traced[number] = memory_mb, psutil.Process().memory_info().rss / 1e6

    clock = ScriptedClock(script())
    begin = time.perf_counter()
    tracemalloc.start()
    try:
        with _watching(sandbox, sent, clock=clock, interval_s=LIVE_INTERVAL_S, also=note, keeps=False) as (
            _,
            watch,
        ):
            before = sent.count
            _play(clock, watch)
            messages, took_s = sent.count - before, time.perf_counter() - begin
    finally:
        tracemalloc.stop()
    (then_mb, rss_then_mb), (half_mb, _), (now_mb, rss_now_mb) = (traced[number] for number in measured)
    passed = f"{clock.monotonic() / 60:.0f} min"
    return [
        ("a simulated hour: looks", f"{looks} in {passed}", f"{LIVE_INTERVAL_S:.0f} s apart, traced"),
        ("took, widget messages", f"{took_s:.0f} s, {messages:,}", ""),
        (
            "memory traced: before, at the end",
            f"{then_mb:.2f}, {now_mb:.2f} MB",
            f"before: {', '.join(f'look {look}' for look in SETTLED_IN.values())}",
        ),
        (
            "memory traced: grows by, since half-time",
            f"{(now_mb - then_mb) * 1000:+.1f}, {(now_mb - half_mb) * 1000:+.1f} kB",
            "nothing, once every pod has changed",
        ),
        ("resident memory: before, at the end", f"{rss_then_mb:.1f}, {rss_now_mb:.1f} MB", "the same"),
    ]


@dataclass(frozen=True)
class Lateness:
    """How late ticks were, in milliseconds."""

    p50: float
    p99: float
    worst: float

    def __str__(self) -> str:
        return f"{self.p50:.2f}, {self.p99:.2f}, {self.worst:.1f} ms"


def _lateness(late_s: Sequence[float]) -> Lateness:
    cuts = statistics.quantiles(late_s, n=100)
    return Lateness(cuts[49] * 1000, cuts[98] * 1000, max(late_s) * 1000)


def _cpu_ms(looks: Sequence[Look]) -> str:
    whole, view = (
        statistics.median(seconds) * 1000
        for seconds in ([look.cpu_s for look in looks], [look.view_cpu_s for look in looks])
    )
    return f"{whole:.1f}, {view:.1f} ms"

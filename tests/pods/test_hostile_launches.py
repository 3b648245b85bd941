"""Launches at a hostile service: never two pods for one, nothing untrue, nothing above its agreed price."""

from __future__ import annotations

import threading
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from tests.support.hostile_service.judge import Report, Verdict, judge_launch
from tests.support.hostile_service.plan import Plan, draw_plan
from tests.support.hostile_service.runs import SETTLE_S, KernelRuns, Launch, Run, run_launch
from tests.support.hostile_service.service import HostileService, hostile_service
from tests.support.soak import SOAK, pick

RUNS = 3
AT_A_TIME = 24
KERNELS = pick(1, 2)
# As many launches are recorded in one home, and no more.
AT_ONE_HOME = 250
SEED = 20_000
_DETAILED = 5


def run_plans(plans: Sequence[Plan], folder: Path) -> list[Verdict]:
    """Run each plan's launch several times, and judge it."""
    runs: list[Run] = []
    with hostile_service(plans, settle_s=SETTLE_S) as service:
        launches = [
            Launch(world.number, world.name, RUNS, world.plan.kernel == "new", world.max_price)
            for world in service.worlds
        ]
        is_apart = [plan.kernel not in ("", "new") for plan in plans]
        apart = [launch for launch, is_so in zip(launches, is_apart, strict=True) if is_so]
        here = [launch for launch, is_so in zip(launches, is_apart, strict=True) if not is_so]
        with KernelRuns(service.url, apart, folder, KERNELS) as kernels:
            runs += run_here(service, here)
            runs += kernels.join()
    return [
        judge_launch(world, [run for run in runs if run.number == world.number]) for world in service.worlds
    ]


def run_here(service: HostileService, launches: list[Launch]) -> list[Run]:
    """Run launches in this process, many at a time."""
    waiting: SimpleQueue[Launch] = SimpleQueue()
    for launch in launches:
        waiting.put(launch)
    runs: list[Run] = []

    def work() -> None:
        while True:
            try:
                launch = waiting.get_nowait()
            except Empty:
                return
            runs.extend(run_launch(service.url, launch, service.worlds[launch.number].begin_run))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(AT_A_TIME, len(launches)))]
    # Any other warning is an error, in all of these threads.
    with warnings.catch_warnings(record=True) as warned:
        warnings.filterwarnings("always", "Cannot read the price of", UserWarning)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    unpriced = [fold_name(world.name) for world in service.worlds if world.plan.price in ("zero", "negative")]
    for text in (str(warning.message) for warning in warned):
        # The service may have respelled the name, cut it, or put a team before it.
        name = fold_name(text.split("'")[1])
        assert any(name in ordered or ordered in name for ordered in unpriced), text
    return runs


def fold_name(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip()).casefold()


@pytest.fixture
def say(request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]) -> Callable[[str], Any]:
    def say(text: str) -> None:
        with capfd.disabled():
            if SOAK:
                print(f"\n{request.node.name}: {text}")

    return say


def check(report: Report, say: Callable[[str], Any]) -> None:
    """Fail with the figures, a line for each fault, and everything about the first faulty launches."""
    summary = report.summarize()
    say(summary)
    assert not report.failures, "\n\n".join(
        [summary, report.list_failures(), *map(str, report.failures[:_DETAILED])]
    )


@pytest.mark.timeout(3600)
def test_launches_at_a_service_that_behaves(tmp_path: Path, say: Callable[[str], Any]) -> None:
    plans = [Plan(seed) for seed in range(6)] + [Plan(7, kernel="forked")]
    report = Report(run_plans(plans, tmp_path))
    check(report, say)
    assert report.outcomes == {
        "none": {"pod": 6 * RUNS, "faulty launches": 0},
        "before": {"pod": RUNS, "faulty launches": 0},
    }


@pytest.mark.timeout(3600)
def test_launches_are_neither_doubled_nor_untrue_nor_too_dear(
    tmp_path: Path, say: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = pick(14, 2000)
    # One in eight has a kernel of its own for each run.
    plans = [draw_plan(SEED + number, kernels=number % 8 == 7) for number in range(count)]
    say(f"seeds from {SEED}")
    verdicts: list[Verdict] = []
    for first in range(0, count, AT_ONE_HOME):
        home = tmp_path / str(first)
        home.mkdir()
        monkeypatch.setenv("HOME", str(home))
        verdicts += run_plans(plans[first : first + AT_ONE_HOME], home)
    check(Report(verdicts), say)

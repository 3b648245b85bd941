"""Launches through a service that fails three times in ten: one pod each, or none and that is said."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.current import connect, disconnect
from tests.support.launching import Tally, Verdict, end, failing_sandbox, kernels, launch_once, tally
from tests.support.soak import SOAK, pick


def check(found: Tally, say: Callable[[str], Any]) -> None:
    say(str(found))
    assert not found.twins
    assert not found.wrong
    assert len(found.unknown) <= len(found.verdicts) / 100, found.unknown


@pytest.fixture
def say(request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def say(text: str) -> None:
        with capfd.disabled():
            if SOAK:
                print(f"\n{request.node.name}: {text}")

    return say


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("at_a_time", "count"), [(1, pick(2, 400)), (16, pick(8, 1600))])
def test_every_launch_ends_with_the_one_pod_it_reports(
    tmp_path: Path, say: Callable[[str], None], at_a_time: int, count: int
) -> None:
    with failing_sandbox(tmp_path, seed=3 + at_a_time) as (url, database):
        connection = connect(settings=Settings(url, "sandbox"))
        # Every fourth name is launched twice, at the same time where that is possible.
        names = [f"pod-{number - (number % 4 == 1)}" for number in range(count)]

        def run(name: str) -> Verdict:
            return launch_once(name, connection)

        with ThreadPoolExecutor(at_a_time) as pool:
            verdicts = []
            for begin in range(0, count, 4 * at_a_time):
                some = list(pool.map(run, names[begin : begin + 4 * at_a_time]))
                for verdict in {verdict.pod_id: verdict for verdict in some}.values():
                    end(url, verdict)
                verdicts += some
        disconnect()
    # The sandbox has ended, and had finished what was under way: nothing can be committed any more.
    check(tally(verdicts, database), say)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", ["interrupted", "killed"])
def test_a_cell_that_is_cut_off_and_run_again_ends_with_one_pod(
    tmp_path: Path, say: Callable[[str], None], mode: str
) -> None:
    names = [f"pod-{number}" for number in range(pick(2, 2000))]
    with failing_sandbox(tmp_path, seed=11) as (url, database):
        verdicts, cuts = kernels(mode, url, names, tmp_path, seed=5, count=pick(2, 12))
    found = tally(verdicts, database)
    assert sorted(verdict.name for verdict in found.verdicts) == sorted(names)
    say(f"{mode} {cuts} times")
    assert cuts
    check(found, say)

"""What is on a guarded pod is saved before it ends, and a pod that is busy is not ended for idleness."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from primepods_magic.pods.guards.arming import read_endings
from primepods_magic.pods.guards.records import list_records, read_record
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.job import Job, JobFrames
from primepods_magic.remote.links import open_link
from tests.remote.guards.conftest import WITHIN_S, Guarded
from tests.support.waiting import eventually

INTERVAL_S = 0.6


@pytest.fixture
def machines(open_account: Callable[..., Guarded]) -> Guarded:
    return open_account(machines=True)


@pytest.fixture
def pod(machines: Guarded) -> Pod:
    """A ready pod, whose activity is sampled often."""
    started = machines.launch()
    machines.advance(600)
    pod = Pod(machines.connection, machines.connection.client.get_pod(started.id))
    open_link(pod.connection, pod.details).ask("activity", gpus=1, interval_s=INTERVAL_S)
    return pod


def run_cell(pod: Pod, code: str) -> Job:
    """Start a cell, and wait until it runs."""
    job = pod.run(f"print('begun', flush=True)\n{code}")
    eventually(lambda: "begun" in job.output, "the cell runs", within=WITHIN_S)
    return job


def test_results_are_saved_and_cells_interrupted_before_the_end(
    machines: Guarded, pod: Pod, tmp_path: Path
) -> None:
    run_cell(
        pod,
        "import time, pathlib\ntry: time.sleep(600)\nfinally: pathlib.Path('cell').write_text('left')",
    )
    pod.guard(run_for="1h", on_end="mkdir out && cp cell out/best.pt", get="out", to=tmp_path / "here")
    machines.advance(3601)
    machines.await_end(pod)
    assert (tmp_path / "here" / "out" / "best.pt").read_text() == "left"
    (ending,) = read_endings(machines.connection)
    assert (ending.outcome, ending.saved) == ("ended", ("out",))
    assert machines.count_deletions(pod) == 1


def test_a_running_cell_shows_the_warning_and_the_end(machines: Guarded, pod: Pod) -> None:
    job = run_cell(pod, "import time; time.sleep(600)")
    frames = JobFrames(open_link(pod.connection, pod.details), job.id)

    def read_note() -> str:
        frame = frames.get(WITHIN_S)
        while frame is not None and frame[0]["type"] != "note":
            frame = frames.get(WITHIN_S)
        return frame[0]["text"] if frame else ""

    pod.guard(run_for="1h")
    machines.advance(3300)
    assert re.match(r"'train' ends at .*: deadline .*\. '%pods hold' keeps it longer$", read_note())
    machines.advance(301)
    assert re.match(r"'train' ends now: deadline ", read_note())
    machines.await_end(pod)


def test_a_pod_is_kept_once_if_saving_fails(machines: Guarded, pod: Pod, tmp_path: Path) -> None:
    # A sum has no mercy either, but for what cannot be saved.
    pod.guard(run_for="2h", max_total_usd=0.6, get="nothing.pt", to=tmp_path, if_unsaved="2h")
    machines.advance(3601)

    def is_held() -> bool:
        record = read_record(machines.folder, pod.id)
        return record is not None and record.unsaved_until is not None and record.state == "armed"

    eventually(is_held, "it is kept", within=WITHIN_S)
    assert machines.is_live(pod)
    machines.advance(7201)
    machines.await_end(pod)
    (ending,) = read_endings(machines.connection)
    assert ending.saved == ()
    assert "files were not fetched" in ending.why


def test_an_idle_pod_ends_and_one_that_runs_a_cell_does_not(machines: Guarded, pod: Pod) -> None:
    job = run_cell(pod, "import time; time.sleep(600)")
    pod.guard(
        idle="1s", on_end="for i in 1 2 3; do head -c 3000000 /dev/urandom | sha256sum; done; touch ended"
    )
    seen_until = time.monotonic() + 4

    def is_checked() -> bool:
        (record,) = list_records(machines.folder)
        assert record.due_at is None
        return "cell" in record.why and time.monotonic() > seen_until

    eventually(is_checked, "it is busy", within=WITHIN_S)
    assert machines.is_live(pod)
    job.cancel()
    machines.await_end(pod)
    (ending,) = read_endings(machines.connection)
    assert ending.rule == "idle"
    assert machines.count_deletions(pod) == 1

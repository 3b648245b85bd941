"""Guards under random rules and troubles: no pod outlives its end in silence, none ends twice or wrongly."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from primepods_magic.pods.guards.arming import keep_guards, read_endings
from primepods_magic.pods.guards.records import list_records, take_news
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.links import open_link
from tests.remote.guards.conftest import WITHIN_S, Guarded
from tests.support.guard_processes import is_running, list_processes
from tests.support.soak import pick
from tests.support.waiting import eventually

TROUBLES = (
    "none", "killed", "asleep", "down", "429", "forbidden for a while", "slow", "lying", "two computers",
)  # fmt: skip
BUSY = {
    "cell": "import time; time.sleep(600)",
    "cpu": "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])",
    "gpu of eight": "import os, subprocess, sys\n"
    "only = {**os.environ, 'CUDA_VISIBLE_DEVICES': '5'}\n"
    "subprocess.run([sys.executable, '-c', 'while True: pass'], env=only)",
}
FAULTS = {
    "down": {"fault": "503_before"},
    "429": {"fault": "429"},
    "forbidden for a while": {"fault": "html", "method": "DELETE"},
    "slow": {"fault": "latency", "seconds": 0.5},
    "lying": {"fault": "truncated", "probability": 0.5},
}


def trouble_guard(guarded: Guarded, home: Path, trouble: str) -> Callable[[], object]:
    """Cause a trouble; return what ends it."""
    (process,) = list_processes(home)[:1]
    if trouble == "killed":
        os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: not is_running(process.pid), "it is dead")
        return lambda: keep_guards(guarded.connection)
    if trouble == "asleep":
        os.kill(process.pid, signal.SIGSTOP)
        return lambda: os.kill(process.pid, signal.SIGCONT)
    if trouble in FAULTS:
        guarded.fail(FAULTS[trouble])
        return guarded.fail
    return lambda: None


@pytest.mark.parametrize("seed", range(pick(4, 400)))
def test_a_pod_ends_once_and_in_time_whatever_happens(
    guarded: Guarded, home: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    trouble = TROUBLES[seed % len(TROUBLES)] if seed < len(TROUBLES) else dice.choice(TROUBLES)
    hours = dice.choice([0.5, 1, 6, 30])
    pod = guarded.launch(**({"run_for": f"{hours}h"} if dice.random() < 0.6 else {"max_total_usd": hours}))
    spared = guarded.launch("spared", run_for="400h")
    if trouble == "two computers":
        monkeypatch.setenv("XDG_STATE_HOME", str(home / "other"))
        Pod(guarded.connection, pod.details).guard(run_for=f"{hours}h")
        monkeypatch.delenv("XDG_STATE_HOME")
    if dice.random() < 0.3:
        pod.hold(f"{hours}h")
    make_up = trouble_guard(guarded, home, trouble)
    for _ in range(dice.randint(1, 6)):
        guarded.control.api.post("/sandbox/clock", json={"advance_s": hours * 3600 / 3 + 1})
    guarded.control.api.post("/sandbox/clock", json={"advance_s": 2 * 3600 * max(hours, hours / 0.6)})
    make_up()

    def is_gone() -> bool:
        return [record.pod_id for record in list_records(guarded.folder)] == [spared.id]

    eventually(is_gone, "the guard is done", within=2 * WITHIN_S)
    assert not guarded.is_live(pod)
    assert guarded.is_live(spared)
    (ending,) = [each for each in read_endings(guarded.connection) if each.pod_id == pod.id]
    assert ending.outcome in ("ended", "ended by something else" if trouble == "two computers" else "ended")
    assert guarded.count_deletions(pod) == 1
    assert guarded.count_deletions(spared) == 0
    if ending.outcome == "ended":
        assert [line for line in take_news(guarded.folder) if "'train' has ended" in line]
        assert ending.due_at is None or ending.at >= ending.due_at - timedelta(seconds=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100))
def test_a_busy_pod_is_never_ended_for_idleness_and_an_idle_one_is(
    open_account: Callable[..., Guarded], home: Path, seed: int
) -> None:
    dice = random.Random(seed)
    guarded = open_account(machines=True)
    busy = dice.choice([*BUSY, "login"])
    started = [guarded.launch("busy", gpu="H100_80GB", count=8), guarded.launch("quiet")]
    guarded.advance(600)
    pods = [Pod(guarded.connection, guarded.connection.client.get_pod(pod.id)) for pod in started]
    for pod in pods:
        open_link(pod.connection, pod.details).ask("activity", gpus=pod.details.gpu_count, interval_s=1.0)
    job = pods[0].run(BUSY.get(busy, BUSY["cell"]))
    eventually(lambda: pods[0].read_activity().why_busy, "it is busy", within=WITHIN_S)
    for pod in pods:
        pod.guard(idle="3s")
    trouble_guard(guarded, home, dice.choice(["none", "asleep", "slow"]))()

    def is_quiet_gone() -> bool:
        return [record.pod for record in list_records(guarded.folder)] == ["busy"]

    eventually(is_quiet_gone, "the quiet one has ended", within=2 * WITHIN_S)
    assert guarded.count_deletions(pods[0]) == 0
    job.cancel()
    guarded.await_end(pods[0])
    assert [guarded.count_deletions(pod) for pod in pods] == [1, 1]

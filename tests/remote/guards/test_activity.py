"""What keeps a pod busy: each sign alone, nothing at all, and what cannot be known."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from primepods_magic import connect, launch
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.command import run_command
from primepods_magic.remote.guards.activity import Activity, read_activity
from primepods_magic.remote.links import open_link
from primepods_magic.remote.ssh.routes import find_route
from tests.support.agents import find_marked
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

INTERVAL_S = 0.2
QUIET_S = 0.6
# A tenth of a CPU core, which the sandbox shows as the use of a GPU.
GPU = "CUDA_VISIBLE_DEVICES=3 exec {python} -c 'import time\nwhile True:\n e = time.process_time() + 0.011\n while time.process_time() < e: pass\n time.sleep(0.1)'"


@pytest.fixture
def pod(machines: SandboxControl) -> Pod:
    """A pod of the sandbox with eight GPUs, whose activity is sampled often."""
    return start_pod(machines)


def start_pod(machines: SandboxControl, name: str = "train") -> Pod:
    connection = connect(sandbox=True)
    started = launch(gpu="H100_80GB", count=8, name=name, tell=lambda _: None)
    machines.advance(600)
    return Pod(connection, connection.client.get_pod(started.id))


def watch(pod: Pod) -> None:
    open_link(pod.connection, pod.details).ask("activity", gpus=8, interval_s=INTERVAL_S)


def read(pod: Pod) -> Activity:
    return read_activity(pod.connection, pod.details)


def find_busy(pod: Pod) -> set[str]:
    return {signal.name for signal in read(pod).signals if signal.state != "idle"}


def await_quiet(pod: Pod) -> None:
    eventually(lambda: read(pod).idle_s > QUIET_S, f"is idle, not {read(pod)}")

def test_x(pod: Pod, machines):
    t=time.monotonic()
    print(read(pod))
    watch(pod)
    await_quiet(pod)
    print(time.monotonic()-t, read(pod))

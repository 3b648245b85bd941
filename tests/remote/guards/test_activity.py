"""What keeps a pod busy: each sign alone, nothing at all, and what cannot be known."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from primepods_magic import connect, launch
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.guards.activity import Activity, read_activity
from primepods_magic.remote.links import open_link
from primepods_magic.remote.ssh.routes import find_route
from tests.support.agents import find_marked
from tests.support.sandbox_control import SandboxControl
from tests.support.soak import pick

INTERVAL_S = 0.4
# Longer than one interval: at least two samples said so.
QUIET_S = 0.5

SPIN = "while True: pass"
# Less than a fifth of a core, which the sandbox shows as the use of a GPU.
COMPUTE = """
import time
while True:
    end = time.process_time() + 0.012
    while time.process_time() < end: pass
    time.sleep(0.09)
"""
COPY = """
import time
with open('/dev/zero', 'rb', 0) as source, open('/dev/null', 'wb', 0) as target:
    while True:
        target.write(source.read(100_000))
        time.sleep(0.05)
"""


@pytest.fixture
def pod(machines: SandboxControl) -> Pod:
    """A pod of the sandbox with eight GPUs, whose activity is sampled often."""
    connection = connect(sandbox=True)
    started = launch(gpu="H100_80GB", count=8, name="train", tell=lambda _: None)
    machines.advance(600)
    pod = Pod(connection, connection.client.get_pod(started.id))
    watch(pod)
    return pod


def read(pod: Pod) -> Activity:
    return read_activity(pod.connection, pod.details)


def watch(pod: Pod, interval_s: float = INTERVAL_S) -> None:
    """Switch the monitoring on."""
    open_link(pod.connection, pod.details).ask("activity", gpus=8, interval_s=interval_s)


def find_busy(activity: Activity) -> dict[str, str]:
    return {each.name: each.reason for each in activity.signals if each.state != "idle"}


def await_quiet(pod: Pod) -> Activity:
    deadline = time.monotonic() + 15
    while (activity := read(pod)).idle_s < QUIET_S:
        assert time.monotonic() < deadline, find_busy(activity)
        time.sleep(0.1)
    assert not activity.why_busy
    return activity


def await_busy(pod: Pod, name: str, reason: str) -> None:
    """Wait until this is the only sign of activity, and the others have been quiet for a moment."""
    deadline = time.monotonic() + 15
    while True:
        activity = read(pod)
        others = [each.quiet_s for each in activity.signals if each.name != name]
        if min(others) > QUIET_S and reason in activity.why_busy:
            break
        assert time.monotonic() < deadline, find_busy(activity)
        time.sleep(0.1)
    assert set(find_busy(activity)) == {name}
    assert activity.idle_s == 0


def find_agent(pod: Pod) -> int:
    """The process of the pod's agent."""
    mark = pod.exec("echo $SANDBOX_POD").stdout.strip()
    (agent,) = find_marked(f"SANDBOX_POD={mark}", "serve")
    return agent


@contextmanager
def started(pod: Pod, code: str, devices: str = "") -> Iterator[None]:
    """Run a program on the pod's machine that no login for."""
    words = shlex.join([sys.executable, "-S", "-c", code])
    command = f"CUDA_VISIBLE_DEVICES={devices} setsid {words} </dev/null >/dev/null 2>&1 & echo $!"
    process = int(pod.exec(command).stdout)
    try:
        yield
    finally:
        os.kill(process, signal.SIGKILL)


@contextmanager
def logged_in(pod: Pod) -> Iterator[None]:
    """Be a person who is logged in over a terminal, and does nothing."""
    *words, host = find_route(pod.connection, pod.details).words
    null = subprocess.DEVNULL
    process = subprocess.Popen([*words, "-tt", host], stdin=subprocess.PIPE, stdout=null, stderr=null)
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def test_each_sign_alone_makes_a_pod_busy(pod: Pod, machines: SandboxControl, folder: Path) -> None:
    assert "counted as busy" in read(pod).why_busy
    machines.api.put(f"/sandbox/pods/{pod.id}/machine", json={"memory_used_mb": 70_000}).raise_for_status()
    activity = await_quiet(pod)
    assert activity.left_out == ("network",)
    # In the sandbox, whatever runs uses the first one, such as an agent that starts.
    assert set(activity.unused_gpus) >= set(range(1, 8))

    pod.run(f"import os, time\nwhile not os.path.exists({str(folder / 'go')!r}): time.sleep(0.05)")
    await_busy(pod, "cells", "a cell runs or waits")
    (folder / "go").touch()
    await_quiet(pod)

    with started(pod, COMPUTE, devices="3"):
        await_busy(pod, "gpu", "GPU 3 at 1")
    activity = await_quiet(pod)
    assert set(activity.unused_gpus) - {0} == {1, 2, 4, 5, 6, 7}
    assert 0 < (activity.gpus[3].quiet_s or 0) < activity.watched_s

    with started(pod, SPIN):
        await_busy(pod, "cpu", "CPU cores in use")
    with started(pod, COPY):
        await_busy(pod, "io", "MB/s read and written")
    link = open_link(pod.connection, pod.details)
    link.ask("file_upload", transfer="t", root="~")
    await_busy(pod, "transfers", "files are transferred")
    link.ask("file_drop", transfer="t", root="~")
    with logged_in(pod):
        await_busy(pod, "logins", "a user is logged in over SSH")
    # Robots that try passwords connect all the time.
    assert pod.details.connections[0] is not None
    with socket.create_connection(("127.0.0.1", pod.details.connections[0].port)):
        await_quiet(pod)


def test_what_was_not_observed_is_not_idle(pod: Pod) -> None:
    watched_s = await_quiet(pod).watched_s
    agent = find_agent(pod)
    await_quiet(pod)
    os.kill(agent, signal.SIGSTOP)
    time.sleep(4 * INTERVAL_S + 0.5)
    os.kill(agent, signal.SIGCONT)
    activity = read(pod)
    assert activity.idle_s < INTERVAL_S
    assert activity.watched_s > watched_s
    await_quiet(pod)
    # Another agent has observed nothing.
    os.kill(agent, signal.SIGKILL)
    assert read(pod).idle_s == 0


ZEROS = "for i in 0 1 2 3 4 5 6; do echo $i, 0; done"
# What the sandbox does not know, as real drivers say it.
QUICK = {
    f"while :; do {ZEROS}; echo '7, [Not Supported]'; sleep 0.1; done": "GPU 7 reports '[Not Supported]'",
    f"while :; do {ZEROS}; sleep 0.1; done": "nvidia-smi reports 7 of 8 GPUs",
    f"{ZEROS}; echo 7, 0; sleep 0.3; echo 'GPU 0000:19:00.0 fell off the bus'; exit 9": "fell off the bus",
}
FULL = {
    f"while :; do {ZEROS}; echo '7, nan'; sleep 0.1; done": "GPU 7 reports 'nan' instead of its use",
    f"{ZEROS}; echo 7, 0; sleep 60": "nvidia-smi does not respond",
}
PROGRAMS = pick(QUICK, {**QUICK, **FULL})


def test_gpus_that_cannot_be_read_are_busy(pod: Pod, machines: SandboxControl) -> None:
    program = pod.exec("command -v nvidia-smi").stdout.strip()
    modes = {
        "hang": "nvidia-smi does not respond",
        "na": "GPU 0 reports '[N/A]' instead of its use",
        "lost": "GPU is lost",
        "missing": "nvidia-smi is missing",
    }
    for what, reason in {**modes, **PROGRAMS}.items():
        mode = what if what in modes else "ok"
        machines.api.put(f"/sandbox/pods/{pod.id}/machine", json={"nvidia_smi": mode}).raise_for_status()
        if what in PROGRAMS:
            Path(program).write_text(f"#!/bin/sh\n{what}\n")
        os.kill(find_agent(pod), signal.SIGKILL)
        watch(pod, 0.1)
        deadline = time.monotonic() + 10
        while reason not in (said := find_busy(read(pod)).get("gpu", "")):
            assert time.monotonic() < deadline, (reason, said)
            time.sleep(0.1)
        assert read(pod).idle_s == 0

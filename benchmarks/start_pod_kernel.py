"""A kernel that is on a pod, beside a local one: from its start to its first result, and a trivial cell.

The pod is a machine of the sandbox on loopback. The yardstick of a start is a local ipykernel plus one ssh
connection, each to its first result; that of a cell is the same cell in the local kernel. A kernel of sshpyk
stands beside both.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel
from jupyter_core.paths import jupyter_data_dir

from benchmarks.sshpyk_kernel import sshpyk_kernel
from primepods_magic.remote.ssh.routes import find_route
from tests.support.pod_kernels import PodInPicker, pod_in_picker, put_environment

START_ROUNDS = 7
CELL_ROUNDS = 60


def start_pod_kernel() -> str:
    """The report."""
    with (
        tempfile.TemporaryDirectory() as folder,
        pod_in_picker(Path(folder), options=("--costs", "never"), is_apart=True) as picked,
        pytest.MonkeyPatch.context() as patch,
    ):
        put_environment(patch, picked.environment)
        with sshpyk_kernel(Path(jupyter_data_dir())) as other:
            return "\n".join([_measure_starts(picked, other), _measure_cells(picked, other)])


def _measure_starts(picked: PodInPicker, other: str) -> str:
    there_s, here_s, login_s = [], [], []
    # Apart: what it ends in the background would slow down the next start.
    beside = statistics.median([_time_start(other) for _ in range(START_ROUNDS)])
    for number in range(START_ROUNDS + 1):
        times = (
            _time_start(picked.spec.name),
            _time_start("python3"),
            _time_s(lambda: _log_in(picked)),
        )
        if number:
            # The first one takes the agent there.
            for kept, time_s in zip((there_s, here_s, login_s), times, strict=True):
                kept.append(time_s)
    there, here, login = map(statistics.median, (there_s, here_s, login_s))
    return (
        f"start_pod_kernel: to the first result {there:.2f} s; a local kernel {here:.2f} s and one ssh "
        f"connection {login:.2f} s; {there:.2f} / ({here:.2f} + {login:.2f}) = {there / (here + login):.2f} "
        f"×; sshpyk {beside:.2f} s (medians of {START_ROUNDS})"
    )


def _time_start(name: str) -> float:
    """Return the seconds to the first result; the kernel is ended after that."""
    began_s = time.perf_counter()
    manager, client = start_new_kernel(kernel_name=name)
    try:
        _run_code(client, "1 + 1")
        return time.perf_counter() - began_s
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
        manager.cleanup_resources()


def _log_in(picked: PodInPicker) -> None:
    route = find_route(picked.connection, picked.pod)
    subprocess.run([*route.words, "true"], check=True, capture_output=True)


def _measure_cells(picked: PodInPicker, other: str) -> str:
    kernels = [start_new_kernel(kernel_name=name) for name in (picked.spec.name, "python3", other)]
    times_s: list[list[float]] = [[] for _ in kernels]
    try:
        for _ in range(CELL_ROUNDS):
            for kept, (_, client) in zip(times_s, kernels, strict=True):
                kept.append(_time_s(partial(_run_code, client, "1 + 1")))
    finally:
        for manager, client in kernels:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            manager.cleanup_resources()
    far, near, beside = map(statistics.median, times_s)
    return (
        f"start_pod_kernel: a trivial cell {far * 1000:.1f} ms; in a local kernel {near * 1000:.1f} ms; "
        f"{far / near:.2f} ×; with sshpyk {beside * 1000:.1f} ms (medians of {CELL_ROUNDS})"
    )


def _run_code(client: BlockingKernelClient, code: str) -> None:
    reply = client.execute_interactive(code, output_hook=lambda _: None, timeout=60, allow_stdin=False)
    assert reply["content"]["status"] == "ok"


def _time_s(call: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    call()
    return time.perf_counter() - began_s

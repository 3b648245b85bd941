"""A kernel that is on a pod, beside a local one: from its start to its first result, and a trivial cell.

The pod is a machine of the sandbox on loopback. The yardstick of a start is a local ipykernel plus one ssh
connection, each to its first result; that of a cell is the same cell in the local kernel.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

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
        return "\n".join([_measure_starts(picked), _measure_cells(picked)])


def _measure_starts(picked: PodInPicker) -> str:
    there_s, here_s, login_s = [], [], []
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
        f"× (medians of {START_ROUNDS})"
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


def _measure_cells(picked: PodInPicker) -> str:
    (manager, there), (other, here) = (
        start_new_kernel(kernel_name=picked.spec.name),
        start_new_kernel(kernel_name="python3"),
    )
    try:
        there_s, here_s = [], []
        for _ in range(CELL_ROUNDS):
            there_s.append(_time_s(lambda: _run_code(there, "1 + 1")))
            here_s.append(_time_s(lambda: _run_code(here, "1 + 1")))
    finally:
        for client, each in ((there, manager), (here, other)):
            client.stop_channels()
            each.shutdown_kernel(now=True)
            each.cleanup_resources()
    far, near = statistics.median(there_s), statistics.median(here_s)
    return (
        f"start_pod_kernel: a trivial cell {far * 1000:.1f} ms; in a local kernel {near * 1000:.1f} ms; "
        f"{far / near:.2f} × (medians of {CELL_ROUNDS})"
    )


def _run_code(client: BlockingKernelClient, code: str) -> None:
    reply = client.execute_interactive(code, output_hook=lambda _: None, timeout=60, allow_stdin=False)
    assert reply["content"]["status"] == "ok"


def _time_s(call: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    call()
    return time.perf_counter() - began_s

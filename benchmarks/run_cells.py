"""Cells on a pod behind a real sshd: the first one, and a trivial one, beside other ways to run code there.

The others: a local kernel, the same kernel over five forwarded ports, and a new `ssh host python3 -c` each
time. Once with loopback as it is, and once with 100 ms for each round trip.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from getpass import getuser
from pathlib import Path
from unittest.mock import patch

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from primepods_magic import connect
from primepods_magic.api.models import PodDetails
from primepods_magic.remote.job import start_job
from tests.support.agents import pod_with_agent
from tests.support.openssh import OpenSshServer
from tests.support.ssh_client import Login
from tests.support.waiting import eventually

ROUNDS = 30
FIRST_ROUNDS = 5
DELAY_S = 0.05
"""Each way."""


def run_cells() -> str:
    """The report."""
    lines = [_measure_first_cell()]
    for delay_s in (0.0, DELAY_S):
        with ExitStack() as stack:
            contestants = stack.enter_context(_open_contestants(delay_s))
            medians = {name: _median_s(call, ROUNDS) for name, call in contestants.items()}
            yardstick = medians["local kernel"]
            lines.append(f"run_cells: a trivial cell, round trip {2000 * delay_s:.0f} ms, {ROUNDS} rounds")
            lines += [
                f"  {name:<44}{median_s * 1000:8.1f} ms  {median_s / yardstick:6.2f} ×"
                for name, median_s in medians.items()
            ]
    return "\n".join(lines)


def _median_s(call: Callable[[], object], rounds: int) -> float:
    call()
    times = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        call()
        times.append(time.perf_counter() - began_s)
    return statistics.median(times)


def _measure_first_cell() -> str:
    """From `run` to the result on a pod that has ipykernel, beside the start of a local kernel."""
    cells, kernels, logins = [], [], []
    for _ in range(FIRST_ROUNDS):
        with ExitStack() as stack:
            server = stack.enter_context(_open_pod())
            run = stack.enter_context(_open_account(server, server.port))
            cells.append(_time_s(lambda run=run: run("1")))
            logins.append(_time_s(lambda server=server: _log_in(server, server.port).read("true")))
        kernels.append(_time_s(_start_and_end_kernel))
    cell_s, kernel_s, login_s = map(statistics.median, (cells, kernels, logins))
    return (
        f"run_cells: the first cell of a pod {cell_s:.2f} s; a local kernel with its first {kernel_s:.2f} s; "
        f"one ssh connection {login_s:.2f} s; ({cell_s:.2f} - {login_s:.2f}) / {kernel_s:.2f} = "
        f"{(cell_s - login_s) / kernel_s:.2f}"
    )


def _time_s(call: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    call()
    return time.perf_counter() - began_s


def _start_and_end_kernel() -> None:
    manager, client = start_new_kernel(extra_arguments=["--log-level=ERROR"])
    _execute(client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def _execute(client: BlockingKernelClient) -> None:
    client.execute_interactive("1", allow_stdin=False, output_hook=lambda _: None, timeout=30)


@contextmanager
def _open_pod() -> Iterator[OpenSshServer]:
    with tempfile.TemporaryDirectory(prefix="run-cells-") as name, pod_with_agent(Path(name)) as server:
        yield server


@contextmanager
def _open_account(server: OpenSshServer, port: int) -> Iterator[Callable[[str], object]]:
    """A function that runs a cell, as `Pod.run` does, and waits for its result."""
    with (
        tempfile.TemporaryDirectory() as home,
        patch.dict(os.environ, HOME=home, PRIME_SSH_KEY_PATH=str(server.key)),
    ):
        connection = connect(sandbox=True)
        # The pod is not one of the sandbox's.
        connection.is_sandbox = False
        pod = PodDetails.model_validate(
            {
                "id": "p1",
                "name": "train",
                "status": "ACTIVE",
                "createdAt": "2020-01-01T00:00:00Z",
                "sshConnection": f"{getuser()}@127.0.0.1 -p {port}",
            }
        )
        try:
            yield lambda code: start_job(connection, pod, code)[0].result(60)
        finally:
            connection.close()


def _log_in(server: OpenSshServer, port: int) -> Login:
    known_hosts = server.key.with_name("known_hosts")
    return Login.make(
        f"{getuser()}@127.0.0.1", server.key, known_hosts, Port=port, StrictHostKeyChecking="no"
    )


@contextmanager
def _open_contestants(delay_s: float) -> Iterator[dict[str, Callable[[], object]]]:
    with ExitStack() as stack:
        server = stack.enter_context(_open_pod())
        port = stack.enter_context(_delaying_proxy(server.port, delay_s)) if delay_s else server.port
        run = stack.enter_context(_open_account(server, port))
        login = _log_in(server, port)
        manager, local = start_new_kernel(extra_arguments=["--log-level=ERROR"])
        stack.callback(manager.shutdown_kernel, now=True)
        stack.callback(local.stop_channels)
        tunnelled = stack.enter_context(_open_tunnelled(manager.connection_file, login))
        yield {
            "local kernel": lambda: _execute(local),
            "%%pod, by Python": lambda: run("1"),
            "jupyter_client over five forwarded ports": lambda: _execute(tunnelled),
            "ssh host python3 -c": lambda: login.read(f"{sys.executable} -c 1"),
        }


@contextmanager
def _open_tunnelled(connection_file: str, login: Login) -> Iterator[BlockingKernelClient]:
    """A client of the same kernel whose five ports are forwarded by ssh."""
    client = BlockingKernelClient()
    client.load_connection_file(connection_file)
    options: list[str] = []
    for name in ("shell", "iopub", "stdin", "control", "hb"):
        there = getattr(client, f"{name}_port")
        with _free_port() as here:
            options += ["-L", f"127.0.0.1:{here}:127.0.0.1:{there}"]
        setattr(client, f"{name}_port", here)
    with subprocess.Popen(login.words(None, "-N", *options), stdin=subprocess.DEVNULL) as ssh:
        try:
            eventually(lambda: _is_open(client.hb_port), "ssh forwards the ports", within=30)
            client.start_channels()
            client.wait_for_ready(timeout=30)
            yield client
        finally:
            client.stop_channels()
            ssh.kill()


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _free_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    yield port


@contextmanager
def _delaying_proxy(port: int, delay_s: float) -> Iterator[int]:
    """A port that passes everything on to another one, so much later each way."""
    loop = asyncio.new_event_loop()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            loop.call_later(delay_s, writer.write, data)
        loop.call_later(delay_s, writer.close)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pass_on(reader, there_writer), pass_on(there_reader, writer))

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

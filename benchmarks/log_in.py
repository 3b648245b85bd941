"""Logging in to a machine of the sandbox and to a real sshd: connecting, executing, and one machine more."""

from __future__ import annotations

import getpass
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchmarks.harness import Contestant, report, run, timed
from primepods_magic.sandbox.machines.host import MachineHost
from tests.support.openssh import openssh_server
from tests.support.ssh_client import Login, make_key

ROUNDS = 15
MORE = 50
"""How many machines are started beside the first."""


def log_in() -> str:
    """The report."""
    lines = [report(f"log_in: {title}", run(benchmark, ROUNDS)) for title, benchmark in BENCHMARKS.items()]
    return "\n".join([*lines, _measure_more()])


@contextmanager
def connect() -> Iterator[dict[str, Contestant]]:
    """A connection with a command that does nothing."""
    with _open_logins() as logins:
        yield {name: timed(partial(login.read, "true")) for name, login in logins.items()}


@contextmanager
def execute() -> Iterator[dict[str, Contestant]]:
    """The same command over a connection that is open."""
    with _open_logins(ControlMaster="auto", ControlPersist=60) as logins, ExitStack() as stack:
        for login in logins.values():
            stack.callback(login.run, None, "-O", "exit")
        yield {name: timed(partial(login.read, "true")) for name, login in logins.items()}


BENCHMARKS = {"connect": connect, "execute": execute}


def _make_order(folder: Path, number: int = 0) -> dict[str, Any]:
    keys = [(folder / "id.pub").read_text()]
    return {"id": f"pod-{number}", "user": "root", "port": 0, "secret": "s", "env": {}, "keys": keys}


@contextmanager
def _open_logins(**settings: object) -> Iterator[dict[str, Login]]:
    """A real sshd, the yardstick, and a machine; both with a shell that has nothing to read."""
    with tempfile.TemporaryDirectory(prefix="log-in-", dir="/tmp") as name, ExitStack() as stack:
        folder = Path(name)
        key = make_key(folder)
        sshd = openssh_server(folder / "server", f"SetEnv HOME={folder}", key=key)
        ports = {"sshd": stack.enter_context(sshd).port}
        host = MachineHost()
        stack.callback(host.stop)
        ports["machine"] = host.run([_make_order(folder)])["pod-0"]
        users = {"sshd": getpass.getuser(), "machine": "root"}
        yield {
            name: Login.make(
                f"{users[name]}@127.0.0.1",
                key,
                folder / f"known_{name}",
                Port=port,
                # The same key exchange, else the newer one is compared.
                KexAlgorithms="curve25519-sha256",
                ControlPath=f"{folder}/{name}",
                **settings,
            )
            for name, port in ports.items()
        }


def _measure_more() -> str:
    """Time and memory of the process, of the first machine, and of each further one."""
    with tempfile.TemporaryDirectory(prefix="log-in-") as name:
        folder = Path(name)
        make_key(folder)
        host = MachineHost()
        try:
            begin_s = time.perf_counter()
            host.run([_make_order(folder)])
            first_s = time.perf_counter() - begin_s
            assert host._running is not None
            process = psutil.Process(host._running.process.pid)
            before = process.memory_info().rss
            begin_s = time.perf_counter()
            for number in range(1, MORE + 1):
                host.run([_make_order(folder, number)])
            more_s = (time.perf_counter() - begin_s) / MORE
            more_bytes = (process.memory_info().rss - before) / MORE
            begin_s = time.perf_counter()
        finally:
            host.stop()
        stop_s = time.perf_counter() - begin_s
    return (
        f"log_in: the first machine with its process {first_s:.2f} s and {before / 2**20:.0f} MB; "
        f"each of {MORE} more {more_s * 1000:.1f} ms and {more_bytes / 2**10:.0f} KB; "
        f"the end of all {stop_s * 1000:.0f} ms"
    )

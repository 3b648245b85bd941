"""Launches, run again as a user would, in this process or each in a kernel of its own.

As a script it runs the cells of launches one after the other, each run in a forked kernel that the service
may kill, and writes a line for each run.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.hostile_service.world import GPU

__all__ = ["HUNG_S", "POLL_S", "SETTLE_S", "WAIT_S", "KernelRuns", "Launch", "Run", "run_launch"]

SETTLE_S = 1.5
POLL_S = 0.2
WAIT_S = 5.0
HUNG_S = 90.0
_KERNELS_AT_A_TIME = 8

POD, NONE, UNKNOWN, DEAR, TAKEN = "pod", "none", "unknown", "dear", "taken"
RAW, KILLED, HUNG = "raw", "killed", "hung"


@dataclass(frozen=True)
class Launch:
    """One launch to be run several times."""

    number: int
    name: str
    runs: int
    has_new_connections: bool = False
    max_price: float | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The spec; a ``max_price`` in it is consent."""
        limit = {} if self.max_price is None else {"max_price": self.max_price}
        return {"name": self.name, "gpu": GPU, **limit}


@dataclass(frozen=True)
class Run:
    """What one run of a launch reported, and the wait for its pod after it."""

    number: int
    run: int
    kind: str
    took_s: float
    pod_id: str | None = None
    error: str = ""
    said: str = ""
    wait: str = ""
    wait_said: str = ""
    ssh: str | None = None

    def __str__(self) -> str:
        told = f"pod {self.pod_id}" if self.kind == POD else f"{self.error}: {self.said}"
        waited = f"; wait: {self.wait} {self.wait_said} {self.ssh or ''}" if self.wait else ""
        return f"run {self.run} ({self.took_s:.2f} s): {self.kind}, {told}{waited}"


def run_launch(url: str, launch: Launch, begin: Callable[[int], object]) -> Iterator[Run]:
    """Run a launch in this process, and wait for its pod, as many times as it says.

    Parameters
    ----------
    url : str
        The service.
    launch : Launch
        What to launch; ``has_new_connections`` opens one for each run, as a new kernel does.
    begin : callable
        Tells the service which run begins.
    """
    from primepods_magic import launch as rent

    with contextlib.ExitStack() as stack:
        connection = None
        for run in range(1, launch.runs + 1):
            begin(run)
            if connection is None or launch.has_new_connections:
                connection = _open_connection(url, launch.number)
                stack.callback(connection.close)
            arguments = {**launch.fields, "yes": launch.max_price is None, "settle_s": SETTLE_S}
            yield _report(
                launch.number,
                run,
                lambda here=connection, fields=arguments: rent(
                    connection=here, tell=lambda _: None, **fields
                ),
            )


def _open_connection(url: str, number: int) -> Any:
    from primepods_magic.api.client import Client
    from primepods_magic.api.settings import Settings
    from primepods_magic.pods.connection.connection import Connection
    from primepods_magic.pods.support.clock import ServiceClock

    client = Client(Settings(url, f"key-{number}"), read_timeout_s=HUNG_S / 3)
    return Connection(client, ServiceClock(client.session), is_sandbox=False, poll_interval_s=POLL_S)


def _report(number: int, run: int, rent: Callable[[], Any]) -> Run:
    from primepods_magic import PodsError

    began = time.monotonic()
    try:
        pod = rent()
    except Exception as error:  # noqa: BLE001 - an error that is not ours is what the test looks for
        kind = _kind_of(error)
        return Run(number, run, kind, time.monotonic() - began, error=type(error).__name__, said=str(error))
    took_s = time.monotonic() - began
    wait, said, ssh = "ready", "", None
    try:
        ssh = pod.wait(timeout_s=WAIT_S).ssh
    except PodsError as error:
        wait, said = type(error).__name__, str(error)
    except Exception as error:  # noqa: BLE001 - as above
        wait, said = RAW, f"{type(error).__name__}: {error}"
    return Run(number, run, POD, took_s, pod.id, wait=wait, wait_said=said, ssh=ssh)


def _kind_of(error: BaseException) -> str:
    from primepods_magic.api import errors

    kinds = {
        errors.OutcomeUnknown: UNKNOWN,
        errors.BudgetExceeded: DEAR,
        errors.NameInUse: TAKEN,
        errors.PodFailed: TAKEN,
        errors.PodsError: NONE,
    }
    return next((kind for kind_of_error, kind in kinds.items() if isinstance(error, kind_of_error)), RAW)


class KernelRuns:
    """Run launches in kernels of their own, in several processes at a time; `join` returns their runs.

    Parameters
    ----------
    url : str
        The service.
    launches : list of Launch
        What to launch.
    folder : Path
        For what the processes read and write.
    count : int
        How many processes.
    """

    def __init__(self, url: str, launches: list[Launch], folder: Path, count: int) -> None:
        self._running = []
        for number in range(min(count, len(launches))):
            share, log = folder / f"launches-{number}.json", folder / f"runs-{number}.jsonl"
            share.write_text(json.dumps([asdict(launch) for launch in launches[number::count]]))
            command = [sys.executable, "-m", "tests.support.hostile_service.runs", url, str(share), str(log)]
            pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            self._running.append((subprocess.Popen(command, text=True, **pipes), log))

    def __enter__(self) -> KernelRuns:
        return self

    def __exit__(self, *_: object) -> None:
        for process, _ in self._running:
            process.kill()
            process.communicate()

    def join(self) -> list[Run]:
        """Wait until all runs are over."""
        runs = []
        for process, log in self._running:
            _, trouble = process.communicate()
            assert process.returncode == 0, trouble
            runs += [Run(**json.loads(line)) for line in log.read_text(encoding="utf-8").splitlines()]
        return runs


def _main(url: str, share: str, log: str) -> None:
    # Loaded before the first fork, as in a kernel that has been used.
    import pandas  # noqa: F401

    import primepods_magic.frames.rendering
    import primepods_magic.notebook.commands.create
    import primepods_magic.pods.launching.launch  # noqa: F401

    _Kernels(url, [Launch(**one) for one in json.loads(Path(share).read_text())], Path(log)).run()


class _Kernels:
    """Kernels of several launches at a time, one for each run."""

    def __init__(self, url: str, launches: list[Launch], log: Path) -> None:
        self._url = url
        self._log = log
        self._waiting = [(launch, 1) for launch in reversed(launches)]
        self._running: dict[int, tuple[Launch, int, float]] = {}

    def run(self) -> None:
        """Run all launches as many times as they say."""
        while self._waiting or self._running:
            while self._waiting and len(self._running) < _KERNELS_AT_A_TIME:
                self._start(*self._waiting.pop())
            for kernel in list(self._running):
                self._look_after(kernel)
            time.sleep(0.005)

    def _start(self, launch: Launch, run: int) -> None:
        kernel = os.fork()
        if kernel == 0:
            _run_in_kernel(self._url, launch, run, self._log)
            os._exit(0)
        self._running[kernel] = launch, run, time.monotonic()

    def _look_after(self, kernel: int) -> None:
        launch, run, began = self._running[kernel]
        took_s = time.monotonic() - began
        ended, status = os.waitpid(kernel, os.WNOHANG)
        if not ended and took_s < HUNG_S + WAIT_S:
            return
        if not ended:
            os.kill(kernel, signal.SIGKILL)
            os.waitpid(kernel, 0)
            _write(self._log, Run(launch.number, run, HUNG, took_s, said="killed by the test"))
        elif os.WIFSIGNALED(status):
            _write(self._log, Run(launch.number, run, KILLED, took_s))
        elif os.WEXITSTATUS(status):
            raise RuntimeError(f"a kernel of launch {launch.number} ended with {os.WEXITSTATUS(status)}")
        del self._running[kernel]
        if run < launch.runs:
            self._waiting.append((launch, run + 1))


def _write(log: Path, run: Run) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(run)) + "\n")


def _run_in_kernel(url: str, launch: Launch, run: int, log: Path) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    key = f"key-{launch.number}"
    query = {"run": run, "pid": os.getpid()}
    headers = {"Authorization": f"Bearer {key}"}
    httpx.get(f"{url}/hostile/run", params=query, headers=headers, trust_env=False).raise_for_status()
    os.environ |= {"PRIME_API_KEY": key, "PRIME_BASE_URL": url}
    settings = {"settle_s": SETTLE_S, "poll_interval_s": POLL_S, "greet": False}
    config = Config({"HistoryManager": {"enabled": False}, "PodsMagics": settings})
    shell = InteractiveShell(config=config)

    def cell(code: str) -> Any:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            done = shell.run_cell(code)
        if (error := done.error_before_exec or done.error_in_exec) is not None:
            raise error
        return done.result

    cell("%load_ext primepods_magic")
    # A JSON text is a YAML text; the name stands as it is, whatever is in it.
    body = "\n".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in launch.fields.items()
    )
    flag = "-y" if launch.max_price is None else ""
    _write(log, _report(launch.number, run, lambda: cell(f"%%pod_create {flag}\n{body}")))


if __name__ == "__main__":
    _main(*sys.argv[1:])

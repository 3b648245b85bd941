"""Many launches through a service that fails, and what the sandbox's own database says came of them.

As a script it is one kernel: it runs `%%pod_create` cells one after the other, and writes a line per verdict.
Interrupted, it is sent Ctrl-C at random moments and runs the cell again; killed, a new kernel goes on with
the cell that was cut off.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

SETTLE_S = 5.0
POD, NONE, UNKNOWN = "pod", "none", "unknown"


@dataclass(frozen=True)
class Verdict:
    """What a launch reported."""

    name: str
    kind: str
    took_s: float
    pod_id: str | None = None
    said: str | None = None


@dataclass(frozen=True)
class Tally:
    """Verdicts against the pods that the sandbox's database has."""

    verdicts: list[Verdict]
    ids: dict[str, list[str]]

    @property
    def twins(self) -> list[str]:
        return sorted(name for name, ids in self.ids.items() if len(ids) > 1)

    @property
    def wrong(self) -> list[str]:
        """Launches whose report is not what is in the database."""
        found = []
        told = {verdict.pod_id for verdict in self.verdicts if verdict.kind == POD}
        for verdict in self.verdicts:
            ids = self.ids.get(verdict.name, [])
            if verdict.kind == POD and ids != [verdict.pod_id]:
                found.append(f"{verdict.name}: told of {verdict.pod_id}, there is {ids}")
            # Another launch of the name may have come after one that failed.
            if verdict.kind == NONE and not told.issuperset(ids):
                found.append(f"{verdict.name}: told of none ({verdict.said}), there is {ids}")
        return found

    @property
    def unknown(self) -> list[str]:
        return [f"{verdict.name}: {verdict.said}" for verdict in self.verdicts if verdict.kind == UNKNOWN]

    def __str__(self) -> str:
        kinds = Counter(verdict.kind for verdict in self.verdicts)
        times = sorted(verdict.took_s for verdict in self.verdicts)
        told = ", ".join(f"{kinds[kind]} {kind}" for kind in (POD, NONE, UNKNOWN))
        rows = sum(len(ids) for ids in self.ids.values())
        return (
            f"{len(self.verdicts)} launches: {told}; in the database {rows} pods, {len(self.twins)} names "
            f"with two, {len(self.wrong)} reports that are wrong; time to a verdict: median "
            f"{times[len(times) // 2]:.2f} s, 99th percentile {times[int(len(times) * 0.99)]:.2f} s"
        )


def tally(verdicts: Iterable[Verdict], database: Path) -> Tally:
    """Compare reports with the database of a sandbox that has ended."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT json_extract(record, '$.name'), id FROM pods").fetchall()
    ids: dict[str, list[str]] = {}
    for name, pod_id in rows:
        ids.setdefault(name, []).append(pod_id)
    return Tally(list(verdicts), ids)


@contextlib.contextmanager
def failing_sandbox(folder: Path, *, seed: int, faults: str = "launch") -> Iterator[tuple[str, Path]]:
    """A sandbox in a process of its own, and its database."""
    database = folder / "sandbox.db"
    command = [sys.executable, "-m", "primepods_magic.sandbox", "--db", str(database), "--history", "20"]
    command += ["--faults", faults, "--seed", str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1], database
        finally:
            process.terminate()


def launch_once(name: str, connection: Any) -> Verdict:
    """Launch a name, report, and end the pod, so that lists stay short."""
    from primepods_magic import PodsError, launch
    from primepods_magic.api.errors import OutcomeUnknown

    began = time.monotonic()
    try:
        pod = launch(gpu="L4_24GB", name=name, connection=connection, settle_s=SETTLE_S, tell=lambda _: None)
    except PodsError as error:
        kind = UNKNOWN if isinstance(error, OutcomeUnknown) else NONE
        return Verdict(name, kind, time.monotonic() - began, said=f"{type(error).__name__}: {error}")
    return Verdict(name, POD, time.monotonic() - began, pod.id)


def end(url: str, verdict: Verdict) -> None:
    """End the pod of a verdict, past all faults."""
    headers = {"Authorization": "Bearer sandbox", "X-Sandbox-Fault": "none"}
    if verdict.pod_id:
        path = f"/api/v1/pods/{verdict.pod_id}"
        httpx.delete(url + path, headers=headers, trust_env=False).raise_for_status()


def kernels(
    mode: str, url: str, names: list[str], folder: Path, *, seed: int, count: int
) -> tuple[list[Verdict], int]:
    """Run the cells of all names in so many kernels at a time; what they reported, and how often they were
    cut off."""
    running = []
    for number in range(count):
        share, log = folder / f"names-{number}.json", folder / f"verdicts-{number}.jsonl"
        share.write_text(json.dumps(names[number::count]))
        arguments = [mode, url, str(share), str(log), str(seed * 1000 + number)]
        command = [sys.executable, "-m", "tests.support.launching", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        running.append((subprocess.Popen(command, text=True, **pipes), log))
    verdicts, cuts = [], 0
    for process, log in running:
        said, trouble = process.communicate()
        assert process.returncode == 0, trouble
        cuts += int(said)
        verdicts += [Verdict(**json.loads(line)) for line in log.read_text().splitlines()]
    return verdicts, cuts


def _main(mode: str, url: str, share: str, log: str, seed: str) -> None:
    names, chance = json.loads(Path(share).read_text()), random.Random(seed)
    os.environ["PRIMEPODS_SANDBOX_URL"] = url
    import pandas  # noqa: F401 - as loaded in a kernel that has been used; every fork has it

    import primepods_magic.notebook.commands.create
    import primepods_magic.pods.launching.launch  # noqa: F401

    if mode == "interrupted":
        print(_Kernel(url, Path(log), chance).run(names))
        return
    began = time.monotonic()
    kills = 0
    while (done := _lines(Path(log))) < len(names):
        kernel = os.fork()
        if kernel == 0:
            _Kernel(url, Path(log), None, began_before=began).run(names[done:])
            os._exit(0)
        deadline = time.monotonic() + chance.expovariate(1 / 1.5)
        while os.waitpid(kernel, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                kills += 1
                os.kill(kernel, signal.SIGKILL)
                os.waitpid(kernel, 0)
                break
            time.sleep(0.005)
        if _lines(Path(log)) > done:
            began = time.monotonic()
    print(kills)


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


class _Kernel:
    """A shell with the extension loaded, in this process."""

    def __init__(
        self, url: str, log: Path, interrupts: random.Random | None, began_before: float | None = None
    ) -> None:
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        config = Config({"HistoryManager": {"enabled": False}, "PodsMagics": {"settle_s": SETTLE_S}})
        self._shell = InteractiveShell.instance(config=config)
        self._url = url
        self._log = log
        self._interrupts = interrupts
        self._began = began_before
        self._interruptions = 0
        self._cell("%load_ext primepods_magic\n%pods connect --sandbox")

    def run(self, names: list[str]) -> int:
        """Run the cell of every name until it has a verdict; how often that was interrupted."""
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        for name in names:
            verdict = self._verdict(name, self._began or time.monotonic())
            self._began = None
            with self._log.open("a") as file:
                file.write(json.dumps(asdict(verdict)) + "\n")
            end(self._url, verdict)
        return self._interruptions

    def _verdict(self, name: str, began: float) -> Verdict:
        from primepods_magic.api.errors import OutcomeUnknown

        for interruptions_left in (4, 3, 2, 1, 0):
            if self._interrupts and interruptions_left:
                signal.setitimer(signal.ITIMER_REAL, self._interrupts.uniform(0.001, 2.0))
            try:
                answer, error = self._cell(f"%%pod_create\nname: {name}\ngpu: L4_24GB")
            except KeyboardInterrupt:
                # Outside of the cell, where IPython does not expect it either.
                self._interruptions += 1
                continue
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            if error is None:
                return Verdict(name, POD, time.monotonic() - began, answer.id)
            if not (isinstance(error, KeyboardInterrupt) or str(error).startswith("Interrupted")):
                break
            self._interruptions += 1
        kind = UNKNOWN if isinstance(error, OutcomeUnknown) else NONE
        return Verdict(name, kind, time.monotonic() - began, said=f"{type(error).__name__}: {error}")

    def _cell(self, code: str) -> tuple[Any, BaseException | None]:
        with contextlib.redirect_stdout(io.StringIO()):
            result = self._shell.run_cell(code)
        return result.result, result.error_before_exec or result.error_in_exec


if __name__ == "__main__":
    _main(*sys.argv[1:])

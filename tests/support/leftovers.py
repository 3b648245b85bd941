"""What a run of the suite leaves behind: threads, sockets, temporary files, processes. Nothing is to be left.

A test that leaves a thread or a socket fails, and so does the run where anything is there after its last
fixture. `conftest.py` turns it on with `config.pluginmanager.register(Leftovers())`.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
from jupyter_core.utils import ensure_event_loop

from tests.support import leaks

PATIENCE_S = 5.0
_TOLD = "left behind"
_PYTESTS_FOLDERS = "PYTEST_DEBUG_TEMPROOT"


class Leftovers:
    """A pytest plugin that gives the run a folder of its own for temporary files, and looks what is left.

    Parameters
    ----------
    within_s : float
        How long what is ending may take to end.
    """

    def __init__(self, *, within_s: float = PATIENCE_S) -> None:
        self._within_s = within_s
        self._told: list[str] = []
        self._before = {name: os.environ.get(name) for name in ("TMPDIR", _PYTESTS_FOLDERS)}
        # pytest's own folders stay where they were, and are kept for whoever looks into a failure.
        os.environ.setdefault(_PYTESTS_FOLDERS, tempfile.gettempdir())
        self._folder = Path(tempfile.mkdtemp(prefix="primepods-suite-"))
        # For every user, as folders for temporary files are: a test may run something as another one.
        self._folder.chmod(0o1777)
        os.environ["TMPDIR"] = str(self._folder)
        tempfile.tempdir = None
        # nbclient keeps one event loop for all notebooks of a process, and never closes it.
        self._loop = ensure_event_loop()
        self._threads, self._sockets, self._children = leaks._threads(), leaks._sockets(), children()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Remember what there is before the first fixture of a test."""
        item.stash[_BEFORE] = leaks._threads(), leaks._sockets()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Compare after the last fixture of a test; what several tests share may stay until the last."""
        answer = yield
        threads, sockets = item.stash[_BEFORE]

        def left() -> list[str]:
            return _named(leaks._threads() - threads, leaks._sockets() - sockets)

        if nextitem is None or not _shares_fixtures(item):
            still = self._still(left)
            if still:
                pytest.fail(f"left behind by this test: {', '.join(still)}", pytrace=False)
        return answer

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Compare after the last fixture of the run, and fail the run where something is left."""
        self._told += self._still(self._left)
        if self._told:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_TOLD] = self._told

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Hear what a worker has left, where the tests are shared among several."""
        self._told += getattr(node, "workeroutput", {}).get(_TOLD, [])

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name what is left."""
        if self._told:
            terminalreporter.section("left behind by this run", red=True, bold=True)
            for line in self._told:
                terminalreporter.line(line)

    def pytest_unconfigure(self) -> None:
        """Put everything back."""
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        for name, value in self._before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        tempfile.tempdir = None

    def _left(self) -> list[str]:
        # A pytest that a test has started keeps its folders, too.
        names = {path.name for path in self._folder.iterdir() if not path.name.startswith("pytest-of-")}
        files = [f"temporary file {name}" for name in names]
        processes = [f"process {told}" for pid, told in children().items() if pid not in self._children]
        here = _named(leaks._threads() - self._threads, leaks._sockets() - self._sockets)
        return [*here, *sorted(files), *sorted(processes)]

    def _still(self, left: Callable[[], list[str]]) -> list[str]:
        """What is left once everything had time to end."""
        found = left()
        end = time.monotonic() + self._within_s
        while found and time.monotonic() < end:
            gc.collect()
            time.sleep(0.02)
            found = left()
        return found


_BEFORE = pytest.StashKey[tuple[set[threading.Thread], set[str]]]()


def children() -> dict[str, str]:
    """The processes that this one has started, those included that have ended and were not waited for; by
    their ids, and empty where the system does not tell."""
    found = {}
    for task in Path("/proc/self/task").glob("*/children"):
        try:
            ids = task.read_text().split()
        except OSError:
            continue
        found |= {pid: f"{pid} {_command(pid)}" for pid in ids}
    return found


def _command(pid: str) -> str:
    try:
        return Path("/proc", pid, "cmdline").read_text(errors="replace").replace("\0", " ").strip()[:120]
    except OSError:
        return ""


def _named(threads: Iterable[threading.Thread], sockets: Iterable[str]) -> list[str]:
    return [*sorted(f"thread {thread.name}" for thread in threads), *sorted(sockets)]


def _shares_fixtures(item: pytest.Item) -> bool:
    """A fixture of ours that the test asks for outlives it."""
    known = getattr(item, "_fixtureinfo", None)
    used = [definitions[-1] for definitions in known.name2fixturedefs.values()] if known else []
    return any(one.scope != "function" and "pytest" not in one.func.__module__ for one in used)

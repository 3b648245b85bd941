"""What every test stands on: an empty home, no key, nothing but loopback; and the fixtures of ours."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support import leaks, soak
from tests.support.environment import guarded, is_inherited
from tests.support.guard import loopback_guard
from tests.support.guard_processes import end_guard_processes
from tests.support.leftovers import Leftovers
from tests.support.sandbox_control import SandboxControl, controlled

loopback_guard.install()
# Times are shown in the zone of this computer.
os.environ["TZ"] = "UTC"
time.tzset()
soak.register_profiles()
# A shell that runs the suite in the background has Ctrl-C ignored, in it and in what it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

REFUSE_SKIPS = os.environ.get("REFUSE_SKIPS") == "1"
PACKAGE = os.environ.get("PRIMEPODS_PACKAGE") == "1"
PICTURES = os.environ.get("PRIMEPODS_PICTURES") == "1"

BROWSER = "tests/browser/"
TAKE_LONG = (
    BROWSER,
    "tests/test_notebooks.py",
    "tests/notebook/test_hostile_text.py",
    "tests/notebook/test_secrets.py",
    "tests/pods/test_many_launches.py",
    "tests/sandbox/test_fuzz.py",
    "tests/sandbox/test_killed.py",
    "tests/sandbox/test_prime_cli.py",
)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Leftovers())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    only_where_asked_for = {"soak": soak.SOAK, "package": soak.SOAK or PACKAGE, "pictures": PICTURES}
    left_out = [mark for mark, asked_for in only_where_asked_for.items() if not asked_for]
    long = [item for item in items if any(map(item.get_closest_marker, left_out))]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]
    # Files are shared among workers in this order: one that takes long must not be the last, alone.
    items.sort(key=lambda item: not item.nodeid.startswith(TAKE_LONG))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker has the browser: starting it again takes as long as several tests, and others wait more."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class OneBrowser(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return BROWSER if nodeid.startswith(BROWSER) else super()._split_scope(nodeid)

    return OneBrowser(config, log)


def pytest_runtest_setup() -> None:
    # Most tests compare messages in the words of a notebook.
    from primepods_magic.api.text.python_words import speak_magics

    speak_magics()


def pytest_collection_finish(session: pytest.Session) -> None:
    # What has been imported by now stays: looking for garbage in it took as long as many tests themselves. So
    # does what nearly every test imports.
    import primepods_magic.frames
    import primepods_magic.sandbox.server  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Any:
    """So does what the tests of a file have imported, which shells look through whenever one ends."""
    answer = yield
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()
    return answer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Where everything has been installed, a skipped test is a test that did not do its work."""
    report = yield
    if REFUSE_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is refused here: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    report = yield
    if REFUSE_SKIPS and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped as a whole, which is refused here: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home, and an environment that says nothing about the computer the test runs on.

    A guard that a test has armed ends with it.
    """
    home = tmp_path_factory.mktemp("home")
    for name in filter(is_inherited, list(os.environ)):
        # pytest keeps the name of the running test there, and reads it back.
        if name != "PYTEST_CURRENT_TEST":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    yield home
    end_guard_processes(home)


@pytest.fixture(autouse=True)
def loopback_only(
    home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Fails the test when it, or any Python process it started, tried to leave this computer."""
    log = tmp_path_factory.mktemp("guard") / "attempts.log"
    for name, value in guarded(os.environ, log).items():
        if os.environ.get(name) != value:
            monkeypatch.setenv(name, value)
    yield log
    tried = loopback_guard.attempts()
    loopback_guard.forget()
    if log.exists():
        tried += log.read_text().splitlines()
    assert not tried, f"tried to leave this computer: {tried}"


@pytest.fixture
def sandbox() -> Iterator[SandboxControl]:
    """A sandbox of the test's own, whose clock moves only when told to."""
    with controlled(clock="stepped") as control:
        yield control


@pytest.fixture
def running_sandbox() -> Iterator[SandboxControl]:
    """A sandbox of the test's own, whose clock runs twenty times faster than ours."""
    with controlled(clock="running", speed=20.0) as control:
        yield control


@pytest.fixture
def bare_shell(home: Path) -> Iterator[Any]:
    """An IPython without our extension."""
    from tests.support.shell import recording_shell

    with recording_shell(str(home / ".ipython")) as shell:
        yield shell


@pytest.fixture
def shell(bare_shell: Any, sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An IPython with the extension loaded and connected to the test's sandbox."""
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    bare_shell.run("%load_ext primepods_magic")
    bare_shell.run("%pods connect --sandbox")
    try:
        yield bare_shell
    finally:
        bare_shell.run("%unload_ext primepods_magic")


@pytest.fixture
def run_notebook(home: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs cells in a kernel of their own, headless, and answers with the executed notebook."""
    from tests.support.kernels import execute, notebook_of

    def run(
        cells: Sequence[str], environment: Mapping[str, str] | None = None, *, allow_errors: bool = False
    ) -> Any:
        together = {**os.environ, **(environment or {})}
        return execute(notebook_of(cells), together, tmp_path, allow_errors=allow_errors)

    return run


@pytest.fixture
def terminal(home: Path, tmp_path: Path, sandbox: SandboxControl) -> Iterator[Any]:
    """Terminal IPython in a pseudo-terminal, which would find the test's sandbox."""
    from tests.support.terminal import ipython

    with ipython({**os.environ, "PRIMEPODS_SANDBOX_URL": sandbox.url}, tmp_path) as session:
        yield session


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fails the test when it leaves a thread or a socket behind; watches the fixtures named after it, too."""
    with leaks.none_left():
        yield

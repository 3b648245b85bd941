"""A run that leaves something behind fails, and says what."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import timeit
from pathlib import Path

import pytest

from tests.support import leaks
from tests.support.leftovers import children
from tests.support.waiting import eventually

ROOT = Path(__file__).parent.parent

CONFTEST = """
from tests.support.leftovers import Leftovers

def pytest_configure(config):
    config.pluginmanager.register(Leftovers(within_s=0.1))
"""

# What a test leaves, what is said of it, and whether it is told of the test itself or of the run.
LEFT = {
    "thread": (
        "threading.Thread(target=threading.main_thread().join, name='forgotten').start()",
        "thread forgotten",
        True,
    ),
    "daemon": (
        "threading.Thread(target=threading.Event().wait, name='behind', daemon=True).start()",
        "thread behind",
        True,
    ),
    "socket": ("kept.append(socket.create_server(('127.0.0.1', 0)))", "socket:[", True),
    "folder": ("tempfile.mkdtemp(prefix='primepods-sandbox-')", "temporary file primepods-sandbox-", False),
    "child": ("kept.append(subprocess.Popen(['sleep', '60']))", "sleep 60", False),
    "child's file": (
        "subprocess.run([sys.executable, '-c', 'import tempfile; tempfile.mkstemp(prefix=\"left-\")'])",
        "temporary file left-",
        False,
    ),
}

TEST = """
import atexit, socket, subprocess, sys, tempfile, threading
kept = []

@atexit.register
def end():
    for thing in kept:
        thing.kill() if hasattr(thing, "kill") else thing.close()


def test_leaves_it():
    {leave}

def test_is_clean(tmp_path):
    (tmp_path / "kept by pytest").touch()
    with tempfile.TemporaryDirectory():
        socket.create_server(("127.0.0.1", 0)).close()
"""


def run(folder: Path, leave: str) -> subprocess.CompletedProcess[str]:
    """A run of pytest over a test that does that."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(TEST.replace("{leave}", leave))
    (folder / "pytest.ini").write_text("[pytest]\n")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    return subprocess.run(
        command,
        cwd=folder,
        # To load the plugins of ours takes much longer than such a run.
        env={**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("kind", LEFT)
def test_what_a_test_leaves_fails_the_run_and_is_named(tmp_path: Path, kind: str) -> None:
    leave, told, of_the_test = LEFT[kind]
    done = run(tmp_path, leave)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert told in done.stdout.partition("left behind by this run")[2]
    assert ("left behind by this test" in done.stdout) == of_the_test
    assert ("ERROR test_it.py::test_leaves_it" in done.stdout) == of_the_test
    assert "test_is_clean" not in done.stdout.partition("short test summary")[2]


def test_a_clean_run_passes_and_leaves_no_folder(tmp_path: Path) -> None:
    before = set(Path(tempfile.gettempdir()).glob("primepods-suite-*"))
    done = run(tmp_path, "pass")
    assert (done.returncode, "left behind" in done.stdout) == (0, False), done.stdout
    assert set(Path(tempfile.gettempdir()).glob("primepods-suite-*")) == before


def test_a_process_is_seen_until_somebody_has_waited_for_it() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    eventually(lambda: str(child.pid) in children(), "the child is seen")
    child.wait()
    assert str(child.pid) not in children()


def test_looking_takes_less_than_a_test_would_notice() -> None:
    took_s = timeit.timeit(lambda: (leaks._threads(), leaks._sockets()), number=20) / 20
    assert took_s < 0.02

"""The package, built once for all tests here, and whether pip has something to install from."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .building import Built, build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """What `python -m build` makes of this checkout."""
    try:
        return build(tmp_path_factory.mktemp("built"))
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{error}\n{error.stdout}{error.stderr}")


# Fixtures of a session come before a test's environment keeps pip on this computer.
@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where pip has nothing to install from."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--retries", "1"]
    into = str(tmp_path_factory.mktemp("download"))
    done = subprocess.run([*command, "--dest", into, "platformdirs"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"pip cannot fetch anything: {done.stderr}")

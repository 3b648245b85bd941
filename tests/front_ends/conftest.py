"""Front ends that are not JupyterLab, installed once in an environment of their own beside the project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.package.building import ROOT
from tests.package.environments import Environment, made

_FOLDER = ROOT / ".venv-front-ends"
_REQUIREMENTS = ("jupyter-console==6.6.3", "qtconsole==5.7.2", "PySide6-Essentials", "voila==0.5.13")


# Once a session is also before a test's environment keeps pip on this computer.
@pytest.fixture(scope="session")
def front_ends() -> Environment:
    """jupyter console, qtconsole and Voila; skips if they cannot be installed."""
    complete = _FOLDER / ".complete"
    if complete.exists() and complete.read_text() == "\n".join(_REQUIREMENTS):
        return Environment(_FOLDER)
    try:
        environment = made(_FOLDER, sys.executable)
        (_FOLDER / ".gitignore").write_text("*\n")
        environment.pip("install", "--quiet", "--editable", ROOT, *_REQUIREMENTS)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"the front ends cannot be installed: {error} {getattr(error, 'stderr', '') or ''}")
    # Written last: an installation that was interrupted is not taken for one.
    complete.write_text("\n".join(_REQUIREMENTS))
    return environment


@pytest.fixture
def front_end_environment(home: Path, loopback_only: Path) -> dict[str, str]:
    """The environment for a front end, whose kernels run this checkout."""
    path = [os.environ["PYTHONPATH"], str(ROOT)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "TERM": "xterm"}

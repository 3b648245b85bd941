"""A notebook run again, each output compared with the saved one."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.environment import notebook_environment
from tests.support.guard_processes import end_guard_processes

_DATA = Path(__file__).resolve().parents[1] / "data"


@dataclass(frozen=True)
class Comparison:
    passed: bool
    cells: int
    report: str


def compare(notebook: Path, sandbox_url: str, folder: Path, **extra: str) -> Comparison:
    """Strict nbval in a process of its own; `folder` is for its home and a copy of the notebook."""
    home = folder / "nbval-home"
    home.mkdir(parents=True)
    copy = folder / notebook.name
    copy.write_bytes(notebook.read_bytes())
    # An empty configuration, for ours turns nbval's own warnings into errors; and of the plugins nbval alone,
    # for to load the others takes longer than many a notebook.
    configuration = folder / "nbval.ini"
    configuration.write_text("[pytest]\n")
    sanitizer = _DATA / f"nbval_{notebook.stem}.cfg"
    sanitizing = [f"--nbval-sanitize-with={sanitizer}"] if sanitizer.exists() else []
    options = "-p nbval.plugin --nbval --nbval-current-env -p no:cacheprovider --color=no -v".split()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *options,
            *sanitizing,
            "-c",
            str(configuration),
            "--rootdir",
            str(folder),
            str(copy),
        ],
        env=notebook_environment(home, sandbox_url, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", **extra),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    # nbval kills its kernels, which cannot end their guard processes then.
    end_guard_processes(home)
    cells = len(re.findall(r"::Cell \d+ PASSED", done.stdout))
    return Comparison(done.returncode == 0, cells, done.stdout + done.stderr)

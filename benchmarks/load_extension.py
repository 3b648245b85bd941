"""What `%load_ext primepods_magic` adds to the start of IPython."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Contestant
from tests.support.environment import clean_environment

_SCRIPT = """
import json, time
begin = time.perf_counter()
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
shell.run_cell("1")
started = time.perf_counter()
for extension in {extensions!r}:
    shell.run_line_magic("load_ext", extension)
print(json.dumps([started - begin, time.perf_counter() - started]))
"""


@contextmanager
def load_extension() -> Iterator[dict[str, Contestant]]:
    """Fresh processes. Loading is timed by itself, for IPython's own start varies by more than that."""
    with tempfile.TemporaryDirectory() as home:
        environment = clean_environment(Path(home))

        def part(which: int, *extensions: str) -> Contestant:
            command = [sys.executable, "-c", _SCRIPT.format(extensions=extensions)]

            def once() -> float:
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
                return float(json.loads(done.stdout.splitlines()[-1])[which])

            return once

        yield {
            "start of IPython": part(0),
            "%load_ext autoreload": part(1, "autoreload"),
            "%load_ext primepods_magic": part(1, "primepods_magic"),
        }

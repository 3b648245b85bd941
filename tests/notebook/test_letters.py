"""Where stdout knows few letters, is closed or is broken, every command works and no pod is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.notebook.test_every_command import CASES, LOAD
from tests.support.sandbox_control import SandboxControl
from tests.support.soak import pick

RUN = (
    "import json, sys\n"
    "from IPython.terminal.interactiveshell import TerminalInteractiveShell\n"
    "shell = TerminalInteractiveShell.instance(simple_prompt=True, history_length=0, colors='NoColor')\n"
    "for cell in json.loads(sys.argv[1]):\n"
    "    print('CELL', ascii(cell), flush=True)\n"
    "    shell.run_cell(cell)\n"
)


@pytest.mark.parametrize("encoding", pick(["ascii", "cp1252"], ["ascii", "cp1252", "ascii:replace"]))
def test_every_command_and_every_error_is_printed_in_the_letters_that_there_are(
    sandbox: SandboxControl, home: Path, tmp_path: Path, encoding: str
) -> None:
    right = [cell for cell, *_ in CASES.values()]
    wrong = [cell for *_, cell, _ in CASES.values()]
    more = [
        "%pods -h",
        *(f"%pods {name} -h" for name in CASES if name not in ("create", "overview")),
        "%pod_create -h",
        "%%pod_create\nname: träin 日 🚀\ngpu: L4_24GB",
        "pod = %pods show 'träin 日 🚀'\nprint(pod, pod.details, pod.logs()); pod",
        "%pods watch --timeout 2m",
        "%pods ls",
        "%pod_create --gpu H100_80GB --name dear --max-price 0.01",
        "try:\n    get_ipython().run_line_magic('pods', 'show ×')\n"
        "except Exception as error:\n    print(error)",
        "%pods costs dearest",
        "%pods ssh 'träin 日 🚀' --config",
        "%pods rm 'träin 日 🚀' -y",
    ]
    cells = [*LOAD.splitlines(), *right, *wrong, *more]
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(cells)],
        env={
            **os.environ,
            "PRIMEPODS_SANDBOX_URL": sandbox.url,
            "PYTHONIOENCODING": encoding,
            "IPYTHONDIR": str(home / "ipython"),
        },
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
    )
    said = done.stdout.decode(encoding.partition(":")[0])
    assert "UnicodeEncodeError" not in said + done.stderr.decode()
    assert "Traceback" not in said + done.stderr.decode()
    assert "\x1b" not in said
    shown = said.split("CELL ")[1 + len(LOAD.splitlines()) :]
    for (cell, says, *_), text in zip(CASES.values(), shown, strict=False):
        assert says in text, cell
    # Signs of ours are written as such, and not as numbers.
    assert "\\u2026" not in said
    assert "\\xb7" not in said
    assert ("1 × L4_24GB" if encoding == "cp1252" else "1 x L4_24GB") in said


class Broken:
    """A stdout that takes so many characters, and then fails as a pipe whose reader has gone."""

    encoding = "utf-8"

    def __init__(self, error: Exception) -> None:
        self._error = error

    def write(self, text: str) -> int:
        raise self._error

    def flush(self) -> None:
        raise self._error

    def isatty(self) -> bool:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [BrokenPipeError(32, "Broken pipe"), ValueError("I/O operation on closed file"), RuntimeError("x")],
)
def test_a_stdout_that_is_broken_loses_no_pod(shell: Any, sandbox: SandboxControl, error: Exception) -> None:
    shell.user_ns["stdout"] = Broken(error)
    shell.run(
        "import contextlib\n"
        "with contextlib.redirect_stdout(stdout):\n"
        "    pod = get_ipython().run_cell_magic('pod_create', '--wait', 'name: train\\ngpu: L4_24GB')\n"
        "    again = get_ipython().run_line_magic('pod_create', '--gpu L4_24GB --name train')\n"
        "    get_ipython().run_line_magic('pods', '-h')\n"
    )
    assert shell.user_ns["pod"].is_ready
    assert shell.user_ns["again"].id == shell.user_ns["pod"].id
    assert len(sandbox.api.get("/api/v1/pods").json()["data"]) == 1


def test_where_there_is_no_stdout_nothing_is_lost_either(shell: Any, sandbox: SandboxControl) -> None:
    shell.run(
        "import contextlib\n"
        "with contextlib.redirect_stdout(None):\n"
        "    pod = get_ipython().run_cell_magic('pod_create', '', 'name: train\\ngpu: L4_24GB')\n"
    )
    assert shell.user_ns["pod"].name == "train"

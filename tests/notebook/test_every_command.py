"""Every command, in every place where cells run: a kernel, a terminal, papermill; and every way to fail.

test_places.py and test_notebooks.py check that an error stops a notebook and papermill, for fewer commands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellExecutionError

from primepods_magic.notebook.command_list import COMMANDS
from tests.support.kernels import notebook_of, text_of
from tests.support.sandbox_control import SandboxControl
from tests.support.terminal import ipython

LOAD = "%load_ext primepods_magic\n%pods connect --sandbox"

# In an order in which they tell of a pod's life; what each is to say, and how each can fail.
CASES: dict[str, tuple[str, str, str, str]] = {
    "create": (
        "%pod_create --gpu L4_24GB --name train --wait",
        "Pod train",
        "%pod_create --gpu NOPE",
        "InvalidRequest",
    ),
    "overview": ("%pods", "1 live pod of yours", "%pods --nope", "InvalidRequest"),
    "ls": ("%pods ls", "train", "%pods ls --status NOPE", "InvalidRequest"),
    "show": ("%pods show train", "status       ready", "%pods show nobody", "NotFound"),
    "status": ("%pods status train", "ACTIVE", "%pods status nobody", "NotFound"),
    "avail": ("%pods avail --gpu L4_24GB", "cheapest first", "%pods avail --gpu NOPE", "InvalidRequest"),
    "gpus": ("%pods gpus", "cheapest GPU first", "%pods gpus --gpu NOPE", "InvalidRequest"),
    "alert": ("%pods alert", "0 alerts", "%pods alert --off nobody", "NotFound"),
    "launcher": ("%pods launcher", "launcher", "%pods launcher --cell", "InvalidRequest"),
    "watch": ("%pods watch", "train", "%pods watch nobody", "NotFound"),
    "wait": ("%pods wait train --for active", "train", "%pods wait train --for x", "InvalidRequest"),
    "logs": ("%pods logs train --tail 1", "ready", "%pods logs nobody", "NotFound"),
    "ssh": ("%pods ssh train", "ssh root@", "%pods ssh nobody", "NotFound"),
    # Its pods are not machines here: tests/notebook/test_exec.py has those.
    "exec": ("%pods exec -h", "Run a shell command", "%pods exec train -- ls", "InvalidRequest"),
    "put": ("%pods put -h", "Send files and folders", "%pods put nothing train", "InvalidRequest"),
    "get": ("%pods get -h", "Fetch files and folders", "%pods get train", "InvalidRequest"),
    "sync": ("%pods sync -h", "Make a folder on", "%pods sync nothing train", "InvalidRequest"),
    "env": ("%pods env -h", "packages that this notebook has imported", "%pods env nobody", "NotFound"),
    "jobs": ("%pods jobs", "no jobs", "%pods jobs nobody", "NotFound"),
    "attach": ("%pods attach -h", "Show everything", "%pods attach nothing", "NotFound"),
    "cancel": ("%pods cancel -h", "End a job", "%pods cancel nothing", "NotFound"),
    "kernel": ("%pods kernel", "0 kernels", "%pods kernel nobody", "NotFound"),
    "audit": ("%pods audit", "created", "%pods audit --since never", "InvalidRequest"),
    "cells": ("%pods cells", "0 cells", "%pods cells nobody", "NotFound"),
    "guard": ("%pods guard train --for 4h", "Armed", "%pods guard train --for 0h", "InvalidRequest"),
    "hold": ("%pods hold train 6h", "kept until", "%pods hold train 0h", "InvalidRequest"),
    "wallet": ("%pods wallet", "balance $", "%pods wallet --team nobody", "NotFound"),
    "disks": ("%pods disks", "datasets", "%pods disks x", "InvalidRequest"),
    "keys": ("%pods keys", "laptop", "%pods keys primary nobody", "NotFound"),
    "teams": ("%pods teams", "Analytical Engines", "%pods teams nobody", "NotFound"),
    "rm": ("%pods rm train -y", "terminated", "%pods rm nobody", "NotFound"),
    "history": ("%pods history --limit 2", "train", "%pods history --limit x", "InvalidRequest"),
    "costs": ("%pods costs --by gpu", "L4_24GB", "%pods costs --by nope", "InvalidRequest"),
    "cache": ("%pods cache", "stored on this computer", "%pods cache x", "InvalidRequest"),
    "connect": ("%pods connect", "sandbox", "%pods connect --live", "NotConfigured"),
    "doctor": ("%pods doctor", "no problems", "%pods doctor x", "NotFound"),
}


def test_every_command_is_tried() -> None:
    assert set(CASES) == {*COMMANDS, "create", "overview"}


@pytest.fixture
def headless(sandbox: SandboxControl) -> dict[str, str]:
    return {"PRIMEPODS_SANDBOX_URL": sandbox.url}


def test_in_a_kernel_every_command_answers(
    run_notebook: Callable[..., Any], headless: dict[str, str]
) -> None:
    notebook = run_notebook([LOAD, *(right for right, *_ in CASES.values())], headless)
    for (name, (_, says, *_)), cell in zip(CASES.items(), notebook.cells[1:], strict=True):
        assert says in text_of(cell), f"{name}: {text_of(cell)}"


def test_in_a_kernel_every_failure_is_an_error_of_one_line(
    run_notebook: Callable[..., Any], headless: dict[str, str]
) -> None:
    cells = [LOAD, CASES["create"][0], *(wrong for *_, wrong, _ in CASES.values())]
    notebook = run_notebook(cells, headless, allow_errors=True)
    for (name, (*_, kind)), cell in zip(CASES.items(), notebook.cells[2:], strict=True):
        (error,) = [output for output in cell.outputs if output.output_type == "error"]
        assert error.ename == kind, name
        assert len("\n".join(error.traceback).splitlines()) == 1, name


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(CASES))
def test_in_a_kernel_a_failure_stops_the_notebook(
    run_notebook: Callable[..., Any], headless: dict[str, str], name: str
) -> None:
    *_, wrong, kind = CASES[name]
    with pytest.raises(CellExecutionError, match=kind):
        run_notebook([LOAD, wrong, "print('went on')"], headless)


def test_in_a_terminal_every_command_answers_and_every_failure_is_one_line(
    home: Path, tmp_path: Path, headless: dict[str, str]
) -> None:
    import os

    with ipython({**os.environ, **headless}, tmp_path, columns=240) as session:
        for line in LOAD.splitlines():
            session.run(line)
        for name, (right, says, *_) in CASES.items():
            said = session.run(right)
            assert says in said, f"{name}: {said}"
        session.run(CASES["create"][0])
        for name, (*_, wrong, kind) in CASES.items():
            said = session.run(wrong)
            assert re.fullmatch(rf"{kind}: [^\n]+", said), f"{name}: {said}"


@pytest.fixture
def under_papermill(
    home: Path, tmp_path: Path, headless: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str]], Any]:
    """Runs cells as papermill does, and answers with the notebook it wrote."""
    for name, value in headless.items():
        monkeypatch.setenv(name, value)

    def run(cells: list[str]) -> Any:
        source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
        nbformat.write(notebook_of(cells), source)
        papermill.execute_notebook(source, target, progress_bar=False, cwd=str(tmp_path))
        return nbformat.read(target, as_version=4)

    return run


@pytest.mark.soak
def test_under_papermill_every_command_answers(under_papermill: Callable[[list[str]], Any]) -> None:
    notebook = under_papermill([LOAD, *(right for right, *_ in CASES.values())])
    for (name, (_, says, *_)), cell in zip(CASES.items(), notebook.cells[1:], strict=True):
        assert says in text_of(cell), f"{name}: {text_of(cell)}"


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(CASES))
def test_under_papermill_a_failure_stops_the_notebook(
    under_papermill: Callable[[list[str]], Any], tmp_path: Path, name: str
) -> None:
    *_, wrong, kind = CASES[name]
    with pytest.raises(papermill.PapermillExecutionError, match=kind):
        under_papermill([LOAD, wrong, "print('went on')"])
    saved = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert "went on" not in text_of(saved.cells[-1])

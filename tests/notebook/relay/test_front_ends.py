"""Notebooks whose kernel is on a pod, run by nbclient, papermill and jupyter console."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pexpect
import pytest
from nbclient import NotebookClient

from tests.notebook.cells.test_equal_outputs import CELLS, UNORDERED, _normalize_output
from tests.support.environment import clean_environment
from tests.support.kernels import execute, notebook_of
from tests.support.pod_kernels import PodInPicker, put_environment
from tests.support.soak import pick


def for_pod(picked: PodInPicker, cells: list[str]) -> nbformat.NotebookNode:
    notebook = notebook_of(cells)
    notebook.metadata.kernelspec = {
        "name": picked.spec.name,
        "display_name": picked.spec.display_name,
        "language": "python",
    }
    return notebook


# An early exit ends the kernel there, as it does here: what a front end makes of that differs.
OFTEN = ("stderr", "result", "zero division", "html", "update", "update of another cell", "clear and wait")
OFTEN += ("matplotlib", "pandas", "shell", "async", "thread", "help", "input")
SAME = {name: CELLS[name] for name in pick(OFTEN, tuple(CELLS)) if name != "system exit"}


@pytest.fixture(scope="module")
def both(picked: PodInPicker, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same cells, run by nbclient in a local kernel and in one on a pod."""
    folder = tmp_path_factory.mktemp("equal")
    here = notebook_of(list(SAME.values()))
    execute(here, clean_environment(folder), folder, allow_errors=True)
    there = for_pod(picked, list(SAME.values()))
    with pytest.MonkeyPatch.context() as patch:
        put_environment(patch, picked.environment)
        client = NotebookClient(
            there, timeout=120, kernel_name=picked.spec.name, allow_errors=True, record_timing=False,
            store_widget_state=False, coalesce_streams=True,
        )  # fmt: skip
        client.execute(env=dict(picked.environment))
    return dict(zip(SAME, zip(here.cells, there.cells, strict=True), strict=True))


@pytest.mark.parametrize("name", SAME)
def test_outputs_are_equal(both: Any, name: str) -> None:
    outputs = [[_normalize_output(output) for output in cell.outputs] for cell in both[name]]
    if name in UNORDERED:
        outputs = [sorted(each, key=str) for each in outputs]
    assert outputs[1] == outputs[0]
    assert both[name][1].execution_count == both[name][0].execution_count


def test_papermill_runs_it_with_parameters(picked: PodInPicker, tmp_path: Path) -> None:
    notebook = for_pod(picked, ["steps = 1", "print('steps', steps)"])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(notebook, source)
    command = [sys.executable, "-m", "papermill", str(source), str(target), "-p", "steps", "5"]
    subprocess.run(
        [*command, "--no-progress-bar"], env=dict(picked.environment), check=True, cwd=tmp_path, timeout=120
    )
    (output,) = nbformat.read(target, as_version=4).cells[-1].outputs
    assert output.text == "steps 5\n"


def test_a_console_works(picked: PodInPicker, tmp_path: Path) -> None:
    command = ["-m", "jupyter_console", "--kernel", picked.spec.name, "--simple-prompt"]
    environment = {**picked.environment, "TERM": "dumb"}
    console = pexpect.spawn(
        sys.executable, command, env=environment, cwd=str(tmp_path), timeout=60, encoding="utf-8"
    )
    try:
        console.expect(r"In \[1\]:")
        console.sendline("print('from', 'there')")
        console.expect("from there")
        console.expect("train · 1 × L4_24GB · ")
        console.sendline("input('Name? ')")
        console.expect(r"Name\? ")
        console.sendline("Ada")
        console.expect("'Ada'")
        console.sendline("import time; print('be' + 'gun'); time.sleep(100)")
        console.expect("begun")
        console.sendintr()
        console.expect("KeyboardInterrupt")
        console.sendline("exit")
        console.expect(pexpect.EOF)
    finally:
        console.close(force=True)

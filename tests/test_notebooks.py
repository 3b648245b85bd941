"""Every notebook of ours says what it said when it was saved, word for word."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.support.environment import notebook_environment
from tests.support.kernels import notebook_of, text_of
from tests.support.nbval import compare
from tests.support.notebooks import NOTEBOOKS, comparable_sandbox, save

OURS = sorted(NOTEBOOKS.glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("notebook", OURS, ids=lambda path: path.stem)

_NOT_FOR_SAVING = {
    "a path of the computer it was made on": re.compile(
        r"/(?:home|root|Users|tmp|work|var|opt)/\w|[A-Z]:\\\\"
    ),
    "a port": re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\]):\d+"),
    "a key": re.compile(r"\b(?:pit|sk|prime)[-_][A-Za-z0-9_]{16,}|Bearer\s+\S+"),
    "an address in memory": re.compile(r"\bat 0x[0-9a-f]{6,}"),
}


def test_there_are_notebooks() -> None:
    assert "quickstart" in [notebook.stem for notebook in OURS]


@each_notebook
def test_notebook_has_the_outputs_it_was_saved_with(notebook: Path, tmp_path: Path) -> None:
    with comparable_sandbox() as url:
        outcome = compare(notebook, url, tmp_path)
    assert outcome.passed, outcome.report
    assert outcome.cells == sum(cell.cell_type == "code" for cell in nbformat.read(notebook, 4).cells) > 0


@each_notebook
def test_first_cell_asks_for_the_sandbox(notebook: Path) -> None:
    first = next(cell for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code")
    assert "%pods connect --sandbox" in first.source


@each_notebook
def test_notebook_was_run_from_top_to_bottom_without_an_error(notebook: Path) -> None:
    cells = [cell for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    unexpected = [cell for cell in cells if "raises-exception" not in cell.metadata.get("tags", [])]
    assert not [o for cell in unexpected for o in cell.outputs if o.output_type == "error"]


@each_notebook
@pytest.mark.parametrize("what", _NOT_FOR_SAVING)
def test_notebook_tells_nothing_about_where_it_was_made(notebook: Path, what: str) -> None:
    found = _NOT_FOR_SAVING[what].findall(notebook.read_text())
    assert not found, f"{notebook.name} holds {what}: {found}"


@each_notebook
def test_notebook_keeps_no_widget_state(notebook: Path) -> None:
    read = nbformat.read(notebook, 4)
    assert "widgets" not in read.metadata


def test_live_bars_pass_nbval_and_papermill_and_are_read_without_javascript(tmp_path: Path) -> None:
    """What is kept of a notebook that watches pods where nobody does, down to a page that runs nothing."""
    saved, ran, home = tmp_path / "saved.ipynb", tmp_path / "ran.ipynb", tmp_path / "home"
    home.mkdir()
    cells = [
        "%load_ext primepods_magic\n%pods connect --sandbox",
        "%%pod_create\nname: train\ngpu: H100_80GB",
        "%pod_create --gpu L4_24GB --name eval --wait",
        "%pods watch",
        "%pods wait train eval",
    ]
    nbformat.write(notebook_of(cells), saved)
    save(saved)
    with comparable_sandbox() as url:
        compared = compare(saved, url, tmp_path / "compared")
    assert compared.passed, compared.report
    assert compared.cells == len(cells)
    with comparable_sandbox() as url:
        for command in (
            ["papermill", "--no-progress-bar", str(saved), str(ran)],
            ["nbconvert", "--to", "html", str(ran)],
        ):
            done = subprocess.run(
                [sys.executable, "-m", *command],
                env=notebook_environment(home, url),
                cwd=tmp_path,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
    page = ran.with_suffix(".html").read_text(encoding="utf-8")
    shown = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    assert "eval  ready  ssh root@" in shown
    assert "train  ready  ssh root@" in shown


def test_another_digit_in_a_saved_output_is_noticed(tmp_path: Path) -> None:
    """The comparison is a real one: spoil one digit of an honest notebook, and it fails."""
    saved = tmp_path / "saved.ipynb"
    nbformat.write(notebook_of(["%load_ext primepods_magic\n%pods connect --sandbox", "%pods avail"]), saved)
    save(saved)
    with comparable_sandbox() as url:
        honest = compare(saved, url, tmp_path / "honest")
    assert honest.passed, honest.report

    spoilt = nbformat.read(saved, 4)
    table = next(output for output in spoilt.cells[1].outputs if "text/plain" in output.get("data", {}))
    plain = table.data["text/plain"]
    digit = re.search(r"\d(?=\D*$)", plain)
    assert digit is not None, text_of(spoilt.cells[1])
    other = str((int(digit.group()) + 1) % 10)
    table.data["text/plain"] = plain[: digit.start()] + other + plain[digit.end() :]
    nbformat.write(spoilt, saved)
    with comparable_sandbox() as url:
        caught = compare(saved, url, tmp_path / "spoilt")
    assert not caught.passed
    assert "mismatch" in caught.report.lower()

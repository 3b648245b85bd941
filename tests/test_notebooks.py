"""Every notebook of ours says what it said when it was saved, word for word."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.support.environment import notebook_environment
from tests.support.guard_processes import end_guard_processes
from tests.support.kernels import notebook_of, text_of
from tests.support.nbval import compare
from tests.support.notebooks import NOTEBOOKS, ON_THE_POD, comparable_sandbox
from tests.support.sandbox_control import KEY, SandboxControl, control

LIVE_LOOKING_KEY = "pit_" + "5e1f" * 16
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


_PICTURE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<file>[^)\s]*)\)")


def test_there_are_notebooks() -> None:
    assert [notebook.stem for notebook in OURS] == [
        "automation",
        "costs",
        "launcher",
        "many_pods",
        "on_the_pod",
        "quickstart",
    ]


@each_notebook
def test_notebook_says_first_what_it_teaches(notebook: Path) -> None:
    first = nbformat.read(notebook, 4).cells[0]
    assert first.cell_type == "markdown"
    title, empty, line = first.source.splitlines()[:3]
    assert title.startswith("# ")
    assert not empty
    assert line.startswith("This notebook teaches ")


@each_notebook
def test_notebook_has_the_outputs_it_was_saved_with(
    notebook: Path, tmp_path: Path, loopback_only: Path
) -> None:
    # The quickstart stays on this computer even if there is a key; automation shows the error without one.
    key = {"PRIME_API_KEY": LIVE_LOOKING_KEY} if notebook.stem == "quickstart" else {}
    with comparable_sandbox(machines=notebook.stem == ON_THE_POD) as url:
        outcome = compare(notebook, url, tmp_path, **key)
    assert outcome.passed, outcome.report
    assert not loopback_only.exists()
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


@each_notebook
def test_pictures_of_a_notebook_are_there_and_told_in_words(notebook: Path) -> None:
    text = "\n".join(cell.source for cell in nbformat.read(notebook, 4).cells if cell.cell_type == "markdown")
    shown = list(_PICTURE.finditer(text))
    assert text.count("![") == len(shown)
    assert "<img" not in text
    assert len(shown) == (3 if notebook.stem == "launcher" else 0)
    for picture in shown:
        file = NOTEBOOKS / picture["file"]
        assert file.parent == NOTEBOOKS / "pictures"
        assert file.is_file(), picture["file"]
        assert len(picture["alt"].split()) > 5, picture["file"]


def test_cell_in_the_launcher_notebook_is_what_the_launcher_writes(sandbox: SandboxControl) -> None:
    from primepods_magic import Launcher, Settings, connect
    from primepods_magic.notebook.launcher.state.offers import OfferKey
    from primepods_magic.pods.connection.current import disconnect

    cells = [cell.source for cell in nbformat.read(NOTEBOOKS / "launcher.ipynb", 4).cells]
    (written,) = (source for source in cells if source.startswith("%%pod_create"))
    launcher = Launcher(connect(settings=Settings(sandbox.url, KEY)))
    model = launcher.model
    try:
        model.open()
        assert model.wait_until_idle(20)
        (row,) = (row for row in model.offer_list.listed if row.offer.cloud_id == "pc-H100x1")
        model.choose(OfferKey.of(row.offer))
        model.set(name="train", disk=210)
        model.do(model.flow.name_variable, "HF_TOKEN")
        model.do(model.flow.add_variable, "an example")
        assert model.wait_until_idle(20)
        assert launcher.cell == f"{written}\n"
    finally:
        launcher.close()
        disconnect()


def test_automation_runs_with_other_parameters(tmp_path: Path) -> None:
    with comparable_sandbox() as url:
        done, ran = _papermill(NOTEBOOKS / "automation.ipynb", url, tmp_path, gpu="L4_24GB")
    assert done.returncode == 0, done.stderr
    answers = [text_of(cell) for cell in ran.cells]
    assert [text for text in answers if "Pod nightly: 1 × L4_24GB · $0.69/h · ready" in text]
    assert [text for text in answers if "Pod nightly-eval: 1 × L4_24GB" in text]
    assert not [text for text in answers if "A40" in text]


def test_automation_above_its_ceiling_fails_and_creates_nothing(tmp_path: Path) -> None:
    with comparable_sandbox() as url, control(url) as sandbox:
        before = _rented(sandbox)
        done, ran = _papermill(NOTEBOOKS / "automation.ipynb", url, tmp_path, max_price_usd_hr="0.1")
        assert _rented(sandbox) == before
    assert done.returncode != 0
    (said,) = (
        output for cell in ran.cells for output in cell.get("outputs", []) if output.output_type == "error"
    )
    assert said.ename == "BudgetExceeded"
    assert "above the ceiling of $0.10/h for one pod" in said.evalue
    assert "Nothing was created" in said.evalue
    assert said.evalue in done.stderr


def _papermill(
    notebook: Path, url: str, folder: Path, **parameters: str
) -> tuple[subprocess.CompletedProcess[str], nbformat.NotebookNode]:
    """A notebook run with parameters as a pipeline does, and what papermill made of it."""
    home, ran = folder / "home", folder / "ran.ipynb"
    home.mkdir()
    given = [word for name, value in parameters.items() for word in ("-p", name, value)]
    done = subprocess.run(
        [sys.executable, "-m", "papermill", "--no-progress-bar", str(notebook), str(ran), *given],
        env=notebook_environment(home, url),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    end_guard_processes(home)
    return done, nbformat.read(ran, 4)


def _rented(sandbox: SandboxControl) -> tuple[int, int]:
    """How many pods live, and how many have ended."""
    live = sandbox.api.get("/api/v1/pods/").json()["total_count"]
    ended = sandbox.api.get("/api/v1/pods/history", params={"limit": 1}).json()["total_count"]
    return live, ended


def test_live_bars_pass_papermill_and_are_read_without_javascript(tmp_path: Path) -> None:
    """What is kept of a notebook that watches pods in an unattended run, down to a page that runs nothing.

    The quickstart and many_pods have such bars, too, and are compared with what was saved.
    """
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
    """The comparison is a real one: a digit is spoilt in every cell that has one, and just those fail."""
    spoilt = nbformat.read(NOTEBOOKS / "quickstart.ipynb", 4)
    code = [cell for cell in spoilt.cells if cell.cell_type == "code"]
    touched = {number for number, cell in enumerate(code) if _spoil(cell, as_html=number % 2 == 0)}
    assert len(touched) > len(code) / 2
    nbformat.write(spoilt, tmp_path / "spoilt.ipynb")
    with comparable_sandbox() as url:
        caught = compare(tmp_path / "spoilt.ipynb", url, tmp_path / "compared")
    failed = {int(number) for number in re.findall(r"::Cell (\d+) FAILED", caught.report)}
    assert failed == touched, caught.report
    assert caught.cells == len(code) - len(touched)


def _spoil(cell: nbformat.NotebookNode, *, as_html: bool) -> bool:
    """Put another digit in the place of the last one in a cell's last output, in its HTML where it has any;
    whether it has one."""
    if not cell.outputs:
        return False
    output = cell.outputs[-1]
    holder = output.get("data", output)
    places = ("text/html", "text/plain") if as_html else ("text/plain", "text/html")
    place = next((name for name in (*places, "text", "evalue") if name in holder), "")
    digit = re.search(r"\d(?=\D*$)", holder.get(place, ""))
    if digit is None:
        return False
    other = str((int(digit.group()) + 1) % 10)
    holder[place] = holder[place][: digit.start()] + other + holder[place][digit.end() :]
    return True

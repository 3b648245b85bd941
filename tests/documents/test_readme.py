"""What README.md says is so: its cells and commands run, what it names is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from primepods_magic import Settings, connect, launch
from primepods_magic.notebook.command_list import COMMANDS
from primepods_magic.notebook.script.command_line import format_help
from tests.documents import readme
from tests.support.sandbox_control import KEY

ROOT = Path(__file__).parents[2]
README = readme.PATH.read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = {"README.md": README, "CONTRIBUTING.md": CONTRIBUTING}
each_page = pytest.mark.parametrize("page", PAGES)


def test_the_cells_of_the_readme_answer_what_stands_below_them() -> None:
    shown = [output.inside for _, output in readme.outputs_of(README) if output]
    assert len(shown) >= 7
    assert readme.executed(README) == README, "`make documents` writes them anew"


@each_page
def test_what_a_page_names_is_there(page: str) -> None:
    places = re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGES[page])
    places += re.findall(r"`((?:primepods_magic|tests|notebooks)/[\w/.]*)`", PAGES[page])
    assert len(places) >= 8
    assert [place for place in places if not (ROOT / place).exists()] == []


@each_page
def test_make_targets_that_a_page_names_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"make ([a-z]+)\b(?= |`|$)", PAGES[page], re.M))
    assert len(targets) >= 2
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.M)] == []


def test_the_readme_tells_of_every_command_and_of_no_other() -> None:
    assert set(re.findall(r"`%pods (\w+)", README)) == set(COMMANDS)


def test_the_readme_and_the_help_give_the_same_exit_codes() -> None:
    told = dict(re.findall(r"^\| (\d+) \| (.+) \|$", README, re.M))
    assert told == dict(re.findall(r"^  (\d+) +(\w.+)$", format_help(), re.M))


def test_every_picture_can_be_taken_again_by_one_command() -> None:
    taken = re.findall(r"^\tcp \S+ notebooks/pictures/(\S+)$", (ROOT / "Makefile").read_text(), re.M)
    kept = [path.name for path in (ROOT / "notebooks" / "pictures").iterdir()]
    assert sorted(taken) == sorted(kept)
    shown = {Path(place).name for place in re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)}
    assert shown
    assert shown <= set(kept)


def test_the_sandbox_answers_the_requests_of_the_readme() -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on PATH")
    lines = [
        line
        for fence in readme.fences(README)
        if fence.language == "sh"
        for line in fence.inside.splitlines()
    ]
    start = next(line for line in lines if line.startswith("python -m primepods_magic.sandbox"))
    asked = [line for line in lines if line.startswith("curl ")]
    assert len(asked) >= 5
    command = start.replace("python", sys.executable, 1).replace("--port 8080", "--port 0")
    with subprocess.Popen(command.split(), stdout=subprocess.PIPE, text=True) as sandbox:
        try:
            assert sandbox.stdout is not None
            url = sandbox.stdout.readline().removeprefix("listening on ").strip()
            with closing(connect(settings=Settings(url, KEY))) as connection:
                pod = launch(gpu="H100_80GB", connection=connection)
            for line in asked:
                real = line.replace("http://127.0.0.1:8080", url).replace("127.0.0.1:8080", url)
                real = real.replace("POD_ID", str(pod.id)).replace("curl ", "curl -sS --fail ", 1)
                done = subprocess.run(real, shell=True, capture_output=True, text=True)
                assert (done.returncode, done.stderr) == (0, ""), line
        finally:
            sandbox.terminate()

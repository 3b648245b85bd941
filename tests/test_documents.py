"""What the README and the docstrings show is what the code does."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest

import primepods_magic
from primepods_magic.notebook.magics import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = [
    module.name
    for module in pkgutil.walk_packages(primepods_magic.__path__, "primepods_magic.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", ["primepods_magic", *MODULES])
def test_the_examples_of_a_module_run(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


def test_files_that_the_readme_names_exist() -> None:
    places = re.findall(r"\]\((?!https?:)([^)#]+)\)", README) + re.findall(
        r"^\| `([\w/]+/)` \|", README, re.M
    )
    assert len(places) >= 8
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_the_readme_tells_of_every_command_and_of_no_other() -> None:
    assert set(re.findall(r"`%pods (\w+)", README)) == set(COMMANDS)


def test_make_targets_that_the_readme_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"make (\w+)", README))
    assert {"demo", "lab", "test"} <= targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.M)] == []


def test_the_readmes_cells_run(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What they save is saved here.
    monkeypatch.chdir(tmp_path)
    cells = re.findall(r"^```(?:python)?\n((?:%|from )[^`]*)```", README, re.M)
    assert [cell.split("\n")[0] for cell in cells] == [
        "%load_ext primepods_magic",
        "%%pod_create",
        "from primepods_magic import connect, launch",
        "%pods launcher",
        "%pods costs                                        # month by month: history, live pods and disks",
        "from primepods_magic import costs",
        "%config PodsMagics.max_price_usd_hr = 4     # one pod, its disk included",
    ]
    said = ""
    for cell in cells:
        shell.run(cell.rstrip())
        said += shell.output.stdout
    assert "ssh root@" in said

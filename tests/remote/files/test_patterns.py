"""Patterns for files of a pod: what they match, where it goes, and what is said if nothing does."""

from __future__ import annotations

import glob
from pathlib import Path

import pytest

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.remote.agent.files.patterns import list_matches
from primepods_magic.remote.files.transfers import get_files
from primepods_magic.remote.link import PodLink

FILES = """a.csv b.txt .hidden.csv runs/1/log.csv runs/2/log.csv runs/2/deep/log.csv runs/2/model.pt
runs/.old/log.csv runs/x/.secret runs/[1]/log.csv .git/log.csv $(touch\\ here).csv"""


@pytest.fixture
def runs(there: Path) -> Path:
    for name in FILES.replace("\\ ", "\0").split():
        file = there / name.replace("\0", " ")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (there / "empty").mkdir()
    (there / "link.csv").symlink_to("a.csv")
    (there / "to runs").symlink_to("runs")
    return there


@pytest.mark.parametrize(
    "pattern",
    ["*.csv", ".*.csv", "**/*.csv", "runs/*/log.csv", "runs/**/log.csv", "runs/[12]/*", "**/deep", "r*",
     "**/**/*.pt", "**", "runs/**", "?.csv",
     "[!a].txt", "*/*", ".git/*", "none*", "runs//./*/log.csv", "*.CSV", "$(*"],
)  # fmt: skip
def test_the_rules_are_those_of_glob(runs: Path, pattern: str) -> None:
    found = {entry.path for entry in list_matches(str(runs), pattern)}
    expected = {name.rstrip("/") for name in glob.glob(pattern, root_dir=runs, recursive=True)} - {""}
    expected = {str(Path(name)) for name in expected}
    if not pattern.endswith("**"):
        # A folder that matches is fetched with everything in it.
        folders = [runs / name for name in expected if not (runs / name).is_symlink()]
        expected |= {str(path.relative_to(runs)) for folder in folders for path in folder.rglob("*")}
    # Links are fetched as links.
    assert found == {name for name in expected if not name.startswith("to runs/")}
    assert found or pattern in ("none*", "*.CSV")


def test_a_name_with_special_characters_matches_itself(runs: Path) -> None:
    assert [entry.path for entry in list_matches(str(runs), "runs/[1]/*")] == [
        "runs/1/log.csv",
        "runs/[1]/log.csv",
    ]


def test_what_matches_keeps_its_path_below_the_folder(link: PodLink, runs: Path, here: Path) -> None:
    result = get_files(link, [f"{runs}/runs/*/log.csv"], "got")
    assert result.count_actions() == {"fetched": 3}
    assert sorted(str(path.relative_to(here)) for path in here.rglob("*.csv")) == [
        "got/1/log.csv",
        "got/2/log.csv",
        "got/[1]/log.csv",
    ]
    assert get_files(link, [f"{runs}/runs/**/log.csv"], "got").count_actions() == {
        "unchanged": 3,
        "fetched": 1,
    }
    assert get_files(link, [f"{runs}/$(*", f"{runs}/b.*"]).count_actions() == {"fetched": 2}
    assert (here / "$(touch here).csv").exists()
    assert not (here / "here).csv").exists()


def test_a_file_with_exactly_this_name_comes_first(link: PodLink, runs: Path, here: Path) -> None:
    (runs / "*.csv").write_text("star")
    get_files(link, [f"{runs}/*.csv"], "star.csv")
    assert (here / "star.csv").read_text() == "star"
    get_files(link, [f"{runs}/[*].csv"], "got")
    assert [path.name for path in (here / "got").iterdir()] == ["*.csv"]


def test_what_is_there_is_said_if_nothing_matches(link: PodLink, runs: Path, here: Path) -> None:
    cases = {
        "*.pt": f"Nothing on 'train' matches '{runs}/*.pt'. '{runs}' has $(touch here).csv, a.csv, b.txt, "
        "empty, link.csv and 2 more. Nothing was fetched",
        "empty/*": f"Nothing on 'train' matches '{runs}/empty/*'. '{runs}/empty' has no files. Nothing was "
        "fetched",
        "none/*": f"There is no folder '{runs}/none' on 'train'. Nothing was fetched",
        "a.csv/*": f"There is no folder '{runs}/a.csv' on 'train'. Nothing was fetched",
    }
    for pattern, message in cases.items():
        with pytest.raises(InvalidRequest) as caught:
            get_files(link, [f"{runs}/{pattern}"], "got")
        assert str(caught.value) == message
    assert list(here.iterdir()) == []

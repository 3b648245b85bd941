"""Repositories of git on a pod: their settings name commands, which git here must not run."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.remote.files.transfers import get_files
from primepods_magic.remote.link import PodLink
from tests.remote.files.conftest import describe_tree


@pytest.fixture(autouse=True)
def _need_git() -> None:
    if not shutil.which("git"):
        pytest.skip("there is no git")


def run_git(folder: Path, *words: str) -> None:
    settings = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(folder)}
    subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, env={**os.environ, **settings}, check=False
    )


def make_trap(folder: Path, mark: Path) -> None:
    """Make a repository without a working tree, whose settings run a command."""
    folder.mkdir(parents=True)
    run_git(folder, "init", "--bare", ".")
    command = f'[core]\nbare = false\nworktree = .\nfsmonitor = "touch {mark}; false"\n'
    (folder / "config").write_text("[core]\nrepositoryformatversion = 0\n" + command)
    for name in ("refs/heads/a", "objects/pack/a"):
        (folder / name).write_text("")


def test_a_folder_that_is_a_repository_does_not_arrive_as_one(
    link: PodLink, here: Path, there: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    make_trap(there / "results", mark)
    run_git(there / "results", "status")
    assert mark.exists()
    mark.unlink()
    with pytest.warns(UserWarning, match=r"Skipped: HEAD \(git would take its folder for a repository\)"):
        get_files(link, [str(there / "results")])
    assert (here / "results/config").exists()
    run_git(here / "results", "status")
    assert not mark.exists()


def test_nothing_is_written_into_a_repository_here(
    link: PodLink, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_trap(there / "own.git", there / "mark")
    shutil.copytree(there / "own.git", there / "project/.git")
    (there / "folder/own.git").mkdir(parents=True)
    (there / "folder/own.git/config").write_text("x")
    (there / "config").write_text("x")
    run_git(here, "init", "--bare", "own.git")
    (here / "link").symlink_to("own.git/hooks")
    before = describe_tree(here)
    for path, target in [
        ("project/.git", "."),
        ("project/.git", "new"),
        ("own.git", "."),
        ("folder", "own.git/hooks"),
        ("folder", "link"),
        ("config", ".git/config"),
        ("config", ".git"),
        ("config", "HEAD"),
        ("config", "__pycache__/"),
    ]:
        with pytest.raises(InvalidRequest, match="Nothing was fetched"):
            get_files(link, [str(there / path)], target)
    monkeypatch.chdir(here / "own.git")
    with pytest.raises(InvalidRequest, match="Nothing was fetched"):
        get_files(link, [str(there / "config")], force=True)
    monkeypatch.chdir(here)
    with pytest.warns(UserWarning, match=r"Skipped: own.git/config \(its folder here is a repository\)"):
        get_files(link, [f"{there}/folder/**/*"], force=True)
    assert describe_tree(here) == before


def test_a_working_tree_below_its_repository_is_written_to(
    link: PodLink, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (there / "config").write_text("x")
    run_git(here, "init", "--bare", ".")
    tree = here / "tree"
    (tree / "in").mkdir(parents=True)
    (tree / ".git").write_text("gitdir: ../worktrees/tree")
    monkeypatch.chdir(tree / "in")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert get_files(link, [str(there / "config")]).count_actions() == {"fetched": 1}

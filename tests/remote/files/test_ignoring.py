"""Rules of `.gitignore`: what git itself ignores, and nothing else."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from primepods_magic.remote.files.local_tree import list_folder
from tests.support.soak import pick

FILES = """a.py x.bin src/a.py src/b.bin src/deep/n.ipynb keep/x.log keep.log public/secret.txt
public/sub/secret/k data/small/a data/big/a build/a/b a/b/c.log é/x a&b/[1].log back\\slash #x !y B""".split()
IDIOMS = [
    ["*", "!*/", "!*.py"],
    ["secret*", "!public"],
    ["/*", "!/src/"],
    ["data/*", "!data/small/"],
    ["*.log", "!keep.log", "!keep/"],
    ["a/**", "!a/b"],
    ["**/b/", "build"],
    ["src/**/*.ipynb", "\\#x", "\\!y", "[!a]*.bin", "trailing  ", "[[:upper:]]"],
    ["back\\\\slash", "\\", "[", "[b-a]*", "[[:bogus:]]", "!", "# x", "", "/", "?", "[é]", "\ufeff"],
]
PARTS = ["a", "b", "*", "**/", "/", "?", "[!a]", "[a-c]", ".log", "\\[", "data", "src", "é", "!", "/**", "x"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if not shutil.which("git"):
        pytest.skip("there is no git")
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    run_git(tmp_path, "init", "--quiet")
    return tmp_path


def run_git(folder: Path, *words: str) -> set[str]:
    settings = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, env={**os.environ, **settings}, check=True
    )
    return {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}


def compare_with_git(folder: Path, lines: list[str]) -> None:
    (folder / ".gitignore").write_text("\n".join(lines) + "\n", encoding="utf-8")
    ours = {entry.path for entry in list_folder(str(folder))[0] if entry.kind == "file"}
    assert ours == run_git(folder, "ls-files", "-z", "--others", "--exclude-standard"), lines


def test_usual_rules_are_read_as_git_reads_them(folder: Path) -> None:
    for lines in IDIOMS:
        compare_with_git(folder, lines)
    (folder / ".gitignore").write_bytes(b"\xef\xbb\xbf*.log\r\n\xff*\r\n")
    (folder / "\udcff.csv").touch()
    assert not {"keep.log", "\udcff.csv"} & {entry.path for entry in list_folder(str(folder))[0]}


def test_random_rules_are_read_as_git_reads_them(folder: Path) -> None:
    choose = random.Random(5)
    for _ in range(pick(30, 2000)):
        lines = ["".join(choose.choices(PARTS, k=choose.randint(1, 4))) for _ in range(choose.randint(1, 4))]
        # There, git itself does not do what it documents: a** is not like **.
        lines = [line for line in lines if "**" not in line or line.startswith(("**", "/**", "!**", "!/**"))]
        compare_with_git(folder, lines)

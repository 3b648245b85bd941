"""Rules of `.gitignore`: what git itself ignores, and nothing else."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from primepods_magic.api.errors import InvalidRequest
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
    ["d**/a", "k**/*.log", "/s**", "public/s**/k"],
    ["src/**/*.ipynb", "\\#x", "\\!y", "[!a]*.bin", "trailing  ", "[[:upper:]]"],
    ["back\\\\slash", "\\", "[", "[b-a]*", "[[:bogus:]]", "!", "# x", "", "/", "?", "[é]", "\ufeff"],
]
PARTS = [
    "a",
    "b",
    "*",
    "**/",
    "/",
    "?",
    "[!a]",
    "[a-c]",
    ".log",
    "\\[",
    "data",
    "src",
    "é",
    "!",
    "/**",
    "x",
    "**",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if not shutil.which("git"):
        pytest.skip("there is no git")
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    run_git(tmp_path, "init", "--quiet")
    return tmp_path


@pytest.fixture(autouse=True)
def _use_own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path_factory.mktemp("settings")
    for name, value in {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": f"{settings}/gitconfig",
        "XDG_CONFIG_HOME": str(settings),
    }.items():
        monkeypatch.setenv(name, value)


def run_git(folder: Path, *words: str) -> set[str]:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True)
    return {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}


def list_files(folder: Path) -> set[str]:
    return {entry.path for entry in list_folder(str(folder))[0] if entry.kind == "file"}


def write_files(folder: Path, files: dict[str, str]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


def compare_with_git(folder: Path, lines: list[str]) -> None:
    (folder / ".gitignore").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert list_files(folder) == run_git(folder, "ls-files", "-z", "--others", "--exclude-standard"), lines


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
        compare_with_git(folder, lines)


def test_the_rules_of_the_repository_above_count(folder: Path) -> None:
    rules = {
        ".gitignore": ".env\n*.log\n/src/deep/only\nsrc/x*\n!keep.log\n",
        "src/.gitignore": "!other.log\nlocal\n",
        ".git/info/exclude": "mine\n*.csv\nkeep.log\n",
    }
    names = [".env", "a.log", "keep.log", "other.log", "only", "xy", "local", "mine", "a.csv", "é.py"]
    write_files(folder, {**rules, **{f"{path}/{name}": "" for path in (".", "src/deep") for name in names}})
    for path in ("", "src", "src/deep", "data"):
        assert list_files(folder / path) == run_git(
            folder / path, "ls-files", "-z", "--others", "--exclude-standard"
        )
    (folder / "data/link").symlink_to("../src/deep")
    assert list_files(folder / "data/link") == list_files(folder / "src/deep")


@pytest.mark.parametrize("where", ["git/ignore", "own rules", "absent"])
def test_the_rules_of_a_person_count_last(folder: Path, where: str) -> None:
    settings = Path(os.environ["XDG_CONFIG_HOME"])
    if where != "git/ignore":
        run_git(folder, "config", "--global", "core.excludesFile", f"{settings}/{where}")
    write_files(folder, {".env": "", "src/.env": "", "src/a.log": "", ".gitignore": "!src/.env\n"})
    if where != "absent":
        write_files(settings, {where: ".env\n*.log\n"})
    for path in ("", "src"):
        found = list_files(folder / path)
        assert found == run_git(folder / path, "ls-files", "-z", "--others", "--exclude-standard")
        assert ("a.log" in found or "src/a.log" in found) is (where == "absent")


@pytest.mark.parametrize("rule", ["data/", "/data", "data/*", "data/**", "*"])
def test_a_folder_that_was_named_is_sent_though_it_is_ignored(folder: Path, rule: str) -> None:
    write_files(folder, {".gitignore": f"{rule}\n.env\n*.log\n", "data/small/.env": "", "data/big/a.log": ""})
    assert list_files(folder / "data") == {"small/a", "big/a"}
    assert list_files(folder / "data/small") == {"a"}


def test_a_list_of_what_is_sent_counts_below_it(folder: Path) -> None:
    write_files(folder, {".gitignore": "*\n!*/\n!*.py\n", "src/.env": ""})
    assert list_files(folder / "src") == {"a.py"}


def test_the_rules_of_a_worktree_count(folder: Path) -> None:
    run_git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-m", "a")
    run_git(folder, "worktree", "add", "tree")
    write_files(folder, {".git/info/exclude": "mine\n", "tree/a/mine": "", "tree/a/b": ""})
    assert list_files(folder / "tree/a") == {"b"}


def test_rules_without_a_repository_count_below_them(tmp_path: Path) -> None:
    write_files(tmp_path, {".gitignore": "a\n", "in/a": "", "in/b": ""})
    assert list_files(tmp_path) == {".gitignore", "in/b"}
    assert list_files(tmp_path / "in") == {"a", "b"}


def test_rules_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    rules = tmp_path / ".podignore"
    os.mkfifo(rules)
    with pytest.raises(
        InvalidRequest, match=r"podignore' is not a file, so its rules are not known\. Nothing"
    ):
        list_folder(str(tmp_path))
    rules.unlink()
    rules.write_bytes(b"#" * 1_100_000)
    with pytest.raises(InvalidRequest, match="has more than 1 MB"):
        list_folder(str(tmp_path))
    rules.unlink()
    rules.symlink_to("nowhere")
    with pytest.raises(InvalidRequest, match=r"Cannot read .*No such file"):
        list_folder(str(tmp_path))

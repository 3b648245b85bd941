"""A folder of a pod that becomes the same as a local one."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest

from primepods_magic.api.errors import InvalidRequest, TransferFailed
from primepods_magic.remote.files.results import TransferResult
from primepods_magic.remote.files.syncing import sync_folder, watch_folder
from primepods_magic.remote.link import PodLink
from tests.remote.files.conftest import describe_tree, make_tree


def write_files(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)


def test_the_settings_of_a_home_are_not_removed(link: PodLink, here: Path, pod_folder: Path) -> None:
    write_files(here, "a", ".ssh/config")
    write_files(pod_folder / "home", ".ssh/authorized_keys")
    (pod_folder / "link").symlink_to("home")
    for target in ("~", "/", str(pod_folder), str(pod_folder / "link")):
        with pytest.raises(
            InvalidRequest, match=r"is the home, or contains it\. '--delete' would also remove"
        ):
            sync_folder(link, ".", target, delete=True)
    with pytest.raises(InvalidRequest, match=r"Name the folder on 'train' for '\.ssh'"):
        sync_folder(link, ".ssh")
    assert (pod_folder / "home/.ssh/authorized_keys").exists()
    assert not (pod_folder / "home/.ssh/config").exists()


def test_only_what_has_changed_is_sent(link: PodLink, here: Path, there: Path) -> None:
    make_tree(here)
    sync_folder(link, ".", str(there))
    assert describe_tree(there) == describe_tree(here)
    again = sync_folder(link, ".", str(there))
    assert (set(again.count_actions()), again.sent_bytes) == ({"unchanged"}, 0)
    (here / "a.csv").write_text("new")
    (here / "run.sh").chmod(0o700)
    (here / "deep/link").unlink()
    (here / "deep/link").symlink_to("../run.sh")
    assert sync_folder(link, ".", str(there)).count_actions()["sent"] == 2
    assert describe_tree(there) == describe_tree(here)


def test_it_goes_to_the_folder_of_the_same_name(link: PodLink, here: Path, pod_folder: Path) -> None:
    write_files(here / "project", "a")
    sync_folder(link, "project")
    assert (pod_folder / "home/project/a").read_text() == "a"
    write_files(here, "file")
    with pytest.raises(InvalidRequest, match="is not a folder"):
        sync_folder(link, "file")


def test_ignored_files_are_neither_sent_nor_removed(link: PodLink, here: Path, there: Path) -> None:
    (here / "in").mkdir()
    (here / ".gitignore").write_text("*.log\n/data/\nbuild\n# comment\n!keep.log\nsecret*\n")
    (here / ".podignore").write_text("!secret.txt\n*.pt\n")
    (here / "in/.gitignore").write_text("!mine.log\nlocal\n")
    sent = ["a.py", "keep.log", "secret.txt", "in/mine.log", "in/data/x", "in/a.py"]
    ignored = [
        "x.log",
        "data/x",
        "build/x",
        "in/build/x",
        "in/x.log",
        "secret.env",
        "m.pt",
        "in/local",
        ".git/x",
    ]
    write_files(here, *sent, *ignored)
    write_files(there, *ignored, "old/x.log", "old/a", "older/a")
    result = sync_folder(link, ".", str(there), delete=True)
    rules = [".gitignore", ".podignore", "in/.gitignore"]
    files = {str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()}
    assert files == {*sent, *ignored, *rules, "old/x.log"}
    assert {file.path for file in result.files if file.action == "removed"} == {"old/a", "older/a", "older"}


def test_what_would_be_done_is_shown_and_not_done(link: PodLink, here: Path, there: Path) -> None:
    write_files(here, "a", "in/b")
    write_files(there, "surplus")
    result = sync_folder(link, ".", str(there), delete=True, dry_run=True)
    assert [(file.path, file.action) for file in result.files] == [
        ("a", "would send"),
        ("in", "would send"),
        ("in/b", "would send"),
        ("surplus", "would remove"),
    ]
    assert list(describe_tree(there)) == ["surplus"]


def test_nothing_is_done_without_consent(link: PodLink, here: Path, there: Path) -> None:
    write_files(here, "a")
    write_files(there, "surplus", "links/x")
    (there / "away").symlink_to("/etc")
    asked: list[list[str]] = []

    def refuse(paths: object) -> bool:
        asked.append(list(paths))  # type: ignore[call-overload]
        return False

    with pytest.raises(InvalidRequest, match=r"Removing 4 files on 'train' was not confirmed\. Nothing was"):
        sync_folder(link, ".", str(there), delete=True, confirm=refuse)
    assert asked == [["away", "links", "surplus", "links/x"]]
    assert "a" not in describe_tree(there)
    sync_folder(link, ".", str(there), delete=True, confirm=lambda _: True)
    assert describe_tree(there).keys() == {"a"}
    assert os.path.exists("/etc/passwd")


class _Unsearchable:
    """An entry of a folder that may be listed and not searched; root may do both."""

    def __init__(self, entry: os.DirEntry[str]) -> None:
        self.name, self.path = entry.name, entry.path

    def is_dir(self, **_: bool) -> bool:
        return False

    is_symlink = is_dir

    def stat(self, **_: bool) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("fault", ["not listed", "not searched", "a link", "a file"])
@pytest.mark.filterwarnings("ignore:Skipped")
def test_what_may_be_here_is_not_removed(
    link: PodLink, here: Path, there: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(here, "a", "data/in/x", "data/y")
    write_files(there, "data/in/x", "data/y", "data/in/z", "database", "old")
    scan = os.scandir

    def scan_with_fault(path: str) -> object:
        if Path(path).name != "data":
            return scan(path)
        if fault == "not listed":
            raise OSError(errno.ESTALE, "Stale file handle")
        return contextlib.nullcontext([_Unsearchable(entry) for entry in scan(path)])

    if not fault.startswith("not"):
        (here / "data").rename(here.parent / "moved")
        (here / "data").symlink_to("../moved") if fault == "a link" else write_files(here, "data")
    with monkeypatch.context() as patch:
        if fault.startswith("not"):
            patch.setattr(os, "scandir", scan_with_fault)
        result = sync_folder(link, ".", str(there), delete=True)
    removed = [file.path for file in result.files if file.action == "removed"]
    assert removed == ["database", "old"]
    assert (there / "data/in/z").exists()


def test_nothing_is_removed_for_a_folder_that_cannot_be_listed(
    link: PodLink, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(here / "project", "a")
    write_files(there, "old")

    def refuse(path: str) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        with pytest.raises(InvalidRequest, match=r"Cannot list '.*project' \(Input/.* error\)\. Nothing was"):
            sync_folder(link, "project", str(there), delete=True)
    assert describe_tree(there).keys() == {"old"}


def test_what_changes_meanwhile_is_not_removed(link: PodLink, here: Path, there: Path) -> None:
    write_files(here, "a")
    write_files(there, "log", "old")

    def confirm_and_change(_: object) -> bool:
        (there / "log").write_text("written meanwhile")
        return True

    with pytest.raises(TransferFailed, match=r"removed on .*: log \(it has changed there meanwhile\)"):
        sync_folder(link, ".", str(there), delete=True, confirm=confirm_and_change)
    assert describe_tree(there).keys() == {"a", "log"}


def test_it_goes_on_as_files_change(link: PodLink, here: Path, there: Path) -> None:
    write_files(here, "a")
    results: list[TransferResult] = []
    changes = [lambda: None, lambda: write_files(here, "b"), (here / "a").unlink]

    def should_stop(_: float) -> bool:
        if changes:
            changes.pop(0)()
        return not changes

    def sync() -> bool:
        results.append(sync_folder(link, ".", str(there)))
        return True

    watch_folder(".", sync, should_stop=should_stop)
    assert [result.count_actions() for result in results] == [{"sent": 1}, {"unchanged": 1, "sent": 1}]


def test_what_has_failed_is_tried_again_after_pauses(here: Path) -> None:
    rounds, tried = iter(range(200)), []
    now = 0

    def sync() -> bool:
        tried.append(now)
        return len(tried) > 8

    def should_stop(_: float) -> bool:
        nonlocal now
        now = next(rounds) + 1
        return now == 200

    watch_folder(".", sync, should_stop=should_stop)
    assert tried == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_an_empty_folder_removes_nothing(link: PodLink, here: Path, there: Path) -> None:
    write_files(here, ".git/x")
    write_files(there, "a", "b")
    with pytest.raises(InvalidRequest, match=r"so '--delete' would remove all 2 in .*\. Nothing was done"):
        sync_folder(link, ".", str(there), delete=True)
    assert describe_tree(there).keys() == {"a", "b"}

"""Where a database lies decides how it is kept safe: ahead of itself on a disk, with a rollback elsewhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from primepods_magic.sandbox import start
from primepods_magic.sandbox.storage.connection import open_database
from primepods_magic.sandbox.storage.filesystems import is_local

from .conftest import Caller


def mounts(folder: Path, *rows: tuple[str, str]) -> Path:
    """A list of what is mounted where, as Linux writes it."""
    path = folder / "mountinfo"
    lines = [
        f"{number} 1 0:{number} / {point} rw,relatime shared:1 - {kind} source rw"
        for number, (point, kind) in enumerate(rows, 20)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def journal(path: Path, **options: Path) -> tuple[str, int]:
    """The journal of a database that was just opened, and how it is synchronised (1 NORMAL, 2 FULL)."""
    with closing(open_database(path, **options)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
        return mode, synchronous


@pytest.mark.parametrize(
    ("rows", "local"),
    [
        ([("/", "ext4")], True),
        ([("/", "ext4"), ("/home", "nfs4")], False),
        ([("/", "nfs"), ("/home", "xfs")], True),
        ([("/", "ext4"), ("/home/ada", "fuse.sshfs")], False),
        ([("/", "ext4"), ("/hom", "cifs")], True),
        ([("/", "ext4"), ("/home", "ext4"), ("/home", "cifs")], False),
        ([("/", "overlay")], True),
        ([("/", "ext4"), (r"/home/ada/my\040data", "9p")], False),
        ([], False),
    ],
)
def test_the_nearest_mount_tells_whether_a_file_is_local(
    tmp_path: Path, rows: list[tuple[str, str]], local: bool
) -> None:
    assert is_local(Path("/home/ada/my data/pods.sqlite"), mounts(tmp_path, *rows)) is local


def test_where_nothing_is_told_a_file_may_be_anywhere(tmp_path: Path) -> None:
    assert not is_local(tmp_path / "pods.sqlite", tmp_path / "missing")


def test_a_local_database_is_written_ahead(tmp_path: Path) -> None:
    assert journal(tmp_path / "new.sqlite", mounts=mounts(tmp_path, ("/", "ext4"))) == ("wal", 1)


def test_a_database_on_the_network_has_a_rollback_journal(tmp_path: Path) -> None:
    assert journal(tmp_path / "new.sqlite", mounts=mounts(tmp_path, ("/", "nfs4"))) == ("delete", 2)


def test_a_database_that_moved_to_the_network_is_changed_back(tmp_path: Path) -> None:
    db = tmp_path / "pods.sqlite"
    with start(db, clock="stepped") as sandbox, Caller(sandbox.url) as caller:
        pod_id = caller.order()["id"]
    assert journal(db, mounts=mounts(tmp_path, ("/", "nfs"))) == ("delete", 2)
    with start(db) as sandbox, Caller(sandbox.url) as caller:
        assert caller.call("GET", "pods")["data"][0]["id"] == pod_id


def test_a_clean_end_leaves_one_file(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with start(folder / "pods.sqlite", clock="stepped") as sandbox, Caller(sandbox.url) as caller:
        caller.order()
    assert [path.name for path in folder.iterdir()] == ["pods.sqlite"]
    with closing(sqlite3.connect(folder / "pods.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

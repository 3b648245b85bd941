"""Files that cannot be a sandbox's database: one kind of exception, one line that says what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from primepods_magic.sandbox import DatabaseUnusable, start
from primepods_magic.sandbox.storage import connection as opening

from .conftest import PROJECT

NOBODY = 65_534


def refusal(path: Path) -> str:
    """What start says about a file."""
    with pytest.raises(DatabaseUnusable) as raised:
        start(path)
    said = str(raised.value)
    assert said.startswith(str(path))
    assert len(said.splitlines()) == 1
    return said


def laid_out(path: Path) -> Path:
    """A sandbox's database."""
    with start(path, clock="stepped"):
        pass
    return path


@contextmanager
def held(path: Path, lock: str) -> Iterator[None]:
    """Another program in the middle of writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"BEGIN {lock}")
        yield


@contextmanager
def as_somebody() -> Iterator[None]:
    """Not as root, who may do everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder of somebody who is not root, which those of pytest may be."""
    folder = Path(tempfile.mkdtemp(prefix="unusable-"))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


def test_a_junk_file(tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(b"Dear diary, today I rented a pod and it was good. " * 20)
    before = junk.read_bytes()
    assert "is not a database of the sandbox" in refusal(junk)
    assert junk.read_bytes() == before


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_database_of_something_else(tmp_path: Path, version: int) -> None:
    other = tmp_path / "other"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine (x)")
        connection.execute(f"PRAGMA user_version = {version}")
    before = other.read_bytes()
    assert "is a database of another program" in refusal(other)
    assert other.read_bytes() == before


def test_a_damaged_database(tmp_path: Path) -> None:
    db = laid_out(tmp_path / "pods.sqlite")
    with db.open("r+b") as file:
        file.truncate(4096 * 2)
    assert "database" in refusal(db)


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is a folder" in refusal(tmp_path)
    assert f"{tmp_path / 'file'} is not a folder" in refusal(tmp_path / "file" / "pods.sqlite")
    assert f"there is no folder {tmp_path / 'no'}" in refusal(tmp_path / "no" / "pods.sqlite")
    assert "is not a plain file" in refusal(Path("/dev/null"))


def test_files_that_may_not_be_read_or_written(open_folder: Path) -> None:
    db = open_folder / "pods.sqlite"
    with as_somebody():
        laid_out(db)
        db.chmod(0o000)
        assert "check the permissions" in refusal(db)
        db.chmod(0o444)
        assert "check the permissions" in refusal(db)
        db.chmod(0o644)
        # The journal of a change goes beside the file.
        open_folder.chmod(0o555)
        assert "check the permissions" in refusal(db)
        assert "check the permissions" in refusal(open_folder / "new.sqlite")
        open_folder.chmod(0o000)
        assert "pods.sqlite" in refusal(db)


@pytest.mark.parametrize("lock", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_locked_database_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str) -> None:
    monkeypatch.setattr(opening, "_START_TIMEOUT_S", 0.3)
    db = laid_out(tmp_path / "pods.sqlite")
    with held(db, lock):
        assert "is in use by another process" in refusal(db)
    laid_out(db)


@pytest.mark.parametrize("lock", ["EXCLUSIVE", "IMMEDIATE"])
def test_a_new_file_may_be_locked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lock: str) -> None:
    monkeypatch.setattr(opening, "_START_TIMEOUT_S", 0.3)
    with held(tmp_path / "new.sqlite", lock):
        assert "is in use by another process" in refusal(tmp_path / "new.sqlite")


def test_the_program_waits_about_five_seconds_and_says_one_line(tmp_path: Path) -> None:
    db = laid_out(tmp_path / "pods.sqlite")
    with held(db, "EXCLUSIVE"):
        began = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-m", "primepods_magic.sandbox", "--db", str(db)],
            capture_output=True,
            text=True,
            cwd=PROJECT,
            timeout=60,
        )
        assert 4 < time.monotonic() - began < 20
    assert (run.returncode, run.stdout) == (2, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"error: {db} is in use by another process")


def test_a_full_disk_asks_for_room(tmp_path: Path) -> None:
    with (
        pytest.raises(DatabaseUnusable, match="free some space"),
        opening.convert_sqlite_errors(tmp_path / "db"),
    ):
        raise sqlite3.OperationalError("database or disk is full")


def test_nothing_stays_open(tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_text("junk " * 200)
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("the system does not tell")
    before = len(list(folder.iterdir()))
    refusal(junk)
    refusal(tmp_path)
    assert len(list(folder.iterdir())) == before


def test_a_database_of_an_earlier_version_is_left_alone(tmp_path: Path) -> None:
    db = laid_out(tmp_path / "pods.sqlite")
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("PRAGMA user_version = 2")
    assert "was created by an earlier version" in refusal(db)
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)

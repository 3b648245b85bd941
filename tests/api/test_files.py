"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from primepods_magic.api.local.atomic_files import (
    read_plain_file,
    replace_file,
    replace_users_file,
    write_atomically,
)
from tests.support.damage import damage_path


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_text_and_bytes_for_the_user_alone(tmp_path: Path) -> None:
    for content in ("größer", b"\0\xff"):
        write_atomically(tmp_path / "note", content, is_durable=True)
        data = content.encode() if isinstance(content, str) else content
        assert (tmp_path / "note").read_bytes() == data
        assert stat.S_IMODE((tmp_path / "note").stat().st_mode) == 0o600
        assert _names(tmp_path) == ["note"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError()])
def test_keeps_the_earlier_file_if_writing_fails(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("earlier")

    def write_half() -> None:
        with replace_file(path) as file:
            file.write(b"half of")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert path.read_text() == "earlier"
    assert _names(tmp_path) == ["table.csv"]


def test_never_follows_a_symbolic_link(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("precious")
    for target in (mine, tmp_path / "missing", "note"):
        (tmp_path / "note").unlink(missing_ok=True)
        (tmp_path / "note").symlink_to(target)
        write_atomically(tmp_path / "note", "new")
        assert not (tmp_path / "note").is_symlink()
        assert (tmp_path / "note").read_text() == "new"
    assert mine.read_text() == "precious"
    assert _names(tmp_path) == ["mine", "note"]


def test_temporary_names_cannot_be_guessed(tmp_path: Path) -> None:
    seen = set()
    for _ in range(5):
        with replace_file(tmp_path / "note") as file:
            file.write(b"x")
            seen |= {name for name in _names(tmp_path) if name != "note"}
    assert len(seen) == 5
    assert not any(str(os.getpid()) == name.strip(".tmp") or "note" in name for name in seen)


def test_replaces_a_pipe_and_refuses_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    write_atomically(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").read_text() == "text"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "folder", "text")
    assert _names(tmp_path) == ["folder", "pipe"]


def test_reads_plain_files_only(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"abc")
    assert read_plain_file(tmp_path / "plain", max_bytes=3) == b"abc"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name, reason in (
        ("pipe", "plain"),
        ("loop", "symbolic"),
        ("zero", "plain"),
        (".", "directory|plain"),
    ):
        with pytest.raises(OSError, match=reason):
            read_plain_file(tmp_path / name)
    with pytest.raises(OSError, match="larger than 2 bytes"):
        read_plain_file(tmp_path / "plain", max_bytes=2)


def _save(path: Path, content: bytes = b"new") -> None:
    with replace_users_file(path) as file:
        file.write(content)


def test_replaces_what_a_users_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "real").write_text("earlier")
    (tmp_path / "folder" / "second").symlink_to("real")
    (tmp_path / "first").symlink_to("folder/second")
    _save(tmp_path / "first")
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "folder" / "second").is_symlink()
    assert (tmp_path / "folder" / "real").read_text() == "new"
    assert _names(tmp_path / "folder") == ["real", "second"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o750])
def test_keeps_the_permissions_of_a_users_file(mode: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("earlier")
    (tmp_path / "file").chmod(mode)
    _save(tmp_path / "file")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode
    assert (tmp_path / "file").read_text() == "new"


@pytest.fixture
def folder_of_nobody() -> Iterator[Path]:
    """A folder of somebody who is not root, which those of pytest may be."""
    folder = Path(tempfile.mkdtemp(prefix="protected-"))
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, 65_534, 65_534)
        os.seteuid(65_534)
    yield folder
    if is_root:
        os.seteuid(0)
    shutil.rmtree(folder)


def test_does_not_replace_a_file_that_is_protected(folder_of_nobody: Path) -> None:
    path = folder_of_nobody / "file"
    path.write_text("earlier")
    path.chmod(0o444)
    with pytest.raises(PermissionError):
        _save(path)
    assert path.read_text() == "earlier"
    assert _names(folder_of_nobody) == ["file"]


@pytest.mark.parametrize("damage", ["folder", "pipe", "device", "loop"])
def test_refuses_a_users_place_that_is_not_a_file(damage: str, tmp_path: Path) -> None:
    damage_path(tmp_path / "file", damage)
    with pytest.raises(OSError, match=r"not a plain file|symbolic links"):
        _save(tmp_path / "file")
    assert _names(tmp_path) == ["file"]

"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from primepods_magic.api.files import read_plain_file, replace_file, write_atomically


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

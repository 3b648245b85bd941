"""Bytes of values: stored privately, fetched whole, never more than was allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from primepods_magic.api.errors import InvalidRequest, PodsError
from primepods_magic.remote.files.streams import StreamWatch
from primepods_magic.remote.files.values import fetch_bytes, remove_file, send_bytes
from primepods_magic.remote.link import PodLink


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_bytes_come_back_as_they_were(link: PodLink, size: int) -> None:
    data = os.urandom(size // 2) + bytes(size - size // 2)
    seen: list[tuple[int, int]] = []
    watch = StreamWatch(on_progress=lambda done, total: seen.append((done, total)))
    path = send_bytes(link, memoryview(data), watch=watch)
    assert fetch_bytes(link, path, max_bytes=size) == data
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_they_are_private(link: PodLink, pod_folder: Path) -> None:
    path = Path(send_bytes(link, b"secret"))
    assert path.parent == pod_folder / "home/.primepods/values"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    remove_file(link, str(path))
    remove_file(link, str(path))
    assert list(path.parent.glob(path.name + "*")) == []


def test_no_more_is_fetched_than_was_allowed(link: PodLink) -> None:
    path = send_bytes(link, bytes(100))
    with pytest.raises(
        InvalidRequest, match=r"has 100 bytes, more than the limit of 99\. It was not fetched"
    ):
        fetch_bytes(link, path, max_bytes=99)


def test_a_file_that_cannot_be_read_is_an_error(link: PodLink, tmp_path: Path) -> None:
    with pytest.raises(PodsError, match="No such file or directory"):
        fetch_bytes(link, str(tmp_path / "none"), max_bytes=10)
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(PodsError, match="Too many levels of symbolic links"):
        fetch_bytes(link, str(tmp_path / "link"), max_bytes=1000)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(PodsError, match="it is not a file"):
        fetch_bytes(link, str(tmp_path / "fifo"), max_bytes=10)
    with pytest.raises(PodsError, match="No such file or directory"):
        fetch_bytes(link, str(tmp_path / "no/where"), max_bytes=10)

"""A pod behind a real SSH server, files to send, and what to compare."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from primepods_magic.pods.pod import Pod
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.ssh.routes import find_route


@pytest.fixture(scope="module")
def open_links() -> Iterator[dict[str, PodLink]]:
    """Connections that the tests of a file share: logging in takes longer than most of them."""
    links: dict[str, PodLink] = {}
    yield links
    for link in links.values():
        link.close()


@pytest.fixture
def link(agent_pod: Pod, open_links: dict[str, PodLink]) -> PodLink:
    if "pod" not in open_links:
        open_links["pod"] = PodLink(find_route(agent_pod.connection, agent_pod.details), lambda: None)
    return open_links["pod"]


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A folder of the pod."""
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that this side works in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def describe_tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything in a folder: kind, permissions, and content, time or target."""
    found: dict[str, tuple[object, ...]] = {}
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(parent, name)
            facts = path.lstat()
            key = str(path.relative_to(folder))
            if stat.S_ISLNK(facts.st_mode):
                found[key] = ("link", os.readlink(path))
            elif stat.S_ISDIR(facts.st_mode):
                found[key] = ("dir", facts.st_mode & 0o777)
            else:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                found[key] = ("file", facts.st_mode & 0o777, facts.st_mtime_ns, digest)
    return found


def make_tree(folder: Path) -> None:
    """Files of many kinds, with modes that both sides keep."""
    for path, content, mode in [
        ("a.csv", b"1,2\n", 0o644),
        ("empty", b"", 0o600),
        ("run.sh", b"#!/bin/sh\n", 0o755),
        ("deep/er/est/b.bin", os.urandom(700_000), 0o640),
        ("deep/naïve – name\n*.txt", b"odd", 0o644),
        ("deep/\udcff\udcfe.dat", b"bytes that are not text", 0o644),
        ("zeros", bytes(3_000_000) + b"x" + bytes(300_000), 0o644),
    ]:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        file.write_bytes(content)
        file.chmod(mode)
        os.utime(file, ns=(1_600_000_000_123_456_789,) * 2)
    (folder / "nothing").mkdir(mode=0o750)
    (folder / "deep/link").symlink_to("../a.csv")
    (folder / "to folder").symlink_to("deep")
    (folder / "dangling").symlink_to("nowhere")

"""Transfers whose connection is cut: the same trees, and at most one window twice for each cut."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from primepods_magic.pods.pod import Pod
from primepods_magic.remote.files.streams import MAX_BLOCK_BYTES, WINDOW_BLOCKS, StreamWatch
from primepods_magic.remote.files.transfers import get_files, put_files
from primepods_magic.remote.files.values import fetch_bytes, send_bytes
from primepods_magic.remote.link import PodLink
from tests.remote.files.conftest import describe_tree
from tests.remote.test_link_cuts import cut_pod as cut_pod
from tests.remote.test_link_cuts import find_link
from tests.remote.test_link_cuts import proxy as proxy
from tests.support.cutting_proxy import CUTS, CuttingProxy
from tests.support.soak import pick

COUNT = pick(1, 5)
LARGE_BYTES = pick(8_000_000, 1_000_000_000)
SMALL_FILES = pick(250, 20_000)
# Of logins, and of the frames around the content.
OTHER_BYTES = 400_000


class Cutter:
    """Cuts a connection as a transfer gets on."""

    def __init__(self, proxy: CuttingProxy, link: PodLink, total_bytes: int) -> None:
        self.watch = StreamWatch(on_progress=self._note)
        self._proxy = proxy
        self._link = link
        self._marks = [total_bytes * number // (COUNT + 1) for number in range(1, COUNT + 1)]
        self._lock = threading.Lock()

    def _note(self, done: int, _: int) -> None:
        with self._lock:
            if self._marks and done >= self._marks[0] and self._link.connected.is_set():
                del self._marks[0]
                self._proxy.cut(CUTS[len(self._marks) % 2])

    def check(self, passed_bytes: int, total_bytes: int) -> None:
        """Every cut was made, and cost at most one window."""
        assert not self._marks
        window = WINDOW_BLOCKS * MAX_BLOCK_BYTES
        assert passed_bytes <= total_bytes * 1.01 + COUNT * window + OTHER_BYTES


@pytest.mark.parametrize("kind", ["large", "small"])
def test_files_are_the_same_after_cuts(
    cut_pod: Pod, proxy: CuttingProxy, here: Path, there: Path, kind: str
) -> None:
    source = here / "source"
    source.mkdir()
    if kind == "large":
        (source / "large").write_bytes(os.urandom(LARGE_BYTES))
    else:
        for number in range(SMALL_FILES):
            path = source / f"{number % 50}/{number}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(os.urandom(pick(30_000, 3_000)))
    before = describe_tree(source)
    total = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    link = find_link(cut_pod)
    for way in ("put", "get"):
        cutter, passed = Cutter(proxy, link, total), sum(proxy.passed_bytes.values())
        if way == "put":
            put_files(link, [source], str(there), watch=cutter.watch)
        else:
            get_files(link, [str(there / "source")], "back", watch=cutter.watch)
        cutter.check(sum(proxy.passed_bytes.values()) - passed, total)
    assert describe_tree(there / "source") == before
    assert describe_tree(here / "back/source") == before


def test_values_are_the_same_after_cuts(cut_pod: Pod, proxy: CuttingProxy) -> None:
    data = os.urandom(pick(8_000_000, 200_000_000))
    link = find_link(cut_pod)
    cutter = Cutter(proxy, link, len(data))
    path = send_bytes(link, data, watch=cutter.watch)
    assert not cutter._marks
    cutter = Cutter(proxy, link, len(data))
    assert fetch_bytes(link, path, max_bytes=len(data), watch=cutter.watch) == data
    assert not cutter._marks

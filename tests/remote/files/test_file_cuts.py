"""Transfers whose connection is cut: the same trees, and at most one block twice for each cut."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from primepods_magic.api.errors import WaitInterrupted
from primepods_magic.notebook.cells.project import send_quietly
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.files.streams import MAX_BLOCK_BYTES, WINDOW_BLOCKS, StreamWatch
from primepods_magic.remote.files.transfers import get_files, put_files
from primepods_magic.remote.files.values import fetch_bytes, send_bytes
from primepods_magic.remote.link import PodLink
from tests.remote.files.conftest import describe_tree
from tests.remote.test_link_cuts import cut_pod as cut_pod
from tests.remote.test_link_cuts import find_link
from tests.remote.test_link_cuts import proxy as proxy
from tests.support.agents import find_marked, make_mark
from tests.support.cutting_proxy import CUTS, CuttingProxy
from tests.support.memory import watch_memory
from tests.support.soak import pick

COUNT = pick(1, 5)
LARGE_BYTES = pick(8_000_000, 1_000_000_000)
SMALL_FILES = pick(250, 20_000)
# Over many cuts. A single one may lose as much as the SSH programs have in their memory.
MAX_BLOCKS_TWICE = pick(WINDOW_BLOCKS, 1)
# What crosses for each file besides its content: in the list of files, and around the content.
FILE_BYTES = 600
MAX_GROWN_MB = 60


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
                self._proxy.cut(CUTS[len(self._marks)])

    def check(self, passed_bytes: int, total_bytes: int) -> None:
        """Every cut was made, and little was sent twice."""
        print(f"{(passed_bytes - total_bytes) / COUNT / 1e6:.2f} MB twice for each of {COUNT} cuts")
        assert not self._marks
        assert passed_bytes <= total_bytes + COUNT * MAX_BLOCKS_TWICE * MAX_BLOCK_BYTES


@pytest.mark.parametrize("kind", ["large", "small"])
def test_files_are_the_same_after_cuts(
    cut_pod: Pod, proxy: CuttingProxy, pod_folder: Path, here: Path, there: Path, kind: str
) -> None:
    source = here / "source"
    source.mkdir()
    if kind == "large":
        with (source / "large").open("wb") as file:
            for _ in range(LARGE_BYTES // 1_000_000):
                file.write(os.urandom(1_000_000))
    else:
        for number in range(SMALL_FILES):
            path = source / f"{number % 50}/{number}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(os.urandom(pick(30_000, 3_000)))
    before = describe_tree(source)
    sizes = [path.stat().st_size for path in source.rglob("*") if path.is_file()]
    total = sum(sizes)
    link = find_link(cut_pod)
    link.ask("jobs")
    [agent] = find_marked(make_mark(pod_folder), "agent.pyz", "serve")
    for way in ("put", "get"):
        cutter, passed = Cutter(proxy, link, total), sum(proxy.passed_bytes.values())
        with watch_memory({"client": os.getpid(), "agent": agent}) as grown:
            if way == "put":
                put_files(link, [source], str(there), watch=cutter.watch)
            else:
                get_files(link, [str(there / "source")], "back", watch=cutter.watch)
        others = total // 500 + len(sizes) * FILE_BYTES
        cutter.check(sum(proxy.passed_bytes.values()) - passed, total + others)
        print(way, "MB more than before:", {name: round(most) for name, most in grown.items()})
        assert max(grown.values()) < MAX_GROWN_MB
    assert describe_tree(there / "source") == before
    assert describe_tree(here / "back/source") == before


def test_blocks_that_have_arrived_are_not_sent_again(
    cut_pod: Pod, proxy: CuttingProxy, here: Path, there: Path
) -> None:
    """Only the answers to them are lost. One block may have been on its way."""
    size = 6_000_000
    (here / "large").write_bytes(os.urandom(size))
    link = find_link(cut_pod)
    link.ask("jobs")
    before, is_cut = proxy.passed_bytes["up"], threading.Event()

    def cut(done: int, _: int) -> None:
        if done and not is_cut.is_set():
            is_cut.set()
            proxy.cut("stall-down")

    put_files(link, [here / "large"], str(there), watch=StreamWatch(on_progress=cut))
    assert link.connects == 2
    assert (there / "large").read_bytes() == (here / "large").read_bytes()
    assert proxy.passed_bytes["up"] - before < size + size // 500 + MAX_BLOCK_BYTES


def test_values_are_the_same_after_cuts(cut_pod: Pod, proxy: CuttingProxy) -> None:
    data = os.urandom(pick(8_000_000, 200_000_000))
    link = find_link(cut_pod)
    cutter = Cutter(proxy, link, len(data))
    path = send_bytes(link, data, watch=cutter.watch)
    assert not cutter._marks
    cutter = Cutter(proxy, link, len(data))
    assert fetch_bytes(link, path, max_bytes=len(data), watch=cutter.watch) == data
    assert not cutter._marks


def test_the_notebooks_folder_can_be_stopped_while_no_answer_comes(
    cut_pod: Pod, proxy: CuttingProxy, here: Path
) -> None:
    link = find_link(cut_pod)
    link.ask("jobs")
    watch = StreamWatch()
    watch.stop.set()
    proxy.cut("stall")
    accepted = proxy.accepted
    with pytest.raises(WaitInterrupted, match="Interrupted after 0 bytes"):
        send_quietly(link, watch)
    assert proxy.accepted == accepted

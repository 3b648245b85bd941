"""Transfers whose agent or client ends on the way, pods whose disk is full, and pods with other Pythons."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from primepods_magic.api.errors import PodsError
from primepods_magic.pods.pod import Pod
from primepods_magic.remote.files.streams import StreamWatch
from primepods_magic.remote.files.transfers import put_files
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.links import close_links, open_link
from primepods_magic.remote.ssh.routes import find_route
from tests.remote.files.conftest import describe_tree, make_tree
from tests.remote.test_agent_pythons import PYTHONS
from tests.remote.test_agent_pythons import start as start
from tests.support.agents import kill_marked, make_mark
from tests.support.soak import pick
from tests.support.waiting import eventually

SIZE = 24_000_000


def end_at(done_bytes: int, end: Callable[[], object]) -> StreamWatch:
    """A watch that ends something once so much has arrived."""
    begun: list[int] = []

    def note(done: int, _: int) -> None:
        if done >= done_bytes and not begun:
            begun.append(done)
            end()

    return StreamWatch(on_progress=note)


def test_after_the_end_of_the_agent_the_same_again_goes_on(
    link: PodLink, here: Path, there: Path, pod_folder: Path
) -> None:
    (here / "big").write_bytes(os.urandom(SIZE))
    watch = end_at(8_000_000, lambda: kill_marked(make_mark(pod_folder), "serve"))
    with pytest.raises(
        PodsError, match=r"^Stopped after .* had been sent: 'train' no longer knows this tran"
    ):
        put_files(link, ["big"], str(there), watch=watch)
    result = put_files(link, ["big"], str(there))
    assert result.sent_bytes <= SIZE - 4_000_000
    assert (there / "big").read_bytes() == (here / "big").read_bytes()


def test_after_the_end_of_the_client_the_same_again_goes_on(agent_pod: Pod, here: Path, there: Path) -> None:
    (here / "big").write_bytes(os.urandom(SIZE))
    link = PodLink(find_route(agent_pod.connection, agent_pod.details), lambda: None)
    # As if it was killed: it says nothing to the agent.
    closing = threading.Thread(target=link.close)
    with pytest.raises(PodsError, match="was closed"):
        put_files(link, ["big"], str(there), watch=end_at(8_000_000, closing.start))
    closing.join()
    link = open_link(agent_pod.connection, agent_pod.details)
    # The agent may still have some of what was on its way.
    eventually(lambda: (there / ".big.primepods-part").stat().st_size >= 8_000_000, "is there")
    result = put_files(link, ["big"], str(there))
    assert result.sent_bytes <= SIZE - 4_000_000
    assert (there / "big").read_bytes() == (here / "big").read_bytes()


@pytest.mark.parametrize("python", pick(list(PYTHONS.values())[:1], list(PYTHONS.values())))
def test_every_python_transfers_files(
    start: Callable[..., Pod], here: Path, there: Path, python: str
) -> None:
    make_tree(here / "tree")
    pod = start(python=python)
    pod.put("tree", str(there))
    os.utime(here / "tree/zeros")
    assert set(pod.put("tree", str(there)).count_actions()) == {"unchanged"}
    pod.get(str(there / "tree"), "back")
    (here / "tree/a.csv").unlink()
    pod.sync("tree", str(there / "tree"), delete=True)
    assert describe_tree(there / "tree") == describe_tree(here / "tree")
    assert "a.csv" in describe_tree(here / "back/tree")
    close_links(pod.connection)


def test_a_disk_that_fills_meanwhile_is_said(start: Callable[..., Pod], here: Path, there: Path) -> None:
    (here / "small").write_bytes(os.urandom(1000))
    (here / "zbig").write_bytes(os.urandom(9_000_000))
    # The largest file that the agent may write takes the place of a full disk.
    pod = start('ForceCommand ulimit -f 4000; eval "$SSH_ORIGINAL_COMMAND"')
    with pytest.raises(PodsError, match=r"File too large|disk of 'train' is full"):
        pod.put(["small", "zbig"], str(there))
    assert (there / "small").read_bytes() == (here / "small").read_bytes()
    assert not (there / "zbig").exists()
    close_links(pod.connection)

"""Cuts of the connection to a pod: every line, display and request is there once and in order."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import PodsError
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.pod import Pod
from primepods_magic.remote import channel
from primepods_magic.remote.job import Job, JobFrames
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.links import close_links, open_link
from primepods_magic.remote.ssh.routes import find_route
from tests.remote.conftest import describe_pod, pin_host
from tests.support.cutting_proxy import CUTS, Cut, CuttingProxy, cutting_proxy
from tests.support.leaks import none_left
from tests.support.leftovers import children
from tests.support.openssh import OpenSshServer
from tests.support.soak import SOAK, pick
from tests.support.waiting import eventually


@pytest.fixture
def proxy(agent_server: OpenSshServer) -> Iterator[CuttingProxy]:
    with cutting_proxy(agent_server.port) as proxy:
        yield proxy


@pytest.fixture
def cut_pod(
    connection: Connection, agent_server: OpenSshServer, proxy: CuttingProxy, monkeypatch: pytest.MonkeyPatch
) -> Pod:
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(agent_server.key))
    pin_host(agent_server.host_key)
    # Waiting for a stalled link is most of the time here.
    monkeypatch.setattr(channel, "PING_S", 0.2)
    monkeypatch.setattr(channel, "PONG_S", 1.0)
    return Pod(connection, describe_pod(f"{getuser()}@127.0.0.1 -p {proxy.port}"))


def find_link(pod: Pod) -> PodLink:
    return open_link(pod.connection, pod.details)


@contextmanager
def cuts(proxy: CuttingProxy, link: PodLink, count: int, *, seed: int) -> Iterator[list[float]]:
    """Cut a connection at random moments, each as soon as it works again; collect how long it was away."""
    chance = random.Random(seed)
    kinds: list[Cut] = [CUTS[(seed + number) % len(CUTS)] for number in range(count)]
    chance.shuffle(kinds)
    away: list[float] = []

    def run() -> None:
        for kind in kinds:
            time.sleep(chance.uniform(0, 0.1))
            before = link.connects
            proxy.cut(kind)
            began = time.monotonic()
            eventually(lambda before=before: link.connects > before, f"is back after {kind}", within=30)
            away.append(time.monotonic() - began)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(run)
        yield away
        done.result()


def collect_frames(job: Job, link: PodLink) -> list[dict[str, Any]]:
    frames, collected = JobFrames(link, job.id), []
    while True:
        frame = frames.get(30)
        assert frame, "no more frames"
        collected.append(frame[0])
        if frame[0]["type"] in ("done", "link_failed", "setup_failed", "unknown"):
            return collected


def wait_code(gate: Path) -> str:
    return f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"


def test_every_line_arrives_once_and_in_order(cut_pod: Pod, proxy: CuttingProxy, tmp_path: Path) -> None:
    lines, count = pick((400, 2), (1000, 20))
    code = (
        f"import os, time\nfor n in range({lines}):\n    print(n, flush=True)\n    time.sleep(0.001)\n"
        f"    while n == {lines // 2} and not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)"
    )
    link = find_link(cut_pod)
    job = cut_pod.run(code)
    with cuts(proxy, link, count, seed=1) as away:
        pass
    (tmp_path / "go").touch()
    assert job.result(60).state == "ok"
    assert job.output.split() == [str(n) for n in range(lines)]
    assert link.connects > count
    print(f"{count} cuts, away {sorted(round(each, 2) for each in away)} s")


def test_displays_and_their_updates_too(cut_pod: Pod, proxy: CuttingProxy, tmp_path: Path) -> None:
    updates, count = pick(100, 1000), pick(1, 20)
    code = (
        "from IPython.display import display\nimport os, time\nshown = display('first', display_id='d')\n"
        f"for n in range({updates}):\n"
        "    shown.update(n)\n    display({'text/plain': f'<{n}>'}, raw=True)\n    time.sleep(0.002)\n"
        f"    while n == 20 and not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)"
    )
    link = find_link(cut_pod)
    job = cut_pod.run(code)
    with cuts(proxy, link, count, seed=2):
        pass
    (tmp_path / "go").touch()
    frames = collect_frames(job, link)
    assert [frame["n"] for frame in frames] == list(range(len(frames)))
    texts = {
        kind: [frame["content"]["data"]["text/plain"] for frame in frames if frame["type"] == kind]
        for kind in ("display_data", "update_display_data")
    }
    assert texts["update_display_data"] == [str(n) for n in range(updates)]
    assert texts["display_data"] == ["'first'", *(f"<{n}>" for n in range(updates))]


def test_requests_are_carried_out_exactly_once(cut_pod: Pod, proxy: CuttingProxy) -> None:
    cells, count = pick(10, 60), pick(1, 20)
    link = find_link(cut_pod)
    cut_pod.run("c = 0").result(60)
    with cuts(proxy, link, count, seed=3):
        jobs = [cut_pod.run("c += 1", again=True) for _ in range(cells)]
    assert {job.result(60).state for job in jobs} == {"ok"}
    job = cut_pod.run("print(c)")
    job.result(60)
    assert job.output == f"{cells}\n"


def test_values_come_back_whole(cut_pod: Pod, proxy: CuttingProxy) -> None:
    rounds, count = pick((6, 2), (60, 20))
    link = find_link(cut_pod)
    cut_pod.run("pushes = []").result(60)
    with cuts(proxy, link, count, seed=5):
        for number in range(rounds):
            cut_pod.push(number=number, data=bytes([number]) * 300_000)
            cut_pod.run("pushes.append(number)", again=True)
            assert cut_pod.pull("data") == bytes([number]) * 300_000
    assert cut_pod.pull("pushes") == list(range(rounds))


REAL_S = channel.PING_S, channel.PONG_S
STALLS: list[tuple[Cut, bool]] = [("stall", False), ("stall-up", True), ("stall-down", False)]


@pytest.mark.parametrize(
    ("how", "prints"), pick(STALLS, [(how, prints) for how, _ in STALLS for prints in (False, True)])
)
def test_a_dead_link_is_noticed(
    cut_pod: Pod, proxy: CuttingProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: Cut, prints: bool
) -> None:
    if SOAK:
        monkeypatch.setattr(channel, "PING_S", REAL_S[0])
        monkeypatch.setattr(channel, "PONG_S", REAL_S[1])
    limit_s = pick(10.0, 15.0 + 2.0)
    link = find_link(cut_pod)
    wait = wait_code(tmp_path / "go")
    job = cut_pod.run(wait.replace("0.01)", "0.01), print('.', flush=True)") if prints else wait)
    eventually(lambda: "." in job.output or not prints, "runs")
    proxy.cut(how)
    began = time.monotonic()
    eventually(lambda: link.connects >= 2, f"is back after {how}", within=limit_s)
    print(f"{how}: back after {time.monotonic() - began:.2f} s")
    (tmp_path / "go").touch()
    assert job.result(30).state == "ok"


def test_a_large_request_over_a_stalled_link_does_not_block(cut_pod: Pod, proxy: CuttingProxy) -> None:
    link = find_link(cut_pod)
    cut_pod.run("1").result(30)
    proxy.cut("stall-up")
    assert "jobs" in link.request("jobs", [bytes(8 << 20)]).result(30)
    assert link.connects >= 2


def test_nothing_is_left_when_the_connection_closes(
    cut_pod: Pod, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(threading.enumerate()), set(children())
    with none_left():
        job = cut_pod.run("import time; time.sleep(600)")
        assert not job.is_done
        assert len(set(threading.enumerate()) - before[0]) <= 2
        assert len(set(children()) - before[1]) == 1
        close_links(connection)
    assert set(threading.enumerate()) <= before[0]
    assert set(children()) <= before[1]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PodsError, match=r"was closed\. The pod keeps running"):
        job.result(5)
    Job(find_link(cut_pod), job.id, "main").cancel()


def test_closing_while_it_connects_ends_it(cut_pod: Pod, proxy: CuttingProxy) -> None:
    before = set(children())
    for delay_s in (0.0, 0.01, 0.1, 0.2, 0.3):
        link = PodLink(find_route(cut_pod.connection, cut_pod.details), lambda: None)
        future = link.request("jobs")
        time.sleep(delay_s)
        link.close()
        assert not link._thread.is_alive()
        # It may have been answered by then.
        error = future.exception(0)
        assert error is None or "was closed" in str(error)
    eventually(lambda: set(children()) <= before, "every ssh ends")

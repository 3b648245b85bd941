"""Pods that send what no agent would: a typed error, or another try; never a thread that dies or waits on."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from primepods_magic.api.errors import PodsError, RemoteError, SshFailed
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.remote import channel
from primepods_magic.remote.agent.frames import BadFrame
from primepods_magic.remote.frame_checks import check_frame, clean_header
from primepods_magic.remote.job import Job
from primepods_magic.remote.link import PodLink
from primepods_magic.remote.ssh.routes import find_route
from primepods_magic.remote.values.transfer import Terms, pull_values
from tests.remote.conftest import describe_pod, pin_host
from tests.support import hostile_agent
from tests.support.agents import kill_marked
from tests.support.openssh import OpenSshServer, openssh_server
from tests.support.soak import pick
from tests.support.waiting import eventually

MARK = "PRIMEPODS_TEST_POD"


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "mode"


@pytest.fixture(scope="module")
def hostile_server(chosen: Path) -> Iterator[OpenSshServer]:
    command = f"ForceCommand {sys.executable} -S {hostile_agent.__file__} {chosen}"
    mark = f"{MARK}={chosen}"
    with openssh_server(chosen.parent / "server", command, f"SetEnv {mark}") as server:
        yield server
        kill_marked(mark)


@pytest.fixture
def start_link(
    connection: Connection, hostile_server: OpenSshServer, chosen: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], PodLink]]:
    monkeypatch.setenv("PRIME_SSH_KEY_PATH", str(hostile_server.key))
    pin_host(hostile_server.host_key)
    links = []

    def start(mode: str) -> PodLink:
        chosen.write_text(mode)
        links.append(PodLink(find_route(connection, describe_pod(hostile_server.target)), lambda: None))
        return links[-1]

    yield start
    for link in links:
        link.close()
        assert not link._thread.is_alive()


@pytest.mark.parametrize("mode", ["garbage", "endless banner", "endless line", "silent", "odd word"])
def test_a_handshake_that_is_none_fails(
    start_link: Callable[[str], PodLink], monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr(channel, "HANDSHAKE_S", 1.0 if mode == "silent" else 60.0)
    link = start_link(mode)
    with pytest.raises(SshFailed) as caught:
        link.request("jobs").result(30)
    assert "\x1b" not in str(caught.value)
    assert not link.is_alive


# These are found while frames are read, or in the order of them.
LINK_FAULTS = ["list", "no number", "later number", "sizes", "many bytes", "wanted input later"]


@pytest.mark.parametrize("name", sorted(hostile_agent.WRONG_FRAMES.keys() - set(LINK_FAULTS)))
def test_no_field_has_another_type(name: str) -> None:
    with pytest.raises(BadFrame):
        check_frame(hostile_agent.WRONG_FRAMES[name])


PAGE = {"source": "page", "data": {"text/plain": "help"}}


@pytest.mark.parametrize(
    ("content", "payload"),
    [
        ({}, []),
        ({"payload": 7}, []),
        ({"payload": None}, []),
        ({"payload": [PAGE, 7, {"source": ["page"]}, {"source": "page", "data": "x"}]}, [PAGE]),
        ({"payload": [{"source": "set_next_input", "text": 7}, {"source": "edit_magic"}]}, []),
    ],
)
def test_a_payload_is_one_of_the_protocol(content: dict[str, Any], payload: list[Any]) -> None:
    header = {"type": "execute_reply", "job": "a", "n": 0, "content": {"status": "ok", **content}}
    check_frame(header)
    assert header["content"]["payload"] == payload


@pytest.mark.parametrize("transient", [None, [1], "x"])
def test_what_is_no_transient_is_left_out(transient: object) -> None:
    content = {"data": {}, "metadata": {}, "transient": transient}
    check_frame({"type": "display_data", "job": "a", "n": 0, "content": content})
    assert content == {"data": {}, "metadata": {}}


def test_a_header_has_only_texts_that_can_be_written_and_is_not_deep() -> None:
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    header = {"\ud800é": ["a\udfff", "😀", {"b": "\ud83d"}], "text": "plain", "deep": deep, "n": 5}
    clean_header(header)
    assert header["\ufffdé"] == ["a\ufffd", "😀", {"b": "\ufffd"}]
    assert (header["text"], header["n"]) == ("plain", 5)
    assert 50 < repr(header).count("[") < 150


def test_texts_are_clean_before_they_are_used(start_link: Callable[[str], PodLink]) -> None:
    job = Job(start_link("surrogates"), "abc123", "main")
    with pytest.raises(RemoteError) as caught:
        job.result(30)
    assert (caught.value.ename, caught.value.traceback) == ("E\ufffd", ["\ufffd"])
    assert job.output == "a\ufffdb\n"


@pytest.mark.parametrize(
    "mode",
    [
        "huge header",
        "deep header",
        "bytes",
        *pick([*LINK_FAULTS[:3], LINK_FAULTS[5]], list(hostile_agent.WRONG_FRAMES)),
    ],
)
def test_a_frame_that_is_none_ends_the_connection(start_link: Callable[[str], PodLink], mode: str) -> None:
    job = Job(start_link(mode), "abc123", "main")
    with pytest.raises(PodsError, match="sent something that is not output of a cell"):
        job.result(30)


def test_what_nobody_asked_for_is_passed_over(start_link: Callable[[str], PodLink]) -> None:
    assert start_link("strangers").request("jobs").result(30)["jobs"] == []


def test_what_is_written_to_stderr_does_not_stop_it(start_link: Callable[[str], PodLink]) -> None:
    assert start_link("stderr").request("jobs").result(30)["jobs"] == []


@pytest.mark.parametrize(("mode", "limit"), [("flood", 100), ("small flood", 20_000)])
def test_more_than_was_asked_for_is_not_kept(
    start_link: Callable[[str], PodLink], mode: str, limit: int
) -> None:
    link = start_link(mode)
    frames = []
    link.follow("abc123", lambda header, _: frames.append(header))
    eventually(lambda: frames and frames[-1]["type"] == "link_failed", "gives up")
    assert len(frames) < limit


def test_a_connection_that_always_ends_is_tried_less_and_less_often(
    start_link: Callable[[str], PodLink],
) -> None:
    link = start_link("closes")
    future = link.request("jobs")
    eventually(lambda: link.connects >= 3, "tries again")
    began = time.monotonic()
    eventually(lambda: link.connects >= 5, "tries again", within=30)
    assert time.monotonic() - began > 1
    link.close()
    with pytest.raises(PodsError, match="was closed"):
        future.result(1)


def test_a_frame_that_does_not_come_is_not_waited_for(
    start_link: Callable[[str], PodLink], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "PING_S", 0.1)
    monkeypatch.setattr(channel, "PONG_S", 0.3)
    link = start_link("announced")
    link.request("jobs")
    eventually(lambda: link.connects >= 2, "connects again", within=30)


def test_an_end_with_odd_figures_is_an_end(start_link: Callable[[str], PodLink]) -> None:
    with pytest.raises(RemoteError):
        Job(start_link("odd end"), "abc123", "main").result(30)


@pytest.mark.parametrize("name", hostile_agent.WRONG_ANSWERS)
def test_an_answer_that_is_no_value_is_an_error_or_clean(
    start_link: Callable[[str], PodLink], name: str
) -> None:
    link = start_link(f"answer {name}")
    if name in ("odd text", "markup"):
        value = pull_values(link, "main", ["x"], Terms())["x"]
        assert "\x1b" not in repr(value)
        assert (value.shape, value.size_bytes) == (None, None)
    else:
        with pytest.raises(PodsError, match=r"is not what was asked for|could not do it: it sent no answer"):
            pull_values(link, "main", ["x"], Terms())


@pytest.mark.soak
def test_a_header_that_swells_stays_below_a_gigabyte(start_link: Callable[[str], PodLink]) -> None:
    pages = Path("/proc/self/statm")
    before = most = int(pages.read_text().split()[1])
    job = Job(start_link("bomb"), "abc123", "main")
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(job.result, 60)
        while not outcome.done():
            most = max(most, int(pages.read_text().split()[1]))
            time.sleep(0.01)
    with pytest.raises(PodsError, match="not an object"):
        outcome.result()
    megabytes = (most - before) * os.sysconf("SC_PAGE_SIZE") / 1e6
    print(f"{megabytes:.0f} MB")
    assert megabytes < 1000

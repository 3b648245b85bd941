"""Following logs: every line once and in order, and a gap where lines may be missing."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic import launch
from primepods_magic.api.errors import WaitTimedOut
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.logs import GAP, follow_logs, new_lines
from primepods_magic.pods.pod import Pod
from tests.pods.conftest import Changing, Through
from tests.support.sandbox_control import SandboxControl


def test_every_line_is_told_once_until_the_pod_is_ready(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    lines: list[str] = []
    assert follow_logs(connection, pod.details, lines.append).is_ready
    assert lines == pod.logs().splitlines()
    assert len(lines) > 5
    assert follow_logs(connection, pod.details, lines.append, tail=2).is_ready
    assert lines[-2:] == pod.logs(tail=2).splitlines()


def test_a_pod_that_fails_ends_the_following(connection: Connection, sandbox: SandboxControl) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    sandbox.advance(5)
    sandbox.event(pod.id, "fail_installation")
    assert follow_logs(connection, pod.details, lambda _: None).has_failed


def test_the_time_is_bounded(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    with pytest.raises(WaitTimedOut, match=r"Not ready within 2 s\. train is still billed"):
        follow_logs(connection, pod.details, lambda _: None, timeout_s=2)


def test_a_service_that_fails_for_a_while_loses_no_line(through: Through, connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    asked = 0

    def fail_often(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        nonlocal asked
        if request.url.path.endswith(("/log", "/logs")):
            asked += 1
            if asked % 3:
                # Nobody waits for so long, so it is final at once.
                return httpx.Response(503, headers={"Retry-After": "3600"}, request=request)
        return response

    lines: list[str] = []
    follow_logs(through(Changing(fail_often)), pod.details, lines.append)
    full = pod.logs().splitlines()
    assert lines == full[: len(lines)]
    assert GAP not in lines
    assert len(lines) > 3


@given(st.lists(st.sampled_from("abc"), max_size=30), st.data())
def test_windows_that_overlap_give_back_the_whole(letters: list[str], data: st.DataObject) -> None:
    """Where each line is its own, a window that slides on and overlaps gives every line once."""
    whole = [f"{place} {letter}" for place, letter in enumerate(letters)]
    told: list[str] = []
    before: list[str] = []
    begin = end = 0
    while end < len(whole):
        begin = data.draw(st.integers(begin, max(begin, end - 1)))
        end = data.draw(st.integers(end + 1, len(whole)))
        now = whole[begin:end]
        told += new_lines(before, now)
        before = now
    assert told == whole


def test_a_line_that_is_redrawn_is_told_as_it_is_at_each_look() -> None:
    assert new_lines(["a", "10 %"], ["a", "40 %"]) == ["40 %"]
    assert new_lines(["a", "40 %"], ["a", "40 %"]) == []
    assert new_lines(["10 %"], ["40 %"]) == ["40 %"]
    assert new_lines(["a", "99 %"], ["a", "100 %", "done"]) == ["100 %", "done"]


def test_of_several_lines_that_are_redrawn_those_are_told_that_changed() -> None:
    before = ["begin", "a1: 10 %", "b2: waiting", "c3: waiting"]
    assert new_lines(before, ["begin", "a1: 90 %", "b2: waiting", "c3: 5 %"]) == ["a1: 90 %", "c3: 5 %"]
    slid = [*map(str, range(50)), *before]
    assert new_lines(slid, [*slid[20:51], "a1: done", "b2: waiting", "c3: done", "end"]) == [
        "a1: done",
        "c3: done",
        "end",
    ]


def test_lines_are_compared_as_often_as_there_are_lines() -> None:
    compared = 0

    class Line(str):
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    lines = [Line("the same") for _ in range(5000)]
    assert len(new_lines([*lines[:-1], Line("x")], [*lines[1:], Line("y")])) <= 5000
    assert compared < 100_000


def test_following_a_bar_tells_its_states_at_each_look_and_the_last(
    through: Through, connection: Connection
) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    looks = 0

    def redraw(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        nonlocal looks
        if not request.url.path.endswith(("/log", "/logs")):
            return response
        looks += 1
        bar = "".join(f"\r{state} of {looks * 500}" for state in range(0, looks * 500 + 1, 10))
        return httpx.Response(200, json={"logs": f"begin\x1b[0m\n{bar}"}, request=request)

    lines: list[str] = []
    follow_logs(through(Changing(redraw)), pod.details, lines.append)
    assert lines == ["begin", *(f"{look * 500} of {look * 500}" for look in range(1, looks + 1))]


@pytest.mark.parametrize("limit", [1_000_000, 1_000])
def test_the_last_lines_are_those_that_are_shown(
    through: Through, connection: Connection, limit: int
) -> None:
    """Also where a service counts each state of a line as one, or takes no number above a limit."""
    pod = launch(gpu="L4_24GB", name="train")
    text = "".join(f"\x1b[1mline {n}\x1b[0m\n" for n in range(5)) + "".join(f"{n} %\r" for n in range(101))

    def answer(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not request.url.path.endswith(("/log", "/logs")):
            return response
        tail = int(request.url.params.get("tail", 100))
        if tail > limit:
            detail = [{"loc": ["query", "tail"], "msg": "Input should be less"}]
            return httpx.Response(422, json={"detail": detail}, request=request)
        return httpx.Response(200, json={"logs": "".join(text.splitlines(True)[-tail:])}, request=request)

    one = Pod(through(Changing(answer)), pod.details)
    assert one.logs(tail=1) == "100 %"
    if limit > 1_000:
        assert one.logs(tail=3) == "line 3\nline 4\n100 %"


def test_lines_that_are_gone_are_a_gap() -> None:
    assert new_lines(["a", "b"], ["d", "e"]) == [GAP, "d", "e"]
    assert new_lines(["a", "b"], []) == []
    assert new_lines([], ["a"]) == ["a"]

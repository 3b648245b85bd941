"""Following logs: every line once and in order, and a gap where lines may be missing."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic import launch
from primepods_magic.api.errors import WaitTimedOut
from primepods_magic.pods.connection import Connection
from primepods_magic.pods.logs import GAP, follow_logs, new_lines
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
    with pytest.raises(WaitTimedOut, match=r"not ready within 2 s; train goes on and is billed"):
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


def test_lines_that_are_gone_are_a_gap() -> None:
    assert new_lines(["a", "b"], ["d", "e"]) == [GAP, "d", "e"]
    assert new_lines(["a", "b"], []) == []
    assert new_lines([], ["a"]) == ["a"]

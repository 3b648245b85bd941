"""Output of a pod below a cell that has ended: paced, limited, and never the end of what comes after it."""

from __future__ import annotations

import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from primepods_magic.api.errors import PodsError
from primepods_magic.notebook.cells import background, late_output, text_limit, widget_relay
from primepods_magic.notebook.cells.costs import CostRecorder
from primepods_magic.notebook.cells.late_output import LateOutput
from primepods_magic.notebook.cells.widget_relay import WidgetRelay
from primepods_magic.remote.job import Job, JobEnd, JobFrames
from primepods_magic.remote.link import PodLink
from tests.support.waiting import eventually


class Relay:
    """Takes what is to be shown; fails for displays that are marked."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, Any]] = []

    def show_late(self, header: dict[str, Any], buffers: list[bytes]) -> None:
        if header.get("content", {}).get("fails"):
            raise TypeError("odd")
        self.shown.append((header["type"], header.get("content", {}).get("text")))


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the pace was asked for."""
    asked: list[object] = []
    monkeypatch.setattr(late_output, "await_server", lambda content, buffers=(): asked.append(content))
    return asked


def stream(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "stream", "content": {"name": "stdout", "text": text}, **fields}


def test_everything_that_comes_late_is_paced(paced: list[object]) -> None:
    relay = Relay()
    output = LateOutput(cast(WidgetRelay, relay), "k3f9xq")
    output.show(stream("a"), [])
    output.show({"type": "comm_msg", "content": {"comm_id": "c", "data": {}}}, [b"b"])
    output.show({"type": "display_data", "content": {"data": {}}}, [])
    assert [kind for kind, _ in relay.shown] == ["stream", "comm_msg", "display_data"]
    assert len(paced) == 3


def test_a_text_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch, paced: list[object]) -> None:
    monkeypatch.setattr(text_limit, "_MAX_FIRST_CHARS", 100)
    relay = Relay()
    output = LateOutput(cast(WidgetRelay, relay), "k3f9xq")
    for _ in range(50):
        output.show(stream("x" * 10), [])
    *texts, note = [text for _, text in relay.shown]
    assert texts == ["x" * 10] * 10
    assert note.startswith("\n[Too much output for a notebook: the rest is not shown here.")
    assert not output._limit._held
    output.show({"type": "clear_output", "content": {}}, [])
    output.show(stream("again"), [])
    assert relay.shown[-1] == ("stream", "again")


def test_what_cannot_be_shown_is_said_once_and_ends_nothing(paced: list[object]) -> None:
    relay = Relay()
    output = LateOutput(cast(WidgetRelay, relay), "k3f9xq", has_end=True)
    for _ in range(3):
        output.show({"type": "display_data", "content": {"data": {}, "fails": True}}, [])
    output.show(stream("a"), [])
    assert [text for _, text in relay.shown] == [
        "[Some output of job k3f9xq cannot be shown: TypeError]\n",
        "a",
    ]


class Link:
    """Follows one job, whose frames are given by a test."""

    name = "train"
    is_alive = True
    failure: PodsError | None = None

    def __init__(self) -> None:
        self.used: list[int] = []

    def follow(self, job_id: str, handler: Any) -> str:
        self.give = handler
        return "place"

    def note_used(self, place: str, number: int) -> None:
        self.used.append(number)


def test_late_frames_wait_for_their_handler_and_the_link_does_not() -> None:
    link, seen, may_go = Link(), [], threading.Event()
    frames = JobFrames(cast(PodLink, link), "abc123")
    link.give(stream("0", n=0), [])

    def handle(header: dict[str, Any], buffers: list[bytes]) -> None:
        may_go.wait(10)
        seen.append(header["n"])

    frames.release(handle)
    for number in range(1, 20):
        link.give(stream(str(number), n=number), [])
    assert seen == []
    assert len(link.used) <= 1
    may_go.set()
    eventually(lambda: len(seen) == 20, "all are handled")
    assert seen == list(range(20))
    assert link.used == list(range(1, 21))


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"type": "done", "n": 1, "state": "ok", "seconds": 1e8}, []),
        (
            {"type": "setup_failed", "n": 1, "text": "\x1b[2Jno"},
            ["The cell was not run on 'train': "],
        ),
        ({"type": "link_failed"}, ["The pod has ended"]),
    ],
)
def test_a_job_in_the_background_ends_with_a_word_about_it(
    paced: list[object], last: dict[str, Any], said: list[str]
) -> None:
    link, relay, ends = Link(), Relay(), []
    link.failure = PodsError("The pod has ended")
    job = Job(cast(PodLink, link), "abc123", "main")
    frames = job.take_frames()
    link.give({"type": "display_data", "n": 0, "content": {"data": {}, "fails": True}}, [])
    link.give(last, [])

    def note_end(end: JobEnd, publish: object) -> None:
        ends.append(end.state)
        raise TypeError

    with suppress(TypeError):
        background._show_frames(
            job, frames, cast(WidgetRelay, relay), lambda reply: [], cast(CostRecorder, note_end)
        )
    first, *texts = [text for kind, text in relay.shown if kind == "stream"]
    assert first == "[Some output of job abc123 cannot be shown: TypeError]\n"
    assert [text.startswith(start) for text, start in zip(texts, said, strict=True)] == [True] * len(said)
    assert ends == ([] if said else ["ok"])
    link.give(stream("late", n=2), [])
    eventually(lambda: relay.shown[-1] == ("stream", "late"), "is shown")


def test_a_handler_that_fails_gets_the_next_frame() -> None:
    link, seen = Link(), []
    frames = JobFrames(cast(PodLink, link), "abc123")

    def handle(header: dict[str, Any], buffers: list[bytes]) -> None:
        seen.append(header["n"])
        raise TypeError

    frames.release(handle)
    for number in range(3):
        link.give(stream("x", n=number), [])
    eventually(lambda: seen == [0, 1, 2], "all are handled")


def test_a_frame_outside_the_numbers_frees_no_room() -> None:
    link = Link()
    frames = JobFrames(cast(PodLink, link), "abc123")
    link.give({"type": "input_wanted", "n": 1 << 52}, [])
    link.give({"type": "unknown", "n": 1 << 52}, [])
    link.give(stream("x", n=0), [])
    while frames.get(0.0):
        pass
    assert link.used == [1]


@pytest.mark.parametrize("comm_id", ["c{}", "c" * 300 + "{}"])
def test_a_cell_opens_only_so_many_widgets(monkeypatch: pytest.MonkeyPatch, comm_id: str) -> None:
    monkeypatch.setattr(widget_relay, "_MAX_COMMS", 5)
    opened: list[str] = []
    said: list[Any] = []
    monkeypatch.setattr("comm.create_comm", lambda **given: opened.append(given["comm_id"]) or Comm())
    shell = SimpleNamespace(
        kernel=SimpleNamespace(get_parent=lambda channel: {}),
        display_pub=SimpleNamespace(
            session=SimpleNamespace(send=lambda *words, **_: said.append(words[2]["text"])),
            pub_socket=None,
            topic=b"",
        ),
    )
    relay = WidgetRelay(shell, cast(Any, None))
    for number in range(20):
        relay.relay("comm_open", {"comm_id": comm_id.format(number), "target_name": "t"}, {}, [])
    assert len(opened) == (5 if len(comm_id) < 200 else 0)
    assert said == ["[The cell has opened more than 5 widgets: further ones are not shown]\n"]


class Comm:
    """What is opened here for a widget there."""

    def on_msg(self, callback: object) -> None:
        pass

    on_close = on_msg

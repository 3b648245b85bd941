"""Everything of a launcher happens on one thread, in order, and whoever asks for it does not wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from primepods_magic.notebook.launcher.state.worker import SerialWorker
from tests.notebook.launcher.conftest import DESK, IDLE_S


class Owner:
    """Whose slow work it is."""


class Shown:
    """Counts how often something is shown."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def desk(shown: Shown) -> Iterator[SerialWorker]:
    desk = SerialWorker(Owner(), shown)
    yield desk
    desk.close()


def test_what_is_put_on_the_desk_happens_in_order_on_one_thread(desk: SerialWorker) -> None:
    did: list[tuple[int, threading.Thread]] = []
    desk.open()
    for number in range(200):
        desk.put(lambda number=number: did.append((number, threading.current_thread())))
    assert desk.wait_until_idle(IDLE_S)
    assert [number for number, _ in did] == list(range(200))
    assert {thread.name for _, thread in did} == {DESK}
    assert len({thread for _, thread in did}) == 1


def test_the_desk_knows_its_own_thread(desk: SerialWorker) -> None:
    said: list[bool] = []
    desk.open()
    desk.put(lambda: said.append(desk.is_here))
    assert desk.wait_until_idle(IDLE_S)
    assert said == [True]
    assert not desk.is_here


def test_what_has_piled_up_is_shown_once(desk: SerialWorker, shown: Shown) -> None:
    began, go_on = threading.Event(), threading.Event()
    desk.open()
    desk.put(lambda: (began.set(), go_on.wait(IDLE_S)))
    assert began.wait(IDLE_S)
    did: list[int] = []
    for number in range(50):
        desk.put(lambda number=number: did.append(number))
    assert shown.times == 0
    go_on.set()
    assert desk.wait_until_idle(IDLE_S)
    assert len(did) == 50
    assert shown.times == 1
    desk.put(lambda: None)
    assert desk.wait_until_idle(IDLE_S)
    assert shown.times == 2


def test_what_fails_stops_nothing_that_comes_after_it(desk: SerialWorker, shown: Shown) -> None:
    did: list[str] = []
    desk.open()
    desk.put(lambda: 1 // 0)
    desk.put(lambda: did.append("next"))
    desk.send(lambda: 1 // 0, lambda done: did.append(type(done.exception()).__name__))
    desk.send(lambda: 6, lambda done: did.append(done.no_such_thing))
    desk.put(lambda: did.append("last"))
    assert desk.wait_until_idle(IDLE_S)
    assert sorted(did) == ["ZeroDivisionError", "last", "next"]
    assert shown.times


def test_a_showing_that_fails_is_tried_again_the_next_time() -> None:
    times: list[int] = []

    def show() -> None:
        times.append(1)
        raise ValueError("cannot be drawn")

    desk = SerialWorker(Owner(), show)
    desk.open()
    for number in (1, 2):
        desk.put(lambda: None)
        assert desk.wait_until_idle(IDLE_S)
        assert len(times) == number
    desk.close()


def test_nobody_waits_for_slow_work_to_go_on(desk: SerialWorker) -> None:
    gate, did = threading.Event(), list[str]()
    desk.open()

    def came(done: Future[bool]) -> None:
        did.append(f"{done.result()} on {threading.current_thread().name}")

    desk.send(lambda: gate.wait(IDLE_S), came)
    desk.put(lambda: did.append("meanwhile"))
    assert not desk.wait_until_idle(0.05)
    assert did == ["meanwhile"]
    gate.set()
    assert desk.wait_until_idle(IDLE_S)
    assert did == ["meanwhile", f"True on {DESK}"]


def test_what_slow_work_leads_to_is_waited_for_as_well(desk: SerialWorker) -> None:
    did: list[str] = []

    def again(done: Future[None]) -> None:
        desk.send(lambda: None, lambda done: did.append("the second"))

    desk.open()
    desk.send(lambda: None, again)
    assert desk.wait_until_idle(IDLE_S)
    assert did == ["the second"]


def test_nothing_happens_after_the_end(desk: SerialWorker, shown: Shown) -> None:
    did: list[str] = []
    desk.open()
    gate = threading.Event()
    desk.send(lambda: gate.wait(IDLE_S), lambda done: did.append("came too late"))
    desk.close()
    assert DESK not in [thread.name for thread in threading.enumerate()]
    gate.set()
    desk.put(lambda: did.append("put"))
    desk.send(lambda: did.append("sent"), lambda done: did.append("came"))
    assert desk.wait_until_idle(IDLE_S)
    assert did == []
    desk.close()


def test_it_can_be_ended_from_its_own_thread_and_before_it_began() -> None:
    ended = threading.Event()
    desk = SerialWorker(Owner(), lambda: None)
    desk.open()
    desk.put(lambda: (desk.close(), ended.set()))
    assert ended.wait(IDLE_S)
    never = SerialWorker(Owner(), lambda: None)
    never.close()
    assert never.wait_until_idle(0)

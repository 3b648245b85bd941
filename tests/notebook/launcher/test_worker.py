"""A launcher runs its tasks on one thread, in order, and submitting one never blocks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from primepods_magic.notebook.launcher.state.worker import SerialWorker
from tests.notebook.launcher.conftest import DESK, IDLE_S


class Owner:
    """The owner of the slow work."""


class Shown:
    """Counts the renders."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def worker(shown: Shown) -> Iterator[SerialWorker]:
    worker = SerialWorker(Owner(), shown)
    yield worker
    worker.close()


def test_runs_tasks_in_order_on_one_thread(worker: SerialWorker) -> None:
    did: list[tuple[int, threading.Thread]] = []
    worker.open()
    for number in range(200):
        worker.submit(lambda number=number: did.append((number, threading.current_thread())))
    assert worker.wait_until_idle(IDLE_S)
    assert [number for number, _ in did] == list(range(200))
    assert {thread.name for _, thread in did} == {DESK}
    assert len({thread for _, thread in did}) == 1


def test_recognizes_its_own_thread(worker: SerialWorker) -> None:
    said: list[bool] = []
    worker.open()
    worker.submit(lambda: said.append(worker.is_current_thread))
    assert worker.wait_until_idle(IDLE_S)
    assert said == [True]
    assert not worker.is_current_thread


def test_shows_queued_tasks_once(worker: SerialWorker, shown: Shown) -> None:
    began, go_on = threading.Event(), threading.Event()
    worker.open()
    worker.submit(lambda: (began.set(), go_on.wait(IDLE_S)))
    assert began.wait(IDLE_S)
    did: list[int] = []
    for number in range(50):
        worker.submit(lambda number=number: did.append(number))
    assert shown.times == 0
    go_on.set()
    assert worker.wait_until_idle(IDLE_S)
    assert len(did) == 50
    assert shown.times == 1
    worker.submit(lambda: None)
    assert worker.wait_until_idle(IDLE_S)
    assert shown.times == 2


def test_continues_after_a_failed_task(worker: SerialWorker, shown: Shown) -> None:
    did: list[str] = []
    worker.open()
    worker.submit(lambda: 1 // 0)
    worker.submit(lambda: did.append("next"))
    worker.run_slow(lambda: 1 // 0, lambda done: did.append(type(done.exception()).__name__))
    worker.run_slow(lambda: 6, lambda done: did.append(done.no_such_thing))
    worker.submit(lambda: did.append("last"))
    assert worker.wait_until_idle(IDLE_S)
    assert sorted(did) == ["ZeroDivisionError", "last", "next"]
    assert shown.times


def test_renders_again_after_a_failed_render() -> None:
    times: list[int] = []

    def show() -> None:
        times.append(1)
        raise ValueError("cannot be drawn")

    worker = SerialWorker(Owner(), show)
    worker.open()
    for number in (1, 2):
        worker.submit(lambda: None)
        assert worker.wait_until_idle(IDLE_S)
        assert len(times) == number
    worker.close()


def test_does_not_wait_for_slow_work(worker: SerialWorker) -> None:
    gate, did = threading.Event(), list[str]()
    worker.open()

    def came(done: Future[bool]) -> None:
        did.append(f"{done.result()} on {threading.current_thread().name}")

    worker.run_slow(lambda: gate.wait(IDLE_S), came)
    worker.submit(lambda: did.append("meanwhile"))
    assert not worker.wait_until_idle(0.05)
    assert did == ["meanwhile"]
    gate.set()
    assert worker.wait_until_idle(IDLE_S)
    assert did == ["meanwhile", f"True on {DESK}"]


def test_waits_for_work_that_slow_work_starts(worker: SerialWorker) -> None:
    did: list[str] = []

    def again(done: Future[None]) -> None:
        worker.run_slow(lambda: None, lambda done: did.append("the second"))

    worker.open()
    worker.run_slow(lambda: None, again)
    assert worker.wait_until_idle(IDLE_S)
    assert did == ["the second"]


def test_runs_nothing_after_close(worker: SerialWorker, shown: Shown) -> None:
    did: list[str] = []
    worker.open()
    gate = threading.Event()
    worker.run_slow(lambda: gate.wait(IDLE_S), lambda done: did.append("came too late"))
    worker.close()
    assert DESK not in [thread.name for thread in threading.enumerate()]
    gate.set()
    worker.submit(lambda: did.append("put"))
    worker.run_slow(lambda: did.append("sent"), lambda done: did.append("came"))
    assert worker.wait_until_idle(IDLE_S)
    assert did == []
    worker.close()


def test_closes_from_its_own_thread_and_before_it_opens() -> None:
    ended = threading.Event()
    worker = SerialWorker(Owner(), lambda: None)
    worker.open()
    worker.submit(lambda: (worker.close(), ended.set()))
    assert ended.wait(IDLE_S)
    never = SerialWorker(Owner(), lambda: None)
    never.close()
    assert never.wait_until_idle(0)

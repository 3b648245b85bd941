"""Whoever watches is told every change once: however late they ask, and whoever else watches."""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.watching.snapshot import Change, Snapshot, changes_between
from primepods_magic.pods.watching.watch import Watch
from tests.support.soak import pick
from tests.support.watching import SSH, START, GatedClock, Service, as_json, connected, watchers


@pytest.fixture
def service() -> Service:
    return Service("a", "b")


@pytest.fixture
def clock() -> GatedClock:
    return GatedClock()


@pytest.fixture
def connection(service: Service, clock: GatedClock) -> Iterator[Connection]:
    with connected(service, clock) as connection:
        yield connection


def words(changes: Sequence[Change]) -> list[str]:
    return [str(change) for change in changes]


def heard(snapshots: Sequence[Snapshot]) -> list[str]:
    """Every change that was told, in order."""
    return [str(change) for snapshot in snapshots for change in snapshot.changes]


def never(_: Snapshot) -> bool:
    return False


def of(status: str, word: str | None = None, **said: Any) -> PodDetails:
    given = {"id": "a", "name": "train", "status": status, "installationStatus": word, "sshConnection": SSH}
    return PodDetails.model_validate({**given, **said})


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (of("ACTIVE", "PENDING"), of("ACTIVE", "PENDING"), None),
        (of("ACTIVE", "PENDING"), of("ACTIVE", "PENDING", ip="203.0.113.9"), None),
        (of("ACTIVE", "COMPLETE"), of("ACTIVE", "COMPLETE", ip="203.0.113.9"), None),
        (of("PROVISIONING"), of("PENDING"), "train is PENDING"),
        (of("ACTIVE", "COMPLETE"), of("STOPPED", "COMPLETE"), "train is STOPPED"),
        (of("ACTIVE", "PENDING"), of("ACTIVE", "IN_PROGRESS"), "train: installation IN_PROGRESS"),
        (
            of("ACTIVE", "IN_PROGRESS", installationProgress=10),
            of("ACTIVE", "IN_PROGRESS", installationProgress=55.4),
            "train: installation IN_PROGRESS 55 %",
        ),
        (of("ACTIVE", "IN_PROGRESS"), of("ACTIVE", "COMPLETE"), "train is ready"),
        (of("PENDING", "PENDING"), of("ACTIVE", "COMPLETE"), "train is ready"),
        (of("ACTIVE", "COMPLETE", sshConnection=None), of("ACTIVE", "COMPLETE"), "train is ready"),
        (of("ACTIVE", "PENDING"), of("ERROR", "PENDING"), "train failed"),
        (
            of("ACTIVE", "IN_PROGRESS"),
            of("ACTIVE", "FAILED", installationFailure="no\x1b[2J disk"),
            "train failed: no�[2J disk",
        ),
        (of("ACTIVE", "FAILED"), of("ERROR", "FAILED"), "train is ERROR"),
        (of("ACTIVE", "FAILED"), of("TERMINATED", "FAILED"), "train is gone"),
        (of("DELETING", "COMPLETE"), of("TERMINATED", "COMPLETE"), "train is gone"),
        (of("TERMINATED"), of("TERMINATED", "FAILED"), "train: installation FAILED"),
        (of("ERROR"), of("ACTIVE", "COMPLETE"), "train is ready"),
        (of("ACTIVE", "PENDING"), of("MIGRATING", "PENDING"), "train is MIGRATING"),
    ],
)
def test_of_a_pod_that_differs_one_thing_is_told(
    before: PodDetails, after: PodDetails, told: str | None
) -> None:
    changes = changes_between({"a": before}, [after], START)
    assert words(changes) == ([told] if told else [])
    assert all((change.before, change.pod, change.at) == (before, after, START) for change in changes)


def test_a_pod_that_was_not_watched_joins_and_one_without_an_id_is_nobody() -> None:
    assert words(changes_between({}, [of("PENDING"), PodDetails(name="x")], START)) == [
        "train joined: PENDING"
    ]


def test_every_change_is_told_once_as_it_is_seen(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    seen: list[Snapshot] = []
    connection.poller.watch(service.details, seen.append)
    clock.let_pass(20)
    assert heard(seen) == []
    service.put("a", status="ACTIVE")
    clock.let_pass(20)
    service.put("a", installationStatus="IN_PROGRESS", installationProgress=30)
    service.put("b", status="ERROR")
    clock.let_pass(20)
    service.make_ready("a")
    clock.let_pass(20)
    assert heard(seen) == ["a is ACTIVE", "a: installation IN_PROGRESS 30 %", "b failed", "a is ready"]
    assert [snapshot.is_settled for snapshot in seen[-2:]] == [False, True]
    assert not watchers()


def test_whoever_asks_late_is_told_all_that_has_happened_and_the_latest_state(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    with connection.poller.watch(service.details, is_over=never) as watch:
        for number in range(6):
            service.put("a", installationProgress=float(number))
            clock.let_pass(5)
        service.put("b", status="ACTIVE")
        clock.let_pass(5)
        news = watch.next(0)
        assert news is not None
        snapshot, look = news
        assert words(snapshot.changes) == [
            *(f"a: installation PENDING {number} %" for number in range(6)),
            "b is ACTIVE",
        ]
        assert look == 7
        assert [str(pod.status) for pod in snapshot.pods] == ["PROVISIONING", "ACTIVE"]
        assert watch.next(0) is None
        clock.let_pass(5)
        assert watch.next(0) is not None


def test_iterating_gives_every_change_and_ends_when_all_are_settled(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    watch = connection.poller.watch(service.details)
    service.put("a", status="ACTIVE")
    clock.let_pass(5)
    service.put("a", status="ERROR")
    service.make_ready("b")
    clock.let_pass(5)
    assert words(list(watch)) == ["a is ACTIVE", "a failed", "b is ready"]
    assert list(watch) == []


def test_each_of_several_watches_is_told_everything_from_what_it_was_given(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    at_first = service.details
    one, other, late = [], [], []
    connection.poller.watch(at_first, one.append, is_over=never)
    connection.poller.watch(at_first[:1], other.append, is_over=never)
    service.put("a", status="PENDING")
    clock.let_pass(5)
    # What this one is given was true a while ago.
    connection.poller.watch(at_first, late.append, is_over=never)
    clock.let_pass(5)
    service.put("b", status="ACTIVE")
    clock.let_pass(5)
    assert heard(one) == ["a is PENDING", "b is ACTIVE"]
    assert heard(other) == ["a is PENDING"]
    assert heard(late) == ["a is PENDING", "b is ACTIVE"]


def test_what_one_watch_knows_to_be_gone_does_not_come_back_with_another_one(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    at_first = service.details
    knowing: list[Snapshot] = []
    connection.poller.watch(at_first, knowing.append, is_over=never)
    clock.let_pass(5)
    service.take("a")
    clock.let_pass(15)
    asking: list[Snapshot] = []
    connection.poller.watch(at_first, asking.append, is_over=never)
    clock.let_pass(90)
    assert heard(knowing) == ["a is gone"]
    assert heard(asking) == ["a is gone"]


def test_a_pod_that_is_left_out_once_does_not_fall_back_to_what_another_watch_was_given(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    at_first = service.details
    seen: list[Snapshot] = []
    connection.poller.watch(at_first, seen.append, is_over=never)
    service.put("a", status="ACTIVE")
    clock.let_pass(5)
    service.answer = lambda request: None if service.asked[-1] != "/pods/status 2" else as_json({"data": []})
    connection.poller.watch(at_first, is_over=never)
    clock.let_pass(30)
    assert heard(seen) == ["a is ACTIVE"]


def test_a_pod_that_is_named_twice_is_told_of_once(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    seen: list[Snapshot] = []
    connection.poller.watch([*service.details, *service.details], seen.append)
    service.put("a", status="ACTIVE")
    clock.let_pass(5)
    assert heard(seen) == ["a is ACTIVE"]
    assert len(seen[-1].pods) == 2


def test_new_pods_join_whoever_wants_them_last_and_once(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    joined: list[Snapshot] = []
    closed: list[Snapshot] = []
    connection.poller.watch(
        service.details, joined.append, joins=lambda pod: pod.name != "not-mine", is_over=never
    )
    connection.poller.watch(service.details, closed.append, is_over=never)
    clock.let_pass(5)
    service.put("c")
    service.put("not-mine")
    service.put("ended", status="TERMINATED")
    service.put("ending", status="DELETING")
    clock.let_pass(10)
    service.put("c", status="ACTIVE")
    clock.let_pass(10)
    assert heard(joined) == ["c joined: PROVISIONING", "c is ACTIVE"]
    assert [pod.name for pod in joined[-1].pods] == ["a", "b", "c"]
    assert heard(closed) == []


def test_a_new_pod_joins_although_somebody_else_watches_it_already(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    seen: list[Snapshot] = []
    connection.poller.watch(service.details, seen.append, joins=lambda pod: True, is_over=never)
    new = service.put("c")
    connection.poller.watch([new], is_over=never)
    clock.let_pass(10)
    assert heard(seen) == ["c joined: PROVISIONING"]


def test_a_pod_that_is_gone_does_not_join_again(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    seen: list[Snapshot] = []
    connection.poller.watch(service.details, seen.append, joins=lambda pod: True, is_over=never)
    clock.let_pass(5)
    service.take("b")
    clock.let_pass(30)
    assert heard(seen) == ["b is gone"]
    assert len(seen[-1].pods) == 2


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_listener_that_raises_is_told_no_more_and_nobody_else_notices(
    connection: Connection, service: Service, clock: GatedClock, error: type[BaseException]
) -> None:
    bad: list[Snapshot] = []
    good: list[Snapshot] = []

    def fail(snapshot: Snapshot) -> None:
        bad.append(snapshot)
        raise error("mine alone")

    failing = connection.poller.watch(service.details, fail, is_over=never)
    connection.poller.watch(service.details, good.append, is_over=never)
    clock.let_pass(10)
    service.put("a", status="ACTIVE")
    clock.let_pass(10)
    assert len(bad) == 1
    assert failing.has_ended
    assert isinstance(failing.error, error)
    assert heard(good) == ["a is ACTIVE"]


@pytest.mark.parametrize("which", ["joins", "is_over"])
def test_what_the_questions_of_one_watch_raise_ends_that_watch_and_no_other(
    connection: Connection, service: Service, clock: GatedClock, which: str
) -> None:
    def fail(_: object) -> bool:
        raise ValueError("mine alone")

    asked: dict[str, Any] = {which: fail}
    told: list[Snapshot] = []
    good: list[Snapshot] = []
    asking = connection.poller.watch(service.details[:1], told.append, **asked)
    connection.poller.watch(service.details, good.append, is_over=never)
    clock.let_pass(10)
    service.put("a", status="ACTIVE")
    clock.let_pass(10)
    assert told[-1].is_last
    assert told[-1].trouble == "stopped watching: ValueError"
    assert isinstance(asking.error, ValueError)
    assert heard(good) == ["a is ACTIVE"]
    assert not good[-1].is_last


def test_a_listener_may_close_its_watch_and_begin_another_one(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    seen: list[Snapshot] = []
    watches: list[Watch] = []

    def once(snapshot: Snapshot) -> None:
        watches[0].close()
        watches.append(connection.poller.watch(snapshot.pods, seen.append, is_over=never))

    watches.append(connection.poller.watch(service.details, once, is_over=never))
    clock.let_pass(20)
    assert len(watches) == 2
    assert len(seen) == 3


def test_whoever_closes_a_watch_is_told_nothing_more(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    seen: list[Snapshot] = []
    with connection.poller.watch(service.details, is_over=never) as watch:
        connection.poller.watch(service.details, seen.append, is_over=never)
        service.put("a", status="ACTIVE")
        clock.let_pass(5)
    service.put("a", status="ERROR")
    clock.let_pass(5)
    assert words(list(watch)) == ["a is ACTIVE"]
    assert watch.has_ended
    assert heard(seen) == ["a is ACTIVE", "a failed"]


@pytest.mark.parametrize("seed", range(pick(6, 300)))
def test_however_late_anybody_asks_all_are_told_the_same_changes_once(seed: int) -> None:
    """Everybody's changes, put together, are those between what was seen at one look and at the next."""
    dice = random.Random(seed)
    service, clock = Service(*"abcd"), GatedClock()
    states = ["PROVISIONING", "PENDING", "ACTIVE", "STOPPED", "ERROR"]
    with connected(service, clock) as connection:
        at_first = service.details
        heard_by_all: list[list[Change]] = [[] for _ in range(3)]
        looks: list[Snapshot] = []
        connection.poller.watch(at_first, looks.append, is_over=never)
        watches = [connection.poller.watch(at_first, is_over=never) for _ in heard_by_all]
        stop = threading.Event()

        def ask(watch: Watch, heard: list[Change], every: int) -> None:
            while not stop.wait(dice.random() * every / 1000):
                news = watch.next(0)
                if news is not None:
                    heard.extend(news[0].changes)

        threads = [
            threading.Thread(target=ask, args=(watch, heard, 4 * number))
            for number, (watch, heard) in enumerate(zip(watches, heard_by_all, strict=True))
        ]
        for thread in threads:
            thread.start()
        for _ in range(40):
            name = dice.choice([*service.pods] or ["a"])
            service.put(name, status=dice.choice(states), installationProgress=dice.randrange(5))
            if dice.random() < 0.05 and len(service.pods) > 1:
                service.take(name)
            clock.let_pass(dice.choice([0, 5, 15]))
        stop.set()
        for thread in threads:
            thread.join()
        for watch, heard in zip(watches, heard_by_all, strict=True):
            news = watch.next(0)
            heard.extend(news[0].changes if news else ())
    expected: list[Change] = []
    before: Sequence[PodDetails] = at_first
    for snapshot in looks:
        expected += changes_between({pod.id: pod for pod in before}, snapshot.pods, snapshot.as_of)
        before = snapshot.pods
    assert len(expected) > 10
    assert [change for snapshot in looks for change in snapshot.changes] == expected
    assert all(heard == expected for heard in heard_by_all)


def test_leaving_the_loop_over_changes_ends_the_watch(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    watch = connection.poller.watch(service.details, is_over=never)
    service.put("a", status="ACTIVE")
    clock.let_pass(20)
    for change in watch:
        assert str(change) == "a is ACTIVE"
        break
    gc.collect()
    assert watch.has_ended

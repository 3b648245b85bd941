"""Watching as a whole: few requests, a thread that ends, and the truth in the end whatever went wrong."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import httpx
import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import ConnectionClosed, PodFailed, PodsError, WaitInterrupted, WaitTimedOut
from primepods_magic.api.models import PodDetails
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.logs import follow_logs
from primepods_magic.pods.support.clock import ServiceClock
from primepods_magic.pods.wait import begin_waiting, wait_for
from primepods_magic.pods.watching.snapshot import Change, ChangeKind, Snapshot
from tests.support.sandbox_control import SandboxControl
from tests.support.soak import pick
from tests.support.waiting import eventually
from tests.support.watching import START, GatedClock, Service, as_json, broken, connected, of_status, watchers


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


def never(_: Snapshot) -> bool:
    return False


def heard(snapshots: Sequence[Snapshot]) -> list[str]:
    """Every change that was told, in order; of trouble only that it began."""
    changes = [change for snapshot in snapshots for change in snapshot.changes]
    return [change.kind.value if change.pod is None else str(change) for change in changes]


def nobody_looks() -> None:
    eventually(lambda: not watchers(), "nobody looks any more", every=0.001)


class Held:
    """Holds back the first status request until it is let go."""

    def __init__(self, service: Service) -> None:
        self.arrived, self._go = threading.Event(), threading.Event()
        service.answer = self._answer

    def _answer(self, request: httpx.Request) -> None:
        if of_status(request) and not self.arrived.is_set():
            self.arrived.set()
            assert self._go.wait(10)

    def let_go(self) -> None:
        self._go.set()


# Requests.


@pytest.mark.parametrize(("pods", "requests"), [(2, 1), (200, 2), (1000, 10)])
def test_a_look_is_one_request_for_each_hundred_pods_however_many_watch_them(
    pods: int, requests: int
) -> None:
    service, clock = Service(*(f"{number:032x}" for number in range(pods))), GatedClock()
    with connected(service, clock) as connection:
        for _ in range(3):
            connection.poller.watch(service.details, lambda snapshot: None)
        connection.poller.watch(service.details[: pods // 2], lambda snapshot: None)
        clock.let_pass(20)
    assert service.asked == [f"/pods/status {min(pods, 100)}"] * requests * 4


def test_two_hundred_pods_that_vanish_at_once_are_told_to_be_gone_once_each_and_cost_few_requests() -> None:
    service, clock = Service(*(f"{number:032x}" for number in range(200))), GatedClock()
    seen: list[Snapshot] = []
    with connected(service, clock) as connection:
        connection.poller.watch(service.details, seen.append)
        clock.let_pass(5)
        names = list(service.pods)
        service.take(*names)
        service.asked.clear()
        clock.let_pass(60)
    assert sorted(heard(seen)) == sorted(f"{name} is gone" for name in names)
    assert (
        service.asked
        == ["/pods/status 100"] * 2 + ["/pods"] + ["/pods/history"] * 2 + ["/pods/status 100"] * 2
    )
    assert not watchers()


def test_a_service_as_on_the_page_is_asked_for_the_list_and_never_for_one_pod(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    def as_on_the_page(request: httpx.Request) -> httpx.Response | None:
        return as_json({"podId": "a", "status": "ACTIVE"}) if of_status(request) else None

    service.answer = as_on_the_page
    seen: list[Snapshot] = []
    connection.poller.watch(service.details, seen.append)
    service.put("b", status="ACTIVE", installationStatus="IN_PROGRESS", installationProgress=7)
    clock.let_pass(10)
    service.make_ready()
    clock.let_pass(5)
    assert heard(seen) == ["b is ACTIVE", "a is ready", "b is ready"]
    assert service.asked == ["/pods/status 2", *["/pods"] * 3]


def test_waiting_watching_and_following_logs_at_once_cause_one_status_request_a_look() -> None:
    service, clock = Service("a", "b", "c"), GatedClock(free=True, consumers=2)
    looks: list[Snapshot] = []
    lines: list[str] = []

    def come_along(request: httpx.Request) -> None:
        if service.asked.count("/pods/status 3") == 6:
            service.make_ready()

    service.answer = come_along
    with connected(service, clock) as connection:
        pods = service.details
        # Everybody is there before the first look.
        held = threading.Event()
        connection.poller.watch(pods, lambda snapshot: (held.wait(10), looks.append(snapshot)))
        work = [
            threading.Thread(target=wait_for, args=(connection, pods)),
            threading.Thread(target=follow_logs, args=(connection, pods[0], lines.append)),
        ]
        for thread in work:
            thread.start()
        held.set()
        for thread in work:
            thread.join(10)
        assert not any(thread.is_alive() for thread in work)
        nobody_looks()
    assert lines == ["one", "two"]
    assert looks[-1].is_settled
    statuses = [asked for asked in service.asked if "status" in asked]
    assert statuses == ["/pods/status 3"] * len(looks)
    assert {asked for asked in service.asked if "status" not in asked} == {"/pods/a/log"}


def test_it_looks_at_once_where_wanted_else_after_the_interval_and_less_often_when_nothing_changes(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    at: list[float] = []
    service.answer = lambda request: at.append(clock.monotonic())
    with connection.poller.watch(service.details, is_over=never):
        clock.let_pass(6)
    assert at == [5]
    nobody_looks()
    at.clear()
    connection.poller.watch(service.details, is_over=never)
    clock.let_pass(4)
    assert at == []
    connection.poller.watch(service.details, is_over=never, at_once=True)
    clock.let_pass(600)
    gaps = [after - before for before, after in pairwise(at)]
    assert at[0] == 10
    assert gaps[:11] == [5.0] * 11
    assert gaps == sorted(gaps)
    assert gaps[-1] == 10
    connection.poller.watch(service.details, is_over=never)
    clock.let_pass(30)
    assert at[-1] - at[-2] == 5
    clock.let_pass(600)
    assert at[-1] - at[-2] == 10
    service.put("a", status="ACTIVE")
    clock.let_pass(40)
    assert at[-1] - at[-2] == 5


# Beginning and ending.


def test_when_nobody_watches_any_more_the_thread_ends_and_nothing_is_asked(
    connection: Connection, service: Service, clock: GatedClock, no_leaks: None
) -> None:
    watches = [connection.poller.watch(service.details, is_over=never) for _ in range(3)]
    clock.let_pass(5)
    for watch in watches:
        assert len(watchers()) == 1
        watch.close()
    nobody_looks()
    asked = len(service.asked)
    clock.let_pass(60)
    assert len(service.asked) == asked


def test_watching_begins_again_on_one_thread_after_it_ended(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    seen: list[Snapshot] = []
    for _ in range(20):
        with connection.poller.watch(service.details, is_over=never, at_once=True):
            pass
        # Not waited for: the thread before may still be on its way out.
        with connection.poller.watch(service.details, seen.append, is_over=never, at_once=True):
            eventually(lambda: seen, "it looks", every=0.001)
            assert len(watchers()) <= 2
        seen.clear()
    nobody_looks()


def test_a_watch_that_begins_during_a_request_gets_a_look_of_its_own_at_once(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    held = Held(service)
    seen: list[Snapshot] = []
    connection.poller.watch(service.details, is_over=never, at_once=True)
    assert held.arrived.wait(10)
    connection.poller.watch(service.details, seen.append, is_over=never, at_once=True)
    held.let_go()
    clock.let_pass(0)
    assert len(seen) == 1
    assert len(service.asked) == 2


def test_a_look_that_is_wanted_during_a_request_is_another_one(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    held = Held(service)
    with connection.poller.watch(service.details, is_over=never, at_once=True) as watch:
        assert held.arrived.wait(10)
        assert connection.poller.look_soon() == 2
        held.let_go()
        clock.let_pass(0)
        news = watch.next(0)
        assert news is not None
        assert news[1] == 2


def test_closing_during_a_request_tells_that_and_nothing_that_comes_afterwards(
    connection: Connection, service: Service, clock: GatedClock, no_leaks: None
) -> None:
    held = Held(service)
    seen: list[Snapshot] = []
    connection.poller.watch(service.details, seen.append, is_over=never, at_once=True)
    waiting = connection.poller.watch(service.details, is_over=never)
    assert held.arrived.wait(10)
    closing = threading.Thread(target=connection.close)
    closing.start()
    service.put("a", status="ACTIVE")
    held.let_go()
    closing.join(10)
    assert not watchers()
    assert [snapshot.is_last for snapshot in seen].count(True) == 1
    assert seen[-1].trouble == "stopped watching: the connection was closed"
    with pytest.raises(ConnectionClosed):
        list(waiting)
    with pytest.raises(ConnectionClosed):
        connection.poller.watch(service.details)


def test_a_watch_that_is_closed_during_a_request_is_not_told_of_it(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    held = Held(service)
    closed: list[Snapshot] = []
    seen: list[Snapshot] = []
    watch = connection.poller.watch(service.details, closed.append, is_over=never, at_once=True)
    connection.poller.watch(service.details, seen.append, is_over=never)
    assert held.arrived.wait(10)
    watch.close()
    held.let_go()
    clock.let_pass(5)
    assert closed == []
    assert seen


def test_closing_from_a_listener_does_not_wait_for_itself(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    seen: list[Snapshot] = []

    def close(snapshot: Snapshot) -> None:
        seen.append(snapshot)
        if not snapshot.is_last:
            connection.close()

    connection.poller.watch(service.details, close, is_over=never, at_once=True)
    nobody_looks()
    assert [snapshot.is_last for snapshot in seen] == [False, True]


def run_python(script: str, *arguments: str, timeout_s: float = 60) -> str:
    """What a script of its own process prints; it must end well and say nothing else."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


EXITING = """
import atexit, sys, threading


# What is to be done first at exit is done last.
def tell():
    names = [thread.name for thread in threading.enumerate()]
    print("looking" if "primepods-watch" in names else "not looking")


atexit.register(tell)
import httpx
from primepods_magic import connect, launch
from primepods_magic.api.client import Client
from primepods_magic.api.models import PodDetails
from primepods_magic.api.settings import Settings
from primepods_magic.pods.support.clock import ServiceClock
from primepods_magic.pods.connection.connection import Connection

url, looks = sys.argv[1], int(sys.argv[2])
asked = threading.Event()


class Telling(httpx.HTTPTransport):
    def handle_request(self, request):
        asked.set()
        return super().handle_request(request)


if looks:
    connection = connect(settings=Settings(url, "sandbox"))
    pods = [launch(gpu="L4_24GB").details]
    asked.set()
else:
    client = Client(Settings(url, "k" * 40), http=Telling())
    connection = Connection(client, ServiceClock(client.session), True)
    pods = [PodDetails(id="a")]
connection.poll_interval_s = 0.01
looked = threading.Semaphore(0)
never = lambda snapshot: False
connection.poller.watch(pods, lambda snapshot: looked.release(), is_over=never, at_once=True)
connection.poller.watch(pods, is_over=never)
for _ in range(looks):
    looked.acquire(timeout=10)
asked.wait(10)
print("leaving")
"""


def test_a_process_ends_well_with_a_watch_open(running_sandbox: SandboxControl) -> None:
    assert run_python(EXITING, running_sandbox.url, "3") == "leaving\nnot looking\n"


def test_a_process_ends_well_and_soon_while_a_request_is_under_way() -> None:
    with black_hole() as url:
        began = time.monotonic()
        assert run_python(EXITING, url, "0") == "leaving\nlooking\n"
    assert time.monotonic() - began < 8


FORKING = """
import multiprocessing, os, sys, threading, time
from primepods_magic import connect, launch
from primepods_magic.api.settings import Settings

connection = connect(settings=Settings(sys.argv[1], "sandbox"))
pods = [launch(gpu=gpu).details for gpu in ("L4_24GB", "A40_48GB")]
ids = {pod.id for pod in pods}
connection.poll_interval_s = 0.005
seen = []
never = lambda snapshot: False
watch = connection.poller.watch(pods, seen.append, is_over=never, at_once=True)
asked = connection.poller.watch(pods, is_over=never)


def looked(more):
    wanted, end = len(seen) + more, time.monotonic() + 20
    while len(seen) < wanted:
        assert time.monotonic() < end, "the watch does not go on"
        time.sleep(0.001)


def list_often(times=10):
    for _ in range(times):
        assert {pod.id for pod in connection.client.list_all_pods()} == ids


def in_child():
    list_often()
    assert watch.has_ended and asked.has_ended
    list(asked)
    with connection.poller.watch(pods, is_over=never, at_once=True) as own:
        assert {pod.id for pod in own.next(10)[0].pods} == ids
    return 0


def in_pool(number):
    list_often(5)
    return number


looked(2)
for _ in range(4):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = in_child()
        finally:
            os._exit(code)
    list_often()
    assert os.waitpid(child, 0)[1] == 0, "the child failed"
    looked(2)
with multiprocessing.get_context("fork").Pool(2) as pool:
    answers = pool.map_async(in_pool, range(6), chunksize=1)
    list_often()
    assert answers.get(30) == list(range(6))
looked(2)
assert all({pod.id for pod in snapshot.pods} == ids and not snapshot.trouble for snapshot in seen)
print("fine")
"""


def test_a_forked_child_asks_for_itself_and_its_parents_watch_goes_on(
    running_sandbox: SandboxControl,
) -> None:
    assert run_python(FORKING, running_sandbox.url) == "fine\n"


# Trouble.


def down(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def breaks_off(request: httpx.Request) -> httpx.Response:
    raise httpx.RemoteProtocolError("server disconnected", request=request)


def says_nothing(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("timed out", request=request)


def storm(request: httpx.Request) -> httpx.Response:
    return as_json({"detail": "slow down"}, 429)


def storm_for_a_minute(request: httpx.Request) -> httpx.Response:
    return as_json({"detail": "slow down"}, 429, **{"Retry-After": "60"})


def broken_with(content: bytes, kind: str = "application/json") -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: broken(content, kind)


NO_ANSWERS: list[Callable[[httpx.Request], httpx.Response]] = [
    down,
    breaks_off,
    says_nothing,
    storm,
    lambda request: httpx.Response(503),
    broken_with(b"<html>log in</html>", "text/html"),
    broken_with(b""),
    broken_with(b'{"data": [{"podId": "a", "status": "TERMI'),
    broken_with(b"\xff\xfe\x00"),
    broken_with(b'"down for maintenance"'),
    broken_with(b'{"message": "down for maintenance"}'),
]


def status_says(body: object) -> Callable[[httpx.Request], httpx.Response | None]:
    return lambda request: as_json(body) if of_status(request) else None


HALF_ANSWERS: list[Callable[[httpx.Request], httpx.Response | None]] = [
    status_says({"data": []}),
    status_says({"data": None, "status": None}),
    status_says({}),
    status_says(["a", 7, None]),
    status_says({"data": [{"podId": "other", "status": "ERROR", "installationStatus": "FAILED"}]}),
    status_says({"data": [{"status": "TERMINATED", "installationStatus": "FAILED"}]}),
]


def test_the_fault_script_ends_with_the_truth_and_everything_told_once() -> None:
    service, clock = Service("a", "b", "vanishes", "reclaimed"), GatedClock()
    with connected(service, clock) as connection:
        at_first = service.details
        seen: list[Snapshot] = []
        connection.poller.watch(at_first, seen.append, is_over=lambda snapshot: snapshot.is_settled)
        late = connection.poller.watch(at_first)
        result: list[BaseException] = []

        def wait() -> None:
            try:
                wait_for(connection, at_first, timeout_s=3600)
            except PodsError as error:
                result.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        eventually(lambda: seen, "the first look", every=0.001)

        service.answer = down
        service.put("a", status="ACTIVE")
        asked = len(service.asked)
        clock.let_pass(30)
        assert "Cannot reach" in str(seen[-1].trouble)
        # It says since when: the pods are as they were seen before.
        assert seen[-1].as_of == START
        assert 1 <= (len(service.asked) - asked) / 3 <= 4
        service.answer = lambda request: None
        clock.let_pass(30)
        assert heard(seen) == ["unreachable", "back", "a is ACTIVE"]
        assert seen[-1].trouble is None
        assert seen[-1].as_of > START

        seen.clear()
        service.answer = storm
        service.put("b", status="ACTIVE")
        clock.let_pass(120)
        assert len(seen) <= 7
        service.answer = storm_for_a_minute
        clock.let_pass(30)
        asked = len(service.asked)
        service.answer = lambda request: None
        clock.let_pass(29)
        assert len(service.asked) == asked
        clock.let_pass(31)
        assert heard(seen) == ["unreachable", "back", "b is ACTIVE"]

        seen.clear()
        for spoilt in NO_ANSWERS:
            service.answer = spoilt
            clock.let_pass(30)
        service.put("a", installationStatus="IN_PROGRESS", installationProgress=50)
        service.answer = lambda request: None
        clock.let_pass(30)
        assert heard(seen) == ["unreachable", "back", "a: installation IN_PROGRESS 50 %"]

        seen.clear()
        for half in HALF_ANSWERS:
            service.answer = half
            clock.let_pass(20)
        service.answer = lambda request: None
        clock.let_pass(20)
        assert heard(seen) == []
        assert not any(snapshot.trouble for snapshot in seen)

        service.take("vanishes")
        service.put("reclaimed", status="TERMINATED")
        clock.let_pass(20)
        assert sorted(heard(seen)) == ["reclaimed is gone", "vanishes is gone"]

        service.take("reclaimed")
        service.make_ready()
        clock.let_pass(30)
        waiting.join(10)
        nobody_looks()

        assert heard(seen)[2:] == ["a is ready", "b is ready"]
        truth = {pod.id: pod for pod in service.details}
        assert [pod for pod in seen[-1].pods if pod.id in truth] == list(truth.values())
        assert [str(pod.status) for pod in seen[-1].pods] == ["ACTIVE", "ACTIVE", "TERMINATED", "TERMINATED"]
        assert late.latest.pods == seen[-1].pods
        (error,) = result
        assert isinstance(error, PodFailed)
        assert str(error) == "vanishes is gone (TERMINATED); reclaimed is gone (TERMINATED)"
        # Whoever did not ask all the while is told all of it now, and only once.
        kinds = [change.kind.value if change.pod is None else str(change) for change in late]
        assert kinds == [
            *["unreachable", "back", "a is ACTIVE"],
            *["unreachable", "back", "b is ACTIVE"],
            *["unreachable", "back", "a: installation IN_PROGRESS 50 %"],
            *["reclaimed is gone", "vanishes is gone"],
            *["a is ready", "b is ready"],
        ]


def follow(at_first: Sequence[PodDetails], changes: Sequence[Change]) -> dict[str | None, PodDetails]:
    """Where changes lead, each of which must begin where the one before it ended."""
    now = {pod.id: pod for pod in at_first}
    is_away = False
    for change in changes:
        if change.pod is None:
            assert is_away == (change.kind is ChangeKind.BACK)
            is_away = not is_away
        else:
            assert change.before == now[change.pod.id]
            assert change.pod != change.before
            now[change.pod.id] = change.pod
    assert not is_away
    return now


@pytest.mark.parametrize("seed", range(pick(5, 400)))
def test_whatever_goes_wrong_in_whatever_order_everybody_ends_with_the_truth(seed: int) -> None:
    dice = random.Random(seed)
    service, clock = Service(*"abcdef"), GatedClock()
    words = ["PENDING", "IN_PROGRESS"]
    listed: list[Change] = []
    with connected(service, clock) as connection:
        at_first = service.details
        connection.poller.watch(at_first, lambda snapshot: listed.extend(snapshot.changes))
        asked = connection.poller.watch(at_first)
        errors: list[PodsError] = []

        def wait() -> None:
            try:
                wait_for(connection, at_first, timeout_s=1e6)
            except PodsError as error:
                errors.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        eventually(lambda: service.asked, "somebody waits", every=0.001)
        for _ in range(40):
            clock.let_pass(dice.choice([0, 1, 5, 10, 40]))
            faults = [*NO_ANSWERS, storm_for_a_minute, *HALF_ANSWERS]
            service.answer = dice.choice(faults) if dice.random() < 0.6 else lambda request: None
            name = dice.choice(list(service.pods))
            if dice.random() < 0.06 and len(service.pods) > 2:
                if dice.random() < 0.5:
                    service.put(name, status="TERMINATED")
                else:
                    service.take(name)
            elif service.pods[name]["status"] != "TERMINATED":
                progress = dice.randrange(100)
                word, status = dice.choice(words), dice.choice(["PENDING", "ACTIVE"])
                service.put(name, status=status, installationStatus=word, installationProgress=progress)
        service.answer = lambda request: None
        for name, pod in service.pods.items():
            if pod["status"] != "TERMINATED":
                service.make_ready(name)
        clock.let_pass(700)
        waiting.join(10)
        nobody_looks()
        told = list(asked)
        truth = {name: str(pod["status"]) for name, pod in service.pods.items()}
        expected = {pod.id: truth.get(pod.id or "", "TERMINATED") for pod in at_first}
        for changes in (listed, told):
            assert {key: str(pod.status) for key, pod in follow(at_first, changes).items()} == expected
        assert listed == told
        gone = sorted(str(key) for key, status in expected.items() if status == "TERMINATED")
        assert [str(error) for error in errors] == (
            ["; ".join(f"{name} is gone (TERMINATED)" for name in gone)] if gone else []
        )


@pytest.mark.parametrize("seed", range(pick(1, 30)))
def test_over_a_socket_a_sandbox_that_is_away_and_then_flaky_is_watched_to_the_truth(
    running_sandbox: SandboxControl, seed: int
) -> None:
    connection = connect(settings=Settings(running_sandbox.url, "sandbox"))
    connection.poll_interval_s = 0.05
    pods = [
        launch(gpu="L4_24GB", name="fine").details,
        launch(cloud_id="td-RTX4090x1", name="bad").details,
        launch(gpu="L4_24GB", name="reclaimed").details,
    ]
    told: list[Change] = []
    asked = connection.poller.watch(pods, lambda snapshot: told.extend(snapshot.changes))
    running_sandbox.api.put(f"/sandbox/faults?seed={seed}", json="down")
    eventually(lambda: any(change.kind is ChangeKind.UNREACHABLE for change in told), "trouble is told")
    running_sandbox.event(pods[2].id or "", "reclaim")
    running_sandbox.api.put(f"/sandbox/faults?seed={seed}", json="flaky")
    eventually(lambda: asked.has_ended, "all are settled", within=30)
    end = {pod.name: pod for pod in follow(pods, told).values()}
    assert end["fine"].is_ready
    assert end["bad"].has_failed
    assert end["reclaimed"].status is PodStatus.TERMINATED
    ends = [change.kind.value for change in told if change.kind.value in ("ready", "failed", "gone")]
    assert sorted(ends) == ["failed", "gone", "ready"]
    disconnect()


def test_a_watch_that_begins_in_trouble_is_told_so_too(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    service.answer = down
    first: list[Snapshot] = []
    second: list[Snapshot] = []
    connection.poller.watch(service.details, first.append, is_over=never)
    clock.let_pass(60)
    connection.poller.watch(service.details, second.append, is_over=never)
    clock.let_pass(60)
    service.answer = lambda request: None
    clock.let_pass(60)
    assert heard(first) == heard(second) == ["unreachable", "back"]


def test_a_look_waits_for_a_silent_service_no_longer_than_ten_seconds(
    connection: Connection, service: Service, clock: GatedClock
) -> None:
    patience: list[dict[str, float]] = []
    service.answer = lambda request: patience.append(request.extensions["timeout"])
    connection.poller.watch(service.details, is_over=never, joins=lambda pod: True)
    service.put("c")
    clock.let_pass(30)
    assert {path.partition(" ")[0] for path in service.asked} == {"/pods"}
    connection.poller.watch(service.details, is_over=never)
    service.take("c")
    clock.let_pass(10)
    assert {path.partition(" ")[0] for path in service.asked} == {"/pods", "/pods/status", "/pods/history"}
    assert all(timeout["read"] == timeout["connect"] == 10 for timeout in patience)


class black_hole:  # noqa: N801 - used like a function
    """The address of a service that takes connections and never answers."""

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def test_a_service_that_never_answers_is_told_to_be_unreachable() -> None:
    told = threading.Event()
    seen: list[Snapshot] = []

    def listen(snapshot: Snapshot) -> None:
        seen.append(snapshot)
        told.set()

    with black_hole() as url:
        client = Client(Settings(url, "k" * 40), read_timeout_s=0.3)
        connection = Connection(client, ServiceClock(client.session), False, poll_interval_s=0.05)
        connection.poller.watch([PodDetails(id="a", name="a")], listen, is_over=never)
        assert told.wait(5)
        connection.close()
    assert heard(seen[:1]) == ["unreachable"]
    assert "response timed out" in str(seen[0].trouble)


# Giving up.


def test_a_wait_that_takes_too_long_while_the_service_is_away_says_both() -> None:
    service, clock = Service(), GatedClock(free=True, consumers=1)
    service.put("train", priceHr=1.25)
    service.put("eval", priceHr=0.5)
    with connected(service, clock) as connection:
        pods = service.details
        service.answer = down
        with pytest.raises(WaitTimedOut) as caught:
            wait_for(connection, pods, timeout_s=120)
        nobody_looks()
    assert str(caught.value).startswith(
        "Not ready within 120 s. train, eval are still billed ($1.75/h). "
        "Terminate a pod with '%pods rm NAME'. The last request failed: Cannot reach https://api.example.test"
    )
    assert 120 <= clock.monotonic() < 160


def test_a_wait_that_takes_too_long_ends_in_time_though_an_answer_does_not_come() -> None:
    service, clock = Service("a"), GatedClock()
    with connected(service, clock) as connection:
        held = Held(service)
        failed: list[PodsError] = []

        def wait() -> None:
            try:
                wait_for(connection, service.details, timeout_s=30)
            except PodsError as error:
                failed.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert held.arrived.wait(10)
        clock.sleep(31)
        waiting.join(5)
        assert not waiting.is_alive()
        held.let_go()
        nobody_looks()
    assert isinstance(failed[0], WaitTimedOut)


def interrupt_main() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def test_ctrl_c_at_any_moment_of_a_wait_leaves_no_watch_behind(
    connection: Connection, service: Service
) -> None:
    dice = random.Random(1)
    for number in range(pick(15, 3000)):
        # Into the beginning of the wait, and well into it.
        after_s = dice.random() * (0.002 if number % 2 else 0.01)
        interrupter = threading.Timer(after_s, interrupt_main)
        with pytest.raises((WaitInterrupted, KeyboardInterrupt)):  # noqa: PT012 - it may come before the wait
            interrupter.start()
            wait_for(connection, service.details)
        interrupter.join()
        nobody_looks()


def test_ctrl_c_in_a_script_ends_the_wait_in_words_and_the_script_goes_on(
    running_sandbox: SandboxControl,
) -> None:
    script = """
import os, signal, sys, threading, time
from primepods_magic import connect, launch
from primepods_magic.api.errors import WaitInterrupted
from primepods_magic.api.settings import Settings
from primepods_magic.pods.wait import wait_for

signal.signal(signal.SIGINT, signal.default_int_handler)
connection = connect(settings=Settings(sys.argv[1], "sandbox"))
pod = launch(gpu="L4_24GB", name="train")
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    wait_for(connection, [pod.details], goal="terminated")
except WaitInterrupted as error:
    print(error)
end = time.monotonic() + 5
while any(thread.name == "primepods-watch" for thread in threading.enumerate()):
    assert time.monotonic() < end, "it still looks"
    time.sleep(0.01)
"""
    told = run_python(script, running_sandbox.url)
    end = "Terminate it with get_pod('train').terminate()\n"
    assert told == f"Stopped waiting. train is still billed ($0.69/h). {end}"


def test_a_wait_that_is_awaited_and_cancelled_leaves_no_watch_behind(
    connection: Connection, service: Service
) -> None:
    async def give_up() -> None:
        waiting = begin_waiting(connection, service.details, answer=lambda snapshot: snapshot)
        task = asyncio.ensure_future(_awaited(waiting))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    nobody_looks()


async def _awaited(waiting: object) -> object:
    return await waiting  # type: ignore[misc]


def test_a_wait_behind_that_is_called_off_says_what_goes_on(connection: Connection, service: Service) -> None:
    waiting = begin_waiting(connection, service.details, answer=lambda snapshot: snapshot)
    eventually(lambda: service.asked, "it looks", every=0.001)
    waiting.cancel()
    with pytest.raises(WaitInterrupted, match=r"Stopped waiting\. a, b are still billed"):
        waiting.result()
    nobody_looks()


def test_several_awaited_waits_end_each_with_its_own_pods(connection: Connection, service: Service) -> None:
    async def both() -> list[list[str | None]]:
        waits = [
            begin_waiting(
                connection, [pod], goal="active", answer=lambda snapshot: [pod.id for pod in snapshot.pods]
            )
            for pod in service.details
        ]
        service.make_ready()
        connection.poller.look_soon()
        return [await waiting for waiting in waits]

    assert asyncio.run(asyncio.wait_for(both(), 10)) == [["a"], ["b"]]
    nobody_looks()

"""One look at many pods: few requests, no pod asked for by itself, and nothing concluded from one mistake."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import pytest

from primepods_magic.api.enums import InstallationStatus, PodStatus
from primepods_magic.api.errors import PodsError, UnexpectedAnswer
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.watching.status_reader import StatusReader
from tests.support.soak import pick
from tests.support.watching import START, GatedClock, Service, as_json, broken, connected, of_status


@pytest.fixture
def service() -> Service:
    return Service("a", "b", "c")


@pytest.fixture
def connection(service: Service) -> Iterator[Connection]:
    with connected(service) as connection:
        yield connection


@pytest.fixture
def lookout(connection: Connection) -> StatusReader:
    return StatusReader(connection)


def requests(service: Service) -> list[str]:
    """What was asked since this was asked last."""
    asked, service.asked = service.asked, []
    return asked


def statuses(pods: tuple[PodDetails, ...]) -> list[str]:
    return [str(pod.status) for pod in pods]


def many(count: int) -> Service:
    return Service(*(f"{number:032x}" for number in range(count)))


@pytest.mark.parametrize(("count", "looks"), [(1, [1]), (100, [100]), (101, [100, 1]), (1000, [100] * 10)])
def test_a_look_is_one_request_for_each_hundred_pods_whose_address_is_short(
    count: int, looks: list[int]
) -> None:
    service = many(count)
    with connected(service) as connection:
        pods = StatusReader(connection).poll(service.details).pods
    assert service.asked == [f"/pods/status {ids}" for ids in looks]
    assert [pod.id for pod in pods] == list(service.pods)
    assert service.longest_url < 8000


def test_pods_come_back_in_their_order_and_an_unchanged_one_is_the_same_object(
    service: Service, lookout: StatusReader
) -> None:
    pods = service.details[::-1]
    service.put("b", status="PENDING")
    seen = lookout.poll(pods).pods
    assert [pod.id for pod in seen] == ["c", "b", "a"]
    assert [new is old for new, old in zip(seen, pods, strict=True)] == [True, False, True]
    assert seen[1].status is PodStatus.PENDING


def test_what_is_gone_or_has_no_id_is_not_asked_for(service: Service, lookout: StatusReader) -> None:
    gone, unnamed = PodDetails(id="x", status="TERMINATED"), PodDetails(name="y")
    assert lookout.poll([gone, unnamed]).pods == (gone, unnamed)
    assert requests(service) == []
    lookout.poll([gone, *service.details])
    assert requests(service) == ["/pods/status 3"]


def test_a_status_as_on_the_page_is_asked_once_and_from_then_on_the_list(
    service: Service, lookout: StatusReader
) -> None:
    def as_on_the_page(request: httpx.Request) -> httpx.Response | None:
        if not of_status(request):
            return None
        return as_json({"podId": "a", "providerType": "x", "status": "ACTIVE", "installationProgress": 40})

    service.answer = as_on_the_page
    service.put("a", status="ACTIVE", installationStatus="IN_PROGRESS")
    pods = lookout.poll(service.details).pods
    assert requests(service) == ["/pods/status 3", "/pods"]
    assert pods[0].installation_status is InstallationStatus.IN_PROGRESS
    for _ in range(3):
        pods = lookout.poll(pods).pods
    assert requests(service) == ["/pods"] * 3
    service.take("b")
    for _ in range(2):
        pods = lookout.poll(pods).pods
    assert statuses(pods) == ["ACTIVE", "TERMINATED", "PROVISIONING"]
    assert requests(service) == ["/pods", "/pods", "/pods/history", "/pods/status 2"]


def test_a_pod_that_is_nowhere_any_more_is_gone_at_the_second_look(
    service: Service, lookout: StatusReader
) -> None:
    pods = lookout.poll(service.details).pods
    service.take("b")
    requests(service)
    pods = lookout.poll(pods).pods
    assert statuses(pods) == ["PROVISIONING"] * 3
    pods = lookout.poll(pods).pods
    assert statuses(pods) == ["PROVISIONING", "TERMINATED", "PROVISIONING"]
    assert lookout.poll(pods).pods == pods
    assert requests(service) == ["/pods/status 3", "/pods", "/pods/history", *["/pods/status 2"] * 2]


def test_two_hundred_pods_that_vanish_at_once_cost_no_request_of_their_own() -> None:
    service = many(200)
    with connected(service) as connection:
        lookout = StatusReader(connection)
        pods = lookout.poll(service.details).pods
        service.take(*list(service.pods))
        requests(service)
        for _ in range(5):
            pods = lookout.poll(pods).pods
    assert set(statuses(pods)) == {"TERMINATED"}
    assert (
        requests(service)
        == ["/pods/status 100"] * 2 + ["/pods"] + ["/pods/history"] * 2 + ["/pods/status 100"] * 2
    )


def test_a_status_that_leaves_pods_out_is_not_believed_against_the_list(
    service: Service, lookout: StatusReader
) -> None:
    pods = lookout.poll(service.details).pods
    service.answer = lambda request: as_json({"data": []}) if of_status(request) else None
    for _ in range(5):
        pods = lookout.poll(pods).pods
        assert statuses(pods) == ["PROVISIONING"] * 3
    assert requests(service) == ["/pods/status 3", "/pods/status 3", *["/pods"] * 4]


def test_a_list_that_lags_behind_is_not_believed_against_the_status(
    service: Service, lookout: StatusReader
) -> None:
    pods = lookout.poll(service.details).pods
    only_a = {"data": [service.pods["a"]], "total_count": 1}
    service.answer = lambda request: None if of_status(request) else as_json(only_a)
    for _ in range(6):
        pods = lookout.poll(pods, for_others=True).pods
        assert statuses(pods) == ["PROVISIONING"] * 3


def test_a_pod_that_is_not_there_yet_is_given_a_minute_to_appear() -> None:
    service, clock = Service(), GatedClock()
    with connected(service, clock) as connection:
        lookout = StatusReader(connection)
        pods: tuple[PodDetails, ...] = (PodDetails(id="new", name="new", status="PROVISIONING"),)
        for _ in range(12):
            pods = lookout.poll(pods).pods
            clock.sleep(5)
            assert statuses(pods) == ["PROVISIONING"]
        pods = lookout.poll(pods).pods
        assert statuses(pods) == ["TERMINATED"]


def test_a_pod_of_long_ago_that_is_nowhere_is_not_waited_for(service: Service, lookout: StatusReader) -> None:
    pods: tuple[PodDetails, ...] = (service.put("old", createdAt=(START - timedelta(hours=1)).isoformat()),)
    service.take("old")
    for _ in range(2):
        pods = lookout.poll(pods).pods
    assert statuses(pods) == ["TERMINATED"]


def test_a_pod_that_appears_late_is_followed(service: Service, lookout: StatusReader) -> None:
    late = PodDetails(id="late", name="late", status="PROVISIONING")
    for _ in range(3):
        (late,) = lookout.poll([late]).pods
    service.put("late", status="ACTIVE")
    for _ in range(2):
        (late,) = lookout.poll([late]).pods
    assert late.status is PodStatus.ACTIVE


def test_others_come_along_with_the_list_alone(service: Service, lookout: StatusReader) -> None:
    (mine, *rest) = service.details
    seen = lookout.poll([mine], for_others=True)
    assert (seen.pods, [pod.id for pod in seen.others]) == ((mine,), [pod.id for pod in rest])
    assert requests(service) == ["/pods"]
    assert lookout.poll([mine]).others == ()
    assert requests(service) == ["/pods/status 1"]


def test_a_long_list_is_read_for_new_pods_now_and_then_only() -> None:
    service = many(150)
    with connected(service) as connection:
        lookout, pods = StatusReader(connection), service.details[:2]
        for _ in range(14):
            lookout.poll(pods, for_others=True)
    assert service.asked.count("/pods") == 6
    assert service.asked.count("/pods/status 2") == 11


def test_a_look_that_fails_half_way_changes_nothing() -> None:
    service = many(150)
    with connected(service) as connection:
        lookout = StatusReader(connection)
        pods = lookout.poll(service.details).pods
        service.make_ready()
        service.answer = lambda request: (
            httpx.Response(500) if request.url.query.count(b"pod_ids") == 50 else None
        )
        with pytest.raises(PodsError):
            lookout.poll(pods)
        service.answer = lambda request: None
        assert all(pod.is_ready for pod in lookout.poll(pods).pods)


@pytest.mark.parametrize(
    "spoilt",
    [
        broken(b""),
        broken(b"<html>log in</html>", "text/html"),
        broken(b'{"data": [{"podId": "a", "sta'),
        broken(b"[" * 100_000),
        broken(b'"text"'),
        as_json({"detail": "no"}),
        as_json({"data": "none"}),
        as_json({"data": 7, "total_count": "x"}),
        as_json({}, 418),
        as_json({"detail": "slow down"}, 429),
        as_json({"detail": "down"}, 503, **{"Retry-After": "60"}),
    ],
    ids=lambda spoilt: f"{spoilt.status_code} {spoilt.text[:20]}",
)
def test_no_spoilt_answer_ends_a_pod(service: Service, lookout: StatusReader, spoilt: httpx.Response) -> None:
    pods = lookout.poll(service.details).pods
    service.answer = lambda request: httpx.Response(
        spoilt.status_code, content=spoilt.content, headers=spoilt.headers
    )
    for _ in range(3):
        with pytest.raises(PodsError):
            lookout.poll(pods)
    service.answer = lambda request: None
    service.make_ready()
    assert all(pod.is_ready for pod in lookout.poll(pods).pods)


def test_a_status_of_other_pods_says_nothing_of_these(service: Service, lookout: StatusReader) -> None:
    pods = lookout.poll(service.details).pods
    others: list[dict[str, Any]] = [
        {"podId": "other", "status": "ERROR", "installationStatus": "FAILED"},
        {"status": "ERROR", "installationStatus": "FAILED"},
        {"podId": None, "id": 7, "status": "TERMINATED", "installationStatus": "FAILED"},
    ]
    service.answer = lambda request: as_json({"data": others}) if of_status(request) else None
    for _ in range(3):
        pods = lookout.poll(pods).pods
        assert statuses(pods) == ["PROVISIONING"] * 3


def test_a_status_that_refuses_unknown_ids_is_answered_by_the_list(
    service: Service, lookout: StatusReader
) -> None:
    pods = lookout.poll(service.details).pods
    service.take("b")
    service.answer = lambda request: as_json({"detail": "Pod not found"}, 404) if of_status(request) else None
    for _ in range(3):
        pods = lookout.poll(pods).pods
    assert statuses(pods) == ["PROVISIONING", "TERMINATED", "PROVISIONING"]


@pytest.mark.parametrize(
    "nothing",
    [
        None,
        {},
        {"data": None},
        {"items": None, "totalCount": 0},
        {"data": [], "total_count": 143},
        {"data": [], "status": "error", "message": "try again"},
    ],
)
def test_a_list_that_says_nothing_is_not_taken_for_an_empty_one(
    service: Service, lookout: StatusReader, nothing: Any
) -> None:
    service.answer = lambda request: None if of_status(request) else as_json(nothing)
    with pytest.raises(UnexpectedAnswer, match="instead of a list"):
        lookout.poll(service.details, for_others=True)


NOTHING: dict[str, Any] = {"data": [], "total_count": 0}
NOT_FOUND = httpx.Response(404, json={"detail": "Not Found"})
LITTLE = {"data": [{"podId": name, "status": "ACTIVE", "providerType": "x"} for name in "abc"]}
TERMINATED = {"data": [{"podId": name, "status": "TERMINATED", "installationStatus": None} for name in "abc"]}


def answering(**answers: Any) -> Callable[[httpx.Request], httpx.Response | None]:
    """Answer some endpoints otherwise: `listed`, `status`, `by_id`, `history`."""

    def answer(request: httpx.Request) -> httpx.Response | None:
        path = request.url.path.removeprefix("/api/v1").rstrip("/")
        names = {"/pods": "listed", "/pods/status": "status", "/pods/history": "history"}
        told = answers.get(names.get(path, "by_id"))
        if isinstance(told, httpx.Response):
            return httpx.Response(told.status_code, content=told.content, headers=told.headers)
        return None if told is None else as_json(told)

    return answer


@pytest.mark.parametrize("for_others", [False, True])
@pytest.mark.parametrize(
    "answers",
    [
        {"listed": NOTHING},
        {"listed": NOTHING, "status": LITTLE},
        {"listed": NOTHING, "status": NOT_FOUND},
        {"listed": NOTHING, "status": {"data": []}},
        {"listed": NOTHING, "by_id": NOT_FOUND, "history": NOT_FOUND},
        {"status": NOT_FOUND, "by_id": NOT_FOUND},
        {"status": {"data": []}, "by_id": NOT_FOUND, "history": NOT_FOUND},
        {"status": TERMINATED, "by_id": NOT_FOUND},
        {"listed": NOTHING, "status": {"data": []}, "by_id": httpx.Response(501)},
    ],
    ids=str,
)
def test_a_pod_that_one_witness_knows_is_never_gone(
    service: Service, answers: dict[str, Any], for_others: bool
) -> None:
    service.make_ready()
    clock = GatedClock()
    with connected(service, clock) as connection:
        lookout = StatusReader(connection)
        pods = lookout.poll(service.details).pods
        service.answer = answering(**answers)
        for _ in range(30):
            pods = lookout.poll(pods, for_others=for_others).pods
            clock.sleep(5)
            assert "TERMINATED" not in statuses(pods)


@pytest.mark.parametrize(
    ("answers", "looks"),
    [
        ({}, 2),
        ({"status": NOT_FOUND}, 2),
        ({"by_id": NOT_FOUND}, 2),
        ({"status": {"data": LITTLE["data"][1:]}}, 2),
        ({"status": {"data": []}}, 2),
        ({"status": {"data": TERMINATED["data"][:1]}, "history": NOTHING}, 1),
    ],
    ids=str,
)
def test_a_pod_that_has_ended_is_noticed_within_a_look_or_two(
    service: Service, lookout: StatusReader, answers: dict[str, Any], looks: int
) -> None:
    pods = lookout.poll(service.details).pods
    service.take("a")
    service.answer = answering(**answers)
    for _ in range(looks):
        pods = lookout.poll(pods).pods
    assert statuses(pods) == ["TERMINATED", "PROVISIONING", "PROVISIONING"]


def test_a_pod_that_no_one_knows_and_whose_end_no_one_states_is_given_a_minute() -> None:
    service, clock = Service("a"), GatedClock()
    with connected(service, clock) as connection:
        lookout = StatusReader(connection)
        pods = lookout.poll(service.details).pods
        service.answer = answering(
            listed=NOTHING, status={"data": []}, by_id=NOT_FOUND, history={"data": [], "total_count": 0}
        )
        for _ in range(12):
            pods = lookout.poll(pods).pods
            clock.sleep(5)
            assert statuses(pods) == ["PROVISIONING"]
        assert statuses(lookout.poll(pods).pods) == ["TERMINATED"]


def test_doubts_are_told_with_the_pod_as_last_seen(service: Service, lookout: StatusReader) -> None:
    pods = lookout.poll(service.details).pods
    service.take("b")
    open_row = {"data": [{"id": "b", "name": "b", "terminatedAt": None}], "total_count": 1}
    service.answer = answering(history=open_row)
    lookout.poll(pods)
    seen = lookout.poll(pods)
    assert seen.pods == pods
    assert seen.doubts == {"b": "the list of pods does not show 'b', but its row in the history has no end"}


def test_a_doubt_is_shown_to_who_watches_and_ends_when_it_is_resolved() -> None:
    service, clock = Service("a", "b"), GatedClock()
    with connected(service, clock) as connection:
        watch = connection.poller.watch(service.details)
        service.take("b")
        service.answer = answering(history={"data": [{"id": "b", "terminatedAt": None}], "total_count": 1})
        service.make_ready("a")
        clock.let_pass(10)
        news = watch.next(0)
        assert news is not None
        snapshot, _ = news
        assert "its row in the history has no end" in str(snapshot.trouble)
        assert [str(change) for change in snapshot.changes][:2] == [
            "a is ready",
            "the service cannot be relied on: the list of pods does not show 'b', but its row in the history "
            "has no end",
        ]
        assert not watch.has_ended
        service.answer = lambda request: None
        clock.let_pass(5)
        news = watch.next(0)
        assert news is not None
        assert [str(change) for change in news[0].changes] == ["the service answers again", "b is gone"]
        assert watch.has_ended


@pytest.mark.parametrize("part", range(5))
def test_while_one_witness_is_right_no_living_pod_is_gone_whatever_the_others_say(part: int) -> None:
    for seed in range(part, pick(20, 2000), 5):
        rng = random.Random(seed)
        service, clock = many(rng.choice([1, 3, 40])), GatedClock()
        honest = rng.choice(["listed", "status", "by_id"])
        with connected(service, clock) as connection:
            lookout = StatusReader(connection)
            pods = lookout.poll(service.details).pods
            service.answer = _leave_out_pods(service, rng, honest)
            for _ in range(25):
                if rng.random() < 0.1 and service.pods:
                    service.take(rng.choice(list(service.pods)))
                with suppress(PodsError):
                    pods = lookout.poll(pods, for_others=rng.random() < 0.3).pods
                clock.sleep(rng.choice([5, 30]))
                gone = {pod.id for pod in pods if pod.status is PodStatus.TERMINATED}
                assert gone.isdisjoint(service.pods), (seed, honest)
            service.answer = lambda request: None
            for _ in range(3):
                pods = lookout.poll(pods).pods
            assert {pod.id for pod in pods if pod.is_live} == service.pods.keys(), (seed, honest)


def _leave_out_pods(
    service: Service, rng: random.Random, honest: str
) -> Callable[[httpx.Request], httpx.Response | None]:
    """Let every endpoint but one leave out pods, or not be there, at random."""

    def answer(request: httpx.Request) -> httpx.Response | None:
        path = request.url.path.removeprefix("/api/v1").rstrip("/")
        kind = {"/pods": "listed", "/pods/status": "status", "/pods/history": "history"}.get(path, "by_id")
        chance = rng.random()
        if kind == honest or chance < 0.3:
            return None
        if kind == "by_id" or chance < 0.4:
            return httpx.Response(404 if kind != "listed" else 403, json={"detail": "Not found"})
        if kind == "history":
            return as_json(NOTHING)
        left = [pod for pod in service.pods.values() if chance > 0.7 and rng.random() < 0.5]
        if kind == "status":
            asked = request.url.params.get_list("pod_ids")
            return as_json({"data": [{**pod, "podId": pod["id"]} for pod in left if pod["id"] in asked]})
        offset, limit = int(request.url.params["offset"]), int(request.url.params["limit"])
        return as_json({"data": left[offset : offset + limit], "total_count": len(left)})

    return answer


def test_a_pod_that_only_the_list_calls_terminated_is_not_gone(
    service: Service, connection: Connection
) -> None:
    lookout, pods = StatusReader(connection), service.details
    rows = [{**service.pods["a"], "status": "TERMINATED"}, service.pods["b"], service.pods["c"]]

    def answer(request: httpx.Request) -> httpx.Response | None:
        if of_status(request):
            return as_json({"data": [{"podId": name, "status": "ACTIVE"} for name in service.pods]})
        is_list = request.url.path.rstrip("/").endswith("/pods")
        return as_json({"data": rows, "total_count": 3}) if is_list else None

    service.answer = answer
    seen = lookout.poll(pods)
    assert "TERMINATED" not in statuses(seen.pods)
    assert requests(service) == ["/pods/status 3", "/pods", "/pods/history", "/pods/status 2"]
    service.take("a")
    assert statuses(lookout.poll(seen.pods).pods)[0] == "TERMINATED"
    assert requests(service) == ["/pods", "/pods/history", "/pods/status 2"]


def test_the_list_is_read_once_for_a_price_that_the_status_does_not_state(
    service: Service, connection: Connection, lookout: StatusReader
) -> None:
    connection.agreements.add("a", 2.5, lambda *_: PodsError("terminated"))
    seen = lookout.poll(service.details)
    service.make_ready("a", "b")
    service.put("a", priceHr=25.0)
    assert requests(service) == ["/pods/status 3"]
    seen = lookout.poll(seen.pods)
    assert requests(service) == ["/pods/status 3", "/pods"]
    assert (seen.pods[0].is_ready, seen.pods[0].price_hr, seen.priced_ids) == (True, 25.0, {"a"})
    lookout.poll(seen.pods)
    assert requests(service) == ["/pods/status 3"]


def test_a_list_that_lags_behind_is_read_for_the_price_until_it_shows_the_pod(
    service: Service, connection: Connection, lookout: StatusReader
) -> None:
    connection.agreements.add("a", 2.5, lambda *_: PodsError("terminated"))
    service.make_ready("a")
    service.put("a", priceHr=25.0)
    pods = [pod.model_copy(update={"price_hr": 2.5}) for pod in service.details]
    service.answer = lambda request: None if of_status(request) else as_json({"data": [], "total_count": 0})
    seen = lookout.poll(pods)
    assert (seen.pods[0].price_hr, seen.priced_ids) == (2.5, frozenset())
    late = {**service.pods["a"], "status": "PROVISIONING", "sshConnection": None}
    service.answer = lambda request: None if of_status(request) else as_json({"data": [late]})
    seen = lookout.poll(seen.pods)
    assert (seen.pods[0].is_ready, seen.pods[0].price_hr, seen.priced_ids) == (True, 25.0, {"a"})


def test_a_price_in_the_status_costs_no_list(service: Service, connection: Connection) -> None:
    connection.agreements.add("a", 2.5, lambda *_: PodsError("terminated"))
    service.make_ready("a")
    entry = {"podId": "a", "status": "ACTIVE", "installationStatus": "COMPLETE", "priceHr": 2.5}
    service.answer = lambda request: as_json({"data": [entry]}) if of_status(request) else None
    assert StatusReader(connection).poll(service.details[:1]).priced_ids == {"a"}
    assert requests(service) == ["/pods/status 1"]


@pytest.mark.parametrize(
    "answers",
    [
        {"status": NOT_FOUND, "listed": NOTHING | {"total_count": 143}},
        {"status": httpx.Response(500)},
        {"status": httpx.Response(200, content=b"<html>log in</html>")},
    ],
    ids=["no status and no list", "the status fails", "the status is a page"],
)
def test_a_pod_held_to_a_price_is_asked_for_by_its_id_if_nothing_else_tells(
    service: Service, connection: Connection, lookout: StatusReader, answers: dict[str, Any]
) -> None:
    pods = tuple(service.details)
    connection.agreements.add("a", 2.5, lambda *_: PodsError("terminated"))
    service.make_ready("a", "b")
    service.put("a", priceHr=25.0)
    service.answer = answering(**answers)
    for _ in range(3):
        seen = lookout.poll(pods)
    assert (seen.pods[0].is_ready, seen.pods[0].price_hr, seen.priced_ids) == (True, 25.0, {"a"})
    assert seen.pods[1:] == pods[1:]
    assert seen.doubts.keys() == {"b", "c"}, "no one has told of them"


def test_who_waits_for_new_pods_hears_that_the_list_cannot_be_read(
    service: Service, connection: Connection, lookout: StatusReader
) -> None:
    connection.agreements.add("a", 2.5, lambda *_: PodsError("terminated"))
    service.put("a", priceHr=25.0)
    service.answer = answering(listed=NOTHING | {"total_count": 143})
    seen = lookout.poll(service.details[:1], for_others=True)
    assert (seen.priced_ids, seen.doubts.keys()) == ({"a"}, {"a"})


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503, headers={"Retry-After": "60"}),
        httpx.Response(429),
        httpx.Response(200, content=b"<html>log in</html>"),
    ],
    ids=["a pause is wanted", "too many requests", "no good answer by id either"],
)
def test_a_look_fails_if_a_pod_held_to_a_price_cannot_be_asked_for(
    service: Service, connection: Connection, lookout: StatusReader, answer: httpx.Response
) -> None:
    connection.agreements.add("a", 2.5, lambda *_: PodsError("terminated"))
    service.answer = answering(status=answer, listed=answer, by_id=answer)
    with pytest.raises(PodsError):
        lookout.poll(service.details)
    assert service.asked.count("/pods/a") == (answer.status_code == 200)

"""One look at many pods: few requests, no pod asked for by itself, and nothing concluded from one mistake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import PodsError, UnexpectedAnswer
from primepods_magic.api.models import PodDetails
from primepods_magic.api.vocabulary import InstallationStatus, PodStatus
from primepods_magic.pods.connection import Connection
from primepods_magic.pods.look import Lookout
from tests.support.watching import START, GatedClock, Service, as_json, broken, connected, of_status


@pytest.fixture
def service() -> Service:
    return Service("a", "b", "c")


@pytest.fixture
def connection(service: Service) -> Iterator[Connection]:
    with connected(service) as connection:
        yield connection


@pytest.fixture
def lookout(connection: Connection) -> Lookout:
    return Lookout(connection)


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
        pods = Lookout(connection).look(service.details).pods
    assert service.asked == [f"/pods/status {ids}" for ids in looks]
    assert [pod.id for pod in pods] == list(service.pods)
    assert service.longest_url < 8000


def test_pods_come_back_in_their_order_and_an_unchanged_one_is_the_same_object(
    service: Service, lookout: Lookout
) -> None:
    pods = service.details[::-1]
    service.put("b", status="PENDING")
    seen = lookout.look(pods).pods
    assert [pod.id for pod in seen] == ["c", "b", "a"]
    assert [new is old for new, old in zip(seen, pods, strict=True)] == [True, False, True]
    assert seen[1].status is PodStatus.PENDING


def test_what_is_gone_or_has_no_id_is_not_asked_for(service: Service, lookout: Lookout) -> None:
    gone, unnamed = PodDetails(id="x", status="TERMINATED"), PodDetails(name="y")
    assert lookout.look([gone, unnamed]).pods == (gone, unnamed)
    assert requests(service) == []
    lookout.look([gone, *service.details])
    assert requests(service) == ["/pods/status 3"]


def test_a_status_as_on_the_page_is_asked_once_and_from_then_on_the_list(
    service: Service, lookout: Lookout
) -> None:
    def as_on_the_page(request: httpx.Request) -> httpx.Response | None:
        if not of_status(request):
            return None
        return as_json({"podId": "a", "providerType": "x", "status": "ACTIVE", "installationProgress": 40})

    service.answer = as_on_the_page
    service.put("a", status="ACTIVE", installationStatus="IN_PROGRESS")
    pods = lookout.look(service.details).pods
    assert requests(service) == ["/pods/status 3", "/pods"]
    assert pods[0].installation_status is InstallationStatus.IN_PROGRESS
    for _ in range(3):
        pods = lookout.look(pods).pods
    assert requests(service) == ["/pods"] * 3
    service.take("b")
    for _ in range(2):
        pods = lookout.look(pods).pods
    assert statuses(pods) == ["ACTIVE", "TERMINATED", "PROVISIONING"]
    assert requests(service) == ["/pods"] * 2


def test_a_pod_that_is_nowhere_any_more_is_gone_at_the_second_look(
    service: Service, lookout: Lookout
) -> None:
    pods = lookout.look(service.details).pods
    service.take("b")
    requests(service)
    pods = lookout.look(pods).pods
    assert statuses(pods) == ["PROVISIONING"] * 3
    pods = lookout.look(pods).pods
    assert statuses(pods) == ["PROVISIONING", "TERMINATED", "PROVISIONING"]
    assert lookout.look(pods).pods == pods
    assert requests(service) == ["/pods/status 3", "/pods", "/pods/status 2"]


def test_two_hundred_pods_that_vanish_at_once_cost_no_request_of_their_own() -> None:
    service = many(200)
    with connected(service) as connection:
        lookout = Lookout(connection)
        pods = lookout.look(service.details).pods
        service.take(*list(service.pods))
        requests(service)
        for _ in range(5):
            pods = lookout.look(pods).pods
    assert set(statuses(pods)) == {"TERMINATED"}
    assert requests(service) == ["/pods/status 100", "/pods/status 100", "/pods"]


def test_a_status_that_leaves_pods_out_is_not_believed_against_the_list(
    service: Service, lookout: Lookout
) -> None:
    pods = lookout.look(service.details).pods
    service.answer = lambda request: as_json({"data": []}) if of_status(request) else None
    for _ in range(5):
        pods = lookout.look(pods).pods
        assert statuses(pods) == ["PROVISIONING"] * 3
    assert requests(service) == ["/pods/status 3", "/pods/status 3", *["/pods"] * 4]


def test_a_list_that_lags_behind_is_not_believed_against_the_status(
    service: Service, lookout: Lookout
) -> None:
    pods = lookout.look(service.details).pods
    only_a = {"data": [service.pods["a"]], "total_count": 1}
    service.answer = lambda request: None if of_status(request) else as_json(only_a)
    for _ in range(6):
        pods = lookout.look(pods, for_others=True).pods
        assert statuses(pods) == ["PROVISIONING"] * 3


def test_a_pod_that_is_not_there_yet_is_given_a_minute_to_appear() -> None:
    service, clock = Service(), GatedClock()
    with connected(service, clock) as connection:
        lookout = Lookout(connection)
        pods: tuple[PodDetails, ...] = (PodDetails(id="new", name="new", status="PROVISIONING"),)
        for _ in range(12):
            pods = lookout.look(pods).pods
            clock.sleep(5)
            assert statuses(pods) == ["PROVISIONING"]
        pods = lookout.look(pods).pods
        assert statuses(pods) == ["TERMINATED"]


def test_a_pod_of_long_ago_that_is_nowhere_is_not_waited_for(service: Service, lookout: Lookout) -> None:
    pods: tuple[PodDetails, ...] = (PodDetails(id="old", name="old", created_at=START - timedelta(hours=1)),)
    for _ in range(2):
        pods = lookout.look(pods).pods
    assert statuses(pods) == ["TERMINATED"]


def test_a_pod_that_appears_late_is_followed(service: Service, lookout: Lookout) -> None:
    late = PodDetails(id="late", name="late", status="PROVISIONING")
    for _ in range(3):
        (late,) = lookout.look([late]).pods
    service.put("late", status="ACTIVE")
    for _ in range(2):
        (late,) = lookout.look([late]).pods
    assert late.status is PodStatus.ACTIVE


def test_others_come_along_with_the_list_alone(service: Service, lookout: Lookout) -> None:
    (mine, *rest) = service.details
    seen = lookout.look([mine], for_others=True)
    assert (seen.pods, [pod.id for pod in seen.others]) == ((mine,), [pod.id for pod in rest])
    assert requests(service) == ["/pods"]
    assert lookout.look([mine]).others == ()
    assert requests(service) == ["/pods/status 1"]


def test_a_long_list_is_read_for_new_pods_now_and_then_only() -> None:
    service = many(150)
    with connected(service) as connection:
        lookout, pods = Lookout(connection), service.details[:2]
        for _ in range(14):
            lookout.look(pods, for_others=True)
    assert service.asked.count("/pods") == 6
    assert service.asked.count("/pods/status 2") == 11


def test_a_look_that_fails_half_way_changes_nothing() -> None:
    service = many(150)
    with connected(service) as connection:
        lookout = Lookout(connection)
        pods = lookout.look(service.details).pods
        service.make_ready()
        service.answer = lambda request: (
            httpx.Response(500) if request.url.query.count(b"pod_ids") == 50 else None
        )
        with pytest.raises(PodsError):
            lookout.look(pods)
        service.answer = lambda request: None
        assert all(pod.is_ready for pod in lookout.look(pods).pods)


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
def test_no_spoilt_answer_ends_a_pod(service: Service, lookout: Lookout, spoilt: httpx.Response) -> None:
    pods = lookout.look(service.details).pods
    service.answer = lambda request: httpx.Response(
        spoilt.status_code, content=spoilt.content, headers=spoilt.headers
    )
    for _ in range(3):
        with pytest.raises(PodsError):
            lookout.look(pods)
    service.answer = lambda request: None
    service.make_ready()
    assert all(pod.is_ready for pod in lookout.look(pods).pods)


def test_a_status_of_other_pods_says_nothing_of_these(service: Service, lookout: Lookout) -> None:
    pods = lookout.look(service.details).pods
    others: list[dict[str, Any]] = [
        {"podId": "other", "status": "ERROR", "installationStatus": "FAILED"},
        {"status": "ERROR", "installationStatus": "FAILED"},
        {"podId": None, "id": 7, "status": "TERMINATED", "installationStatus": "FAILED"},
    ]
    service.answer = lambda request: as_json({"data": others}) if of_status(request) else None
    for _ in range(3):
        pods = lookout.look(pods).pods
        assert statuses(pods) == ["PROVISIONING"] * 3


def test_a_status_that_refuses_unknown_ids_is_answered_by_the_list(
    service: Service, lookout: Lookout
) -> None:
    pods = lookout.look(service.details).pods
    service.take("b")
    service.answer = lambda request: as_json({"detail": "Pod not found"}, 404) if of_status(request) else None
    for _ in range(3):
        pods = lookout.look(pods).pods
    assert statuses(pods) == ["PROVISIONING", "TERMINATED", "PROVISIONING"]


@pytest.mark.parametrize(
    "nothing",
    [None, {}, {"data": None}, {"items": None, "totalCount": 0}, {"data": [], "total_count": 143}],
)
def test_a_list_that_says_nothing_is_not_taken_for_an_empty_one(
    service: Service, lookout: Lookout, nothing: Any
) -> None:
    service.answer = lambda request: None if of_status(request) else as_json(nothing)
    with pytest.raises(UnexpectedAnswer, match="nothing where a list belongs"):
        lookout.look(service.details, for_others=True)

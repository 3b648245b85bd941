"""The fate of a pod that a list leaves out: two different witnesses for its end, one for its life."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import AuthenticationError, NotFound
from primepods_magic.api.models import HistoryRow, PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.existence import Finding, PodFate, examine_pod, examine_pods, is_closed
from primepods_magic.pods.listing import pod_status
from tests.support.watching import SSH, START, Service, as_json, connected

LIST, STATUS, HISTORY, BY_ID = "/pods", "/pods/status", "/pods/history", "/pods/a"
NOTHING = {"data": [], "total_count": 0}
NO_ROUTE = httpx.Response(404, json={"detail": "Not Found"})

Examine = Callable[[Connection, str], Finding]


def _examine_alone(connection: Connection, pod_id: str) -> Finding:
    return examine_pod(connection, pod_id, budget_s=0)


def _examine_among_others(connection: Connection, pod_id: str) -> Finding:
    return examine_pods(connection, [PodDetails(id=pod_id, name=pod_id)], budget_s=0)[pod_id]


@pytest.fixture
def service() -> Service:
    return Service("a", "b")


@pytest.fixture
def connection(service: Service) -> Iterator[Connection]:
    with connected(service) as connection:
        yield connection


@pytest.fixture(params=[_examine_alone, _examine_among_others])
def examine(request: pytest.FixtureRequest) -> Examine:
    found: Examine = request.param
    return found


def answer_with(service: Service, **answers: Any) -> None:
    """Let some endpoints answer otherwise; each is named as the constants above."""
    by_path = {globals()[name]: answer for name, answer in answers.items()}

    def answer(request: httpx.Request) -> httpx.Response | None:
        told = by_path.get(request.url.path.removeprefix("/api/v1").rstrip("/"))
        if told is None or isinstance(told, httpx.Response):
            return None if told is None else httpx.Response(told.status_code, content=told.content)
        return as_json(told)

    service.answer = answer


@pytest.mark.parametrize(
    "answers",
    [
        {"LIST": NOTHING},
        {"LIST": NOTHING, "STATUS": {"data": []}},
        {"LIST": NOTHING, "STATUS": NO_ROUTE},
        {"LIST": NOTHING, "BY_ID": NO_ROUTE},
        {"STATUS": {"data": []}, "BY_ID": NO_ROUTE, "HISTORY": NO_ROUTE},
        {"LIST": httpx.Response(400), "STATUS": NO_ROUTE},
    ],
    ids=", ".join,
)
def test_a_pod_that_one_witness_knows_is_live(
    service: Service, connection: Connection, examine: Examine, answers: dict[str, Any]
) -> None:
    answer_with(service, **answers)
    found = examine(connection, "a")
    assert found.is_live
    assert found.pod is not None
    assert found.pod.id == "a"


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"STATUS": NO_ROUTE},
        {"STATUS": {"data": []}, "BY_ID": NO_ROUTE},
        {"BY_ID": httpx.Response(403)},
        {"LIST": httpx.Response(400)},
        {"HISTORY": NO_ROUTE, "STATUS": {"data": [{"podId": "a", "status": "TERMINATED"}]}},
    ],
    ids=lambda answers: ", ".join(answers) or "as usual",
)
def test_a_pod_whose_end_is_stated_and_that_another_witness_lacks_has_ended(
    service: Service, connection: Connection, examine: Examine, answers: dict[str, Any]
) -> None:
    service.take("a")
    answer_with(service, **answers)
    assert examine(connection, "a").has_ended


@pytest.mark.parametrize(
    ("answers", "fate"),
    [
        ({}, PodFate.ABSENT),
        ({"STATUS": NO_ROUTE}, PodFate.ABSENT),
        ({"BY_ID": httpx.Response(403)}, PodFate.ABSENT),
        ({"STATUS": NO_ROUTE, "BY_ID": httpx.Response(403)}, PodFate.UNKNOWN),
        # It leaves out a pod that is known to live.
        ({"STATUS": {"data": []}, "BY_ID": httpx.Response(403)}, PodFate.UNKNOWN),
        ({"BY_ID": httpx.Response(503)}, PodFate.UNKNOWN),
        ({"BY_ID": {"id": "b", "status": "ACTIVE"}}, PodFate.UNKNOWN),
        ({"HISTORY": {"data": [{"id": "a", "terminatedAt": None}]}}, PodFate.UNKNOWN),
        ({"LIST": httpx.Response(400), "STATUS": NO_ROUTE}, PodFate.UNKNOWN),
    ],
    ids=str,
)
def test_a_pod_that_nobody_knows_and_whose_end_nobody_states_has_not_ended(
    service: Service, connection: Connection, examine: Examine, answers: dict[str, Any], fate: PodFate
) -> None:
    service.take("a")
    service.ended.clear()
    answer_with(service, **answers)
    found = examine(connection, "a")
    assert found.fate is fate
    assert bool(found.reason) is (fate is PodFate.UNKNOWN)


def test_the_list_wins_and_no_other_witness_is_asked(
    service: Service, connection: Connection, examine: Examine
) -> None:
    answer_with(service, STATUS={"data": [{"podId": "a", "status": "TERMINATED"}]}, BY_ID=NO_ROUTE)
    assert examine(connection, "a").is_live
    assert service.asked == ["/pods"]


def as_listed(**said: Any) -> dict[str, Any]:
    return {"data": [{"id": "a", "name": "a", **said}], "total_count": 1}


@pytest.mark.parametrize(
    "others", [{}, {"BY_ID": NO_ROUTE, "HISTORY": {"data": [{"id": "a", "terminatedAt": START.isoformat()}]}}]
)
def test_a_list_that_calls_a_pod_terminated_is_not_believed_against_another_witness(
    service: Service, connection: Connection, examine: Examine, others: dict[str, Any]
) -> None:
    answer_with(service, LIST=as_listed(status="TERMINATED"), **others)
    found = examine(connection, "a")
    assert found.is_live
    assert found.pod is not None
    assert found.pod.status == "PROVISIONING"


@pytest.mark.parametrize(
    ("answers", "fate"),
    [
        ({}, PodFate.ENDED),
        ({"HISTORY": NOTHING}, PodFate.ENDED),
        ({"HISTORY": NOTHING, "BY_ID": {"id": "a", "status": "TERMINATED"}}, PodFate.ENDED),
        ({"HISTORY": NO_ROUTE, "STATUS": httpx.Response(403), "BY_ID": httpx.Response(403)}, PodFate.UNKNOWN),
        ({"HISTORY": NO_ROUTE, "STATUS": NO_ROUTE, "BY_ID": {"name": "a"}}, PodFate.UNKNOWN),
    ],
    ids=str,
)
def test_a_list_that_calls_a_pod_terminated_is_one_witness(
    service: Service, connection: Connection, examine: Examine, answers: dict[str, Any], fate: PodFate
) -> None:
    service.take("a")
    answer_with(service, LIST=as_listed(status="TERMINATED"), **answers)
    found = examine(connection, "a")
    assert found.fate is fate
    assert found.reason.startswith("the list of pods calls 'a' TERMINATED, but ") is (fate is PodFate.UNKNOWN)


@pytest.mark.parametrize(
    "row",
    [
        {"terminatedAt": (START + timedelta(minutes=6)).isoformat()},
        {"terminatedAt": "2027-06-01T00:00:00Z"},
        {"terminatedAt": "2026-11-01T00:00:00Z", "createdAt": "2026-11-02T00:00:00Z"},
    ],
    ids=["in six minutes", "next year", "before its beginning"],
)
def test_a_row_whose_end_cannot_be_states_no_end(
    service: Service, connection: Connection, examine: Examine, row: dict[str, Any]
) -> None:
    answer_with(service, LIST=NOTHING, HISTORY={"data": [{"id": "a", **row}]})
    assert examine(connection, "a").is_live
    service.take("a")
    answer_with(service, HISTORY={"data": [{"id": "a", **row}]}, STATUS=httpx.Response(403))
    assert not examine(connection, "a").has_ended


def test_a_row_that_ends_before_the_pod_was_created_is_of_an_earlier_pod(
    service: Service, connection: Connection
) -> None:
    row = {"id": "a", "createdAt": "2026-11-01T00:00:00Z", "terminatedAt": "2026-11-02T00:00:00Z"}
    answer_with(service, HISTORY={"data": [row]}, STATUS=httpx.Response(403), BY_ID=httpx.Response(403))
    for created_at, fate in ((START, PodFate.UNKNOWN), (None, PodFate.ENDED)):
        pod = PodDetails(id="a", created_at=created_at)
        assert examine_pods(connection, [pod], listed=[])["a"].fate is fate
    service.take("a")
    answer_with(service, HISTORY={"data": [row]})
    assert examine_pods(connection, [PodDetails(id="a", created_at=START)])["a"].has_ended


def test_clocks_that_differ_by_minutes_are_tolerated(
    service: Service, connection: Connection, examine: Examine
) -> None:
    service.take("a")
    row = {"id": "a", "terminatedAt": (START + timedelta(minutes=4)).isoformat()}
    answer_with(service, HISTORY={"data": [row]})
    assert examine(connection, "a").has_ended


def test_many_pods_that_ended_cost_a_page_of_the_history_and_a_status_for_each_hundred() -> None:
    service = Service(*(f"{number:032x}" for number in range(150)))
    with connected(service) as connection:
        pods = service.details
        service.take(*list(service.pods))
        found = examine_pods(connection, pods, listed=[])
    assert {finding.fate for finding in found.values()} == {PodFate.ENDED}
    assert service.asked == [*["/pods/history"] * 2, "/pods/status 100", "/pods/status 50"]


def test_a_few_of_many_pods_are_asked_for_by_id_and_stand_for_all() -> None:
    service = Service(*(f"{number:032x}" for number in range(50)))
    with connected(service) as connection:
        pods = service.details
        service.answer = lambda request: as_json({"data": []}) if b"pod_ids" in request.url.query else None
        found = examine_pods(connection, pods, listed=[])
        assert len(service.asked) == 12
        assert not {PodFate.ENDED, PodFate.ABSENT} & {finding.fate for finding in found.values()}
        service.pods.clear()
        found = examine_pods(connection, pods, listed=[])
    assert {finding.fate for finding in found.values()} == {PodFate.ABSENT}


def test_a_key_that_is_refused_ends_the_question(service: Service, connection: Connection) -> None:
    service.answer = lambda request: httpx.Response(401)
    with pytest.raises(AuthenticationError):
        examine_pod(connection, "a", listed=[])


@pytest.mark.parametrize("told", [NO_ROUTE, {"data": []}], ids=["no endpoint", "nothing"])
def test_a_pod_that_the_status_leaves_out_is_shown_as_the_list_has_it(
    service: Service, connection: Connection, told: Any
) -> None:
    service.make_ready("a")
    answer_with(service, STATUS=told)
    (entry,) = pod_status(connection, [PodDetails(id="a")])
    assert (entry.key, entry.status, entry.ssh_connection) == ("a", "ACTIVE", SSH)
    service.take("a")
    with pytest.raises(NotFound, match="The service does not know the pod a"):
        pod_status(connection, [PodDetails(id="a")])


def test_an_end_is_not_taken_for_a_planned_one_if_the_clock_of_the_service_is_behind() -> None:
    real, hour = datetime.now(timezone.utc), timedelta(hours=1)
    row = HistoryRow(id="a", created_at=real - 2 * hour, terminated_at=real - hour)
    planned = HistoryRow(id="a", created_at=real - 2 * hour, terminated_at=real + hour)
    older = HistoryRow(id="a", created_at=real - 9 * hour, terminated_at=real - hour)
    assert [is_closed(one, real) for one in (row, planned, older)] == [True, False, True]
    behind = [is_closed(one, real - 5 * hour) for one in (row, planned, older)]
    assert behind == [True, False, False], "only a pod that begins in the future proves it"

"""A pod is called terminated when two witnesses agree, whatever the delete itself was answered with."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from primepods_magic.pods.terminate import terminate_pods
from tests.support.watching import GatedClock, Service, as_json, connected

NOTHING: dict[str, Any] = {"data": [], "total_count": 0}
NOT_FOUND = httpx.Response(404, json={"detail": "Not Found"})
GOING = "not gone yet, may still be billed"
ENDED = {"id": "a", "terminatedAt": "2026-01-01T00:00:00Z"}
NOT_VERIFIED = "termination requested, not verified: "


class Ending(Service):
    """A service that also ends pods, unless it is told to answer otherwise.

    Attributes
    ----------
    answers : dict
        The answers of some endpoints: ``delete``, ``listed``, ``status``, ``by_id``, ``history``.
    ends : bool
        Whether a delete ends the pod.
    """

    def __init__(self, *names: str, ends: bool = True, **answers: Any) -> None:
        super().__init__(*names)
        self.answers, self.ends = answers, ends
        self.answer = self._answer

    def _answer(self, request: httpx.Request) -> httpx.Response | None:
        path = request.url.path.removeprefix("/api/v1").rstrip("/")
        kind = {"/pods": "listed", "/pods/status": "status", "/pods/history": "history"}.get(path, "by_id")
        if request.method == "DELETE":
            kind = "delete"
            if self.ends:
                self.take(path.removeprefix("/pods/"))
        told = self.answers.get(kind)
        if isinstance(told, httpx.Response):
            return httpx.Response(told.status_code, content=told.content)
        if told is not None:
            return as_json(told)
        return as_json({"status": "TERMINATED"}) if kind == "delete" else None


def remove(service: Service, *names: str) -> list[str]:
    """The outcomes of removing these pods."""
    pods = [service.put(name, status="ACTIVE", installationStatus="COMPLETE") for name in names]
    with connected(service, GatedClock(free=True)) as connection:
        service.asked.clear()
        return [removal.outcome for removal in terminate_pods(connection, pods)]


@pytest.mark.parametrize("deleted", [None, NOT_FOUND])
@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"status": {"data": [{"podId": "a", "status": "TERMINATED"}]}, "by_id": NOT_FOUND},
        {"history": {"data": [{"id": "a", "terminatedAt": "2026-01-01T00:00:00Z"}], "total_count": 1}},
        {"listed": NOTHING},
        {"listed": {"data": [{"id": "a", "name": "a", "status": "TERMINATED"}], "total_count": 1}},
        {"listed": NOTHING, "history": {"data": [{"id": "a", "terminatedAt": "2027-06-01T00:00:00Z"}]}},
        {"listed": NOTHING, "by_id": NOT_FOUND},
        {"listed": NOTHING, "status": {"data": []}},
        {"listed": NOTHING, "status": NOT_FOUND, "history": NOT_FOUND},
        {"listed": NOTHING, "history": {"data": [ENDED], "total_count": 1}},
    ],
    ids=str,
)
def test_a_pod_that_one_witness_knows_is_not_called_terminated(answers: dict[str, Any], deleted: Any) -> None:
    service = Ending("a", "b", ends=False, **answers, delete=deleted)
    assert remove(service, "a") == [GOING]


@pytest.mark.parametrize("deleted", [None, NOT_FOUND])
@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"status": NOT_FOUND, "by_id": NOT_FOUND},
        {"status": {"data": [{"podId": "a", "status": "TERMINATED"}]}, "history": NOTHING},
    ],
    ids=str,
)
def test_a_pod_whose_end_is_stated_is_terminated(answers: dict[str, Any], deleted: Any) -> None:
    assert remove(Ending("a", "b", **answers, delete=deleted), "a") == ["terminated"]


def test_a_removal_costs_one_more_request_than_the_history_that_it_needs_anyway() -> None:
    service = Ending("a", "b")
    assert remove(service, "a", "b") == ["terminated", "terminated"]
    assert service.asked == ["/pods/a", "/pods/b", "/pods", "/pods/history", "/pods/status 2"]


@pytest.mark.parametrize(
    ("deleted", "outcome"),
    [
        (None, "terminated"),
        (NOT_FOUND, f"{NOT_VERIFIED}the service no longer knows it, but does not say that it ended"),
    ],
)
def test_a_pod_that_no_one_knows_is_terminated_if_its_delete_was_accepted(deleted: Any, outcome: str) -> None:
    service = Ending("a", delete=deleted, history=NOTHING)
    assert remove(service, "a") == [outcome]


def test_a_pod_about_which_no_other_witness_answers_is_not_verified() -> None:
    refused = httpx.Response(403, json={"detail": "no"})
    service = Ending("a", history=refused, status=refused, by_id=refused)
    (outcome,) = remove(service, "a")
    assert outcome.startswith(f"{NOT_VERIFIED}the list of pods does not show 'a'")


@pytest.mark.parametrize(
    ("ends_at", "billed_usd"),
    [(None, None), ("2027-06-01T00:00:00Z", None), ("2026-11-24T08:00:00Z", 0.5)],
    ids=["open", "in the future", "ended"],
)
def test_only_a_row_that_has_ended_says_what_a_pod_has_cost(
    ends_at: str | None, billed_usd: float | None
) -> None:
    row = {"id": "a", "terminatedAt": ends_at, "totalBilledPrice": 0.5}
    stated = {"data": [{"podId": "a", "status": "TERMINATED"}]}
    service = Ending("a", history={"data": [row], "total_count": 1}, status=stated)
    pod = service.put("a", status="ACTIVE", installationStatus="COMPLETE")
    with connected(service, GatedClock(free=True)) as connection:
        (removal,) = terminate_pods(connection, [pod])
    assert (removal.outcome, removal.billed_usd) == ("terminated", billed_usd)
    assert (removal.terminated_at is None) is (billed_usd is None)


def test_estimates_the_cost_of_a_pod_that_is_not_billed_yet() -> None:
    row = {
        "id": "a",
        "createdAt": "2026-11-24T06:00:00Z",
        "terminatedAt": "2026-11-24T08:00:00Z",
        "priceHr": 0.69,
        "totalBilledPrice": 0.0,
    }
    service = Ending("a", history={"data": [row], "total_count": 1})
    pod = service.put("a", status="ACTIVE", priceHr=0.7, createdAt="2026-11-24T06:00:00Z")
    with connected(service, GatedClock(free=True)) as connection:
        (removal,) = terminate_pods(connection, [pod])
    assert (removal.billed_usd, removal.estimated_usd) == (None, 1.38)
    assert repr(removal) == "Pod a: terminated · not billed yet, ≈ $1.38"

"""A pod that a create made is not rented twice because the service does not show it, or not by that id."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import BudgetExceeded, OutcomeUnknown, OutOfStock, RequestRefused
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.unlisted import list_for_launch
from tests.pods.conftest import Changing, Through
from tests.pods.test_one_pod import Breaking, is_create, names, note_of
from tests.support.sandbox_control import SandboxControl


@pytest.fixture(autouse=True)
def _own_records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Records of other tests name pods with the same ids."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


class Hiding(httpx.HTTPTransport):
    """The network to a sandbox that shows no pod in its list, its status and by its id, for some looks.

    Attributes
    ----------
    looks : int
        For how many reads of the list.
    until : datetime, optional
        Also until then, by the sandbox's clock.
    asked : list of str
        The paths of all requests.
    """

    def __init__(self) -> None:
        super().__init__(verify=False)
        self.looks = 0
        self.until: datetime | None = None
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1").rstrip("/")
        self.asked.append(f"{request.method} {path}")
        response = super().handle_request(request)
        if request.method != "GET" or not path.startswith("/pods") or path == "/pods/history":
            return response
        self.looks -= path == "/pods"
        now = parsedate_to_datetime(response.headers["Date"])
        if self.looks < 0 and (self.until is None or now >= self.until):
            return response
        response.read()
        headers = {"Date": response.headers["Date"]}
        if path in ("/pods", "/pods/status"):
            return httpx.Response(200, headers=headers, json={"data": [], "total_count": 0})
        return httpx.Response(404, headers=headers, json={"detail": "Pod not found"})

    @property
    def creates(self) -> int:
        return self.asked.count("POST /pods")


class Late(Hiding):
    """As `Hiding`, with a history that has only the oldest row, and creates answered with a price."""

    def __init__(self, *, price_usd_hr: float | None) -> None:
        super().__init__()
        self.price_usd_hr = price_usd_hr

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        is_history = request.url.path.endswith("/history")
        if not is_history and not (is_create(request) and self.price_usd_hr):
            return response
        response.read()
        answer = response.json()
        if is_history:
            answer = {**answer, "data": [row for row in answer["data"] if row["name"] == "old"]}
        else:
            answer["priceHr"] = self.price_usd_hr
        return httpx.Response(200, headers={"Date": response.headers["Date"]}, json=answer)


def rent(connection: Connection, name: str = "train", **fields: Any) -> str:
    fields = {"yes": True, "tell": lambda _: None, **fields}
    return launch(gpu="L4_24GB", name=name, connection=connection, **fields).id


@pytest.fixture
def history(connection: Connection) -> None:
    """The account has a history, so that an empty list says something."""
    launch(gpu="L4_24GB", name="old").terminate()


@pytest.mark.usefixtures("history")
def test_a_pod_that_one_moment_does_not_show_is_returned(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    http = Hiding()
    pod_id = rent(through(http))
    sandbox.advance(36_000)
    connection.client.list_all_pods()
    new_kernel = through(http)
    new_kernel.poll_interval_s = 2.0
    http.until = connection.now() + timedelta(seconds=1)
    assert rent(new_kernel) == pod_id
    assert http.creates == 1


@pytest.mark.usefixtures("history")
def test_a_pod_that_was_seen_a_moment_ago_is_not_rented_again(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    http = Hiding()
    there = through(http)
    pod_id = rent(there)
    sandbox.advance(36_000)
    for _ in range(2):
        http.looks = 5
        with pytest.raises(OutcomeUnknown, match=r"still there.*Nothing was created.*'--new'"):
            rent(there)
    assert http.creates == 1
    http.looks = 5
    assert rent(there, new=True) != pod_id


@pytest.mark.usefixtures("history")
def test_a_pod_that_was_created_and_never_seen_is_not_rented_again(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    http = Hiding()
    http.looks = 1000
    rent(through(http))
    sandbox.advance(120)
    with pytest.raises(OutcomeUnknown, match=r"still there"):
        rent(through(http))
    assert http.creates == 1
    sandbox.advance(600)
    http.looks = 12
    rent(through(http))
    assert http.creates == 2


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("is_dear", [False, True], ids=["by hand", "for its price"])
def test_a_pod_that_was_terminated_here_and_never_seen_is_rented_again(
    connection: Connection, through: Through, is_dear: bool
) -> None:
    """The history is late, so nothing states the end."""
    http = Late(price_usd_hr=25.0 if is_dear else None)
    http.looks = 1000
    there = through(http, live=True)
    if is_dear:
        with pytest.raises(BudgetExceeded, match="was terminated"):
            rent(there)
        there = through(http, live=True)
    else:
        launch(gpu="L4_24GB", name="train", yes=True, connection=there, settle_s=1).terminate()
    http.price_usd_hr, http.looks = None, 30
    rent(there, settle_s=1)
    assert http.creates == 2
    assert names(connection) == ["train"]


@pytest.mark.usefixtures("history")
def test_a_pod_of_another_computer_that_was_seen_a_moment_ago_is_not_rented_again(
    connection: Connection, through: Through
) -> None:
    launch(gpu="L4_24GB", name="other")
    http = Hiding()
    there = through(http)
    assert there.user_id
    there.client.list_all_pods()
    http.looks = 1
    with pytest.raises(OutcomeUnknown, match=r"'other' .* does not say that it has ended.*'--new'"):
        list_for_launch(there, "other")
    http.looks = 1
    assert list_for_launch(there, "other", is_new=True) == []


def test_a_run_that_is_repeated_asks_no_more_than_before(connection: Connection, through: Through) -> None:
    http = Hiding()
    there = through(http)
    rent(there)
    http.asked.clear()
    rent(there)
    assert http.asked == ["GET /pods"]


class Answering(Changing):
    """The network to a sandbox whose list says ``price_usd_hr``, and whose creates are answered otherwise."""

    def __init__(self, how: str, *, length: int = 100, price_usd_hr: float = 0.69) -> None:
        super().__init__(self._answer)
        self._how, self._length, self._price_usd_hr = how, length, price_usd_hr

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if is_create(request):
            body = json.loads(request.read())
            body["pod"]["name"] = body["pod"]["name"][: self._length]
            headers = {name: value for name, value in request.headers.items() if name != "content-length"}
            request = httpx.Request("POST", request.url, headers=headers, json=body)
        return super().handle_request(request)

    def _answer(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if is_create(request):
            made = response.json()
            pod_id, unpriced = made["id"], {**made, "priceHr": None, "costPerHr": None}
            answers: dict[str, dict[str, Any]] = {
                "dashes": {**unpriced, "id": str(uuid.UUID(pod_id))},
                "capitals": {**unpriced, "id": pod_id.upper()},
                "pod id": {"id": "order-1", "podId": pod_id, "status": "PENDING"},
                "order": {"id": "order-1", "status": "PENDING"},
            }
            return httpx.Response(200, headers={"Date": response.headers["Date"]}, json=answers[self._how])
        if request.method == "GET" and request.url.path.rstrip("/") == "/api/v1/pods":
            answer = response.json()
            rows = [{**row, "priceHr": self._price_usd_hr} for row in answer["data"]]
            return httpx.Response(
                200, headers={"Date": response.headers["Date"]}, json={**answer, "data": rows}
            )
        return response


WAYS = ["dashes", "capitals", "pod id", "order"]


@pytest.mark.parametrize(("how", "length"), [*((how, 15) for how in WAYS), ("dashes", 12)])
def test_a_pod_whose_id_is_answered_otherwise_is_returned_by_the_id_of_the_list(
    connection: Connection, through: Through, how: str, length: int
) -> None:
    name, told = "my-training-run-of-today", list[str]()
    there = through(Answering(how, length=length))
    pod_id = rent(there, name, tell=told.append)
    (pod,) = connection.client.list_all_pods()
    assert (pod.id, pod.name) == (pod_id, name[:length])
    assert any("names order-1, which the service does not show" in text for text in told) == (how == "order")
    assert rent(through(Answering(how)), name) == pod_id
    record = note_of(connection, name).read()
    assert record is not None
    assert record.pod_id == pod_id
    assert len(names(connection)) == 1


@pytest.mark.parametrize("how", WAYS[:3])
def test_a_pod_whose_id_is_answered_otherwise_is_held_to_its_price(
    connection: Connection, through: Through, how: str
) -> None:
    with pytest.raises(BudgetExceeded, match=r"\$25\.00/h.*was terminated"):
        rent(through(Answering(how, price_usd_hr=25.0), live=True))
    assert names(connection) == []


class Refusing(Hiding):
    """The network to a sandbox that acts on creates, answers them with an error, and hides the pods."""

    def __init__(self, status: int, said: str, looks: int) -> None:
        super().__init__()
        self._status, self._said, self._looks = status, said, looks

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if not is_create(request):
            return response
        response.read()
        self.looks = self._looks
        headers = {"Date": response.headers["Date"]}
        return httpx.Response(self._status, headers=headers, json={"detail": self._said})


@pytest.mark.parametrize("status", [408, 499])
def test_what_a_proxy_says_of_a_create_is_not_taken_for_a_refusal(
    connection: Connection, through: Through, status: int
) -> None:
    """The sandbox's clock is moved by half a second for each look."""
    http = Refusing(status, "Request Timeout", looks=60)
    pod_id = rent(through(http))
    assert [pod.id for pod in connection.client.list_all_pods()] == [pod_id]


@pytest.mark.parametrize("said", ["Conflict", "A pod of this name exists"])
def test_a_run_after_a_conflict_goes_on_looking(connection: Connection, through: Through, said: str) -> None:
    http = Refusing(409, said, looks=40)
    there = through(http)
    with pytest.raises((RequestRefused, OutOfStock)):
        rent(there)
    pod_id = rent(there)
    assert http.creates == 1
    assert [pod.id for pod in connection.client.list_all_pods()] == [pod_id]


def test_a_conflict_without_a_word_is_looked_into_for_seconds(
    connection: Connection, through: Through
) -> None:
    pod_id = rent(through(Refusing(409, "Conflict", looks=6)))
    assert [pod.id for pod in connection.client.list_all_pods()] == [pod_id]


class Ahead(Breaking):
    """The network to a sandbox whose ``Date`` is two days ahead of its pods, and which loses creates."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        moment = parsedate_to_datetime(response.headers["Date"]) + timedelta(days=2)
        response.headers["Date"] = format_datetime(moment, usegmt=True)
        return response


def test_a_new_pod_that_is_exactly_what_was_ordered_outweighs_a_date(
    connection: Connection, through: Through
) -> None:
    pod_id = rent(through(Ahead(arrives=True)))
    assert [pod.id for pod in connection.client.list_all_pods()] == [pod_id]

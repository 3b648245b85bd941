"""Launches at a mistaken service: no pod is rented twice, and none of another's is ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import (
    BudgetExceeded,
    InvalidRequest,
    LaunchRefused,
    NameInUse,
    OutcomeUnknown,
    OutOfStock,
    PaymentRequired,
    RequestRefused,
)
from primepods_magic.api.settings import normalize_url
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch, launch_many
from primepods_magic.pods.launching.limits import Limits
from primepods_magic.pods.launching.plan import plan_launch
from primepods_magic.pods.spec.spec import spec_from_mapping
from tests.pods.conftest import Changing, Through
from tests.pods.test_changed_names import Renaming
from tests.pods.test_launch import OFFER, offering
from tests.pods.test_one_pod import Breaking, creates_of, cut_off, is_create, names

GONE = {"data": [], "total_count": 0}


def is_list(request: httpx.Request) -> bool:
    return request.method == "GET" and request.url.path.rstrip("/") == "/api/v1/pods"


def quiet(_: str) -> None:
    """Hear nothing."""


def test_one_more_that_is_refused_leaves_the_record_of_the_first(
    connection: Connection, through: Through
) -> None:
    renaming = through(Renaming(lambda name: f"acme-{name}"))
    first = launch(gpu="L4_24GB", name="train", connection=renaming, tell=quiet)

    refusing = creates_of(lambda _: httpx.Response(402, json={"detail": "Insufficient funds"}))
    with pytest.raises(PaymentRequired):
        launch(gpu="L4_24GB", name="train", new=True, connection=through(refusing), tell=quiet)
    assert launch(gpu="L4_24GB", name="train", connection=renaming, tell=quiet).id == first.id
    second = launch(gpu="L4_24GB", name="train", new=True, connection=renaming, tell=quiet)
    second.terminate()
    assert launch(gpu="L4_24GB", name="train", connection=renaming, tell=quiet).id == first.id
    assert names(connection) == ["acme-train"]


@pytest.mark.parametrize("fields", [{"gpu": "H100_80GB"}, {"cloud_id": "another"}], ids=["GPU", "cloud id"])
def test_an_offer_of_another_kind_is_not_taken_although_the_service_returns_it(
    connection: Connection, through: Through, fields: dict[str, Any]
) -> None:
    there = offering(through, OFFER)
    with pytest.raises(OutOfStock):
        launch(name="train", connection=there, **fields)


@pytest.mark.parametrize("row", ["late", "open"])
def test_a_row_of_the_history_is_not_taken_for_the_end_of_a_lost_create(
    connection: Connection, through: Through, row: str
) -> None:
    """The row of an older pod of the name comes late; or the row of the new one has no end yet."""
    looks: list[int] = []

    class Odd(Breaking):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if self.creates and is_list(request):
                looks.append(1)
                if len(looks) < 3:
                    return httpx.Response(200, json=GONE)
            response = super().handle_request(request)
            if self.creates and request.url.path.endswith("/history") and len(looks) < 4:
                response.read()
                (pod,) = connection.client.list_all_pods()
                old = {
                    "id": "old",
                    "createdAt": "2026-01-01T00:00:00Z",
                    "terminatedAt": "2026-01-02T00:00:00Z",
                }
                new = {"id": pod.id, "createdAt": None, "terminatedAt": None}
                fields = {"name": "train", "gpuName": "L4_24GB", "gpuCount": 1, "userId": pod.user_id}
                return httpx.Response(200, json={"data": [{**fields, **(old if row == "late" else new)}]})
            return response

    pod = launch(gpu="L4_24GB", name="train", connection=through(Odd(arrives=True)), tell=quiet)
    assert [pod.id] == [pod.id for pod in connection.client.list_all_pods()]


class Telling(Renaming):
    """One whose list also says other fields of every pod."""

    def __init__(self, fields: dict[str, object], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._fields = fields

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.read()
        if not is_list(request):
            return response
        answer = response.json()
        rows = [{**row, **self._fields} for row in answer["data"]]
        return httpx.Response(200, json={**answer, "data": rows})


@pytest.mark.parametrize("missing", ["createdAt", "userId"])
def test_a_new_pod_is_suspected_although_the_service_says_little_of_it(
    connection: Connection, through: Through, missing: str
) -> None:
    there = through(Telling({missing: None}, lambda name: f"acme-{name}", loses=True))
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match="'acme-train'"):
            launch(gpu="L4_24GB", name="train", connection=there, tell=quiet)
    assert names(connection) == ["acme-train"]


def test_a_suspect_above_what_was_agreed_to_is_reported_and_not_ended(
    connection: Connection, through: Through
) -> None:
    there = through(Telling({"userId": None, "priceHr": 25}, lambda name: f"acme-{name}", loses=True))
    with pytest.raises(OutcomeUnknown, match=r"\$25\.00/h, above the .* agreed to .* and was not terminated"):
        launch(gpu="L4_24GB", name="train", connection=there, tell=quiet)
    assert names(connection) == ["acme-train"]


def test_a_service_that_knows_nothing_for_a_moment_does_not_end_a_pod(
    connection: Connection, through: Through, sandbox: Any
) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    sandbox.advance(7200)

    def forget(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        path = request.url.path.rstrip("/")
        if path in ("/api/v1/pods", "/api/v1/pods/status", "/api/v1/pods/history"):
            return httpx.Response(200, json=GONE)
        return httpx.Response(404) if path.startswith("/api/v1/pods/") else response

    with pytest.raises(OutcomeUnknown, match="no pods and no history at all"):
        launch(gpu="L4_24GB", name="train", connection=through(Changing(forget)), tell=quiet)
    assert launch(gpu="L4_24GB", name="train").id == pod.id


def test_a_response_that_names_a_colleagues_pod_ends_nothing(
    connection: Connection, through: Through
) -> None:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if is_create(request) and response.is_success:
            row = {**response.json(), "id": "colleagues", "userId": "someone-else", "priceHr": 25.0}
            return httpx.Response(200, json=row)
        if request.method == "DELETE":
            raise AssertionError("a pod is being ended")
        return response

    pod = launch(gpu="L4_24GB", name="train", connection=through(Changing(change)), tell=quiet)
    assert [pod.id] == [pod.id for pod in connection.client.list_all_pods()]


def test_two_lost_creates_whose_names_become_one_find_a_pod_each(
    connection: Connection, through: Through
) -> None:
    there = through(Renaming(lambda name: name[:17], loses=True))
    specs = [{"gpu": "L4_24GB", "name": f"long-training-run-{number}"} for number in (1, 2)]
    pods = launch_many(specs, connection=there, tell=quiet)
    assert sorted(pod.id for pod in pods) == sorted(str(pod.id) for pod in connection.client.list_all_pods())


def test_planning_does_not_deliver_a_pod_that_was_cut_off(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    cut_off(connection, "train", pod_id=pod.id)
    spec = spec_from_mapping({"gpu": "L4_24GB", "name": "train"})
    plan = plan_launch(connection, spec, new=True)
    assert plan.existing is not None
    assert launch(spec, new=True, tell=quiet).id == pod.id
    assert launch(spec, new=True, tell=quiet).id != pod.id


def test_the_ceiling_for_all_pods_holds_across_teams_and_while_lists_lag(
    connection: Connection, through: Through
) -> None:
    def hide(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return httpx.Response(200, json=GONE) if is_list(request) else response

    lagging = through(Changing(hide))
    limits = Limits(max_burn_usd_hr=3)
    launch(gpu="H100_80GB", name="one", limits=limits, connection=lagging, tell=quiet)
    with pytest.raises(BudgetExceeded):
        launch(gpu="H100_80GB", name="two", limits=limits, connection=lagging, tell=quiet)
    assert names(connection) == ["one"]


@pytest.mark.parametrize("answer", ["n", "yes", 1, None])
def test_only_true_agrees(connection: Connection, through: Through, answer: Any) -> None:
    live = through(httpx.HTTPTransport(verify=False), live=True)
    with pytest.raises(LaunchRefused):
        launch(gpu="L4_24GB", name="train", connection=live, confirm=lambda _: answer)
    with pytest.raises(InvalidRequest, match="'yes' must be True or False"):
        launch(gpu="L4_24GB", name="train", connection=live, yes=answer)
    assert names(connection) == []


def test_a_notice_that_cannot_be_told_does_not_hide_the_pod(connection: Connection, through: Through) -> None:
    def fail(text: str) -> None:
        if "its name is" in text:
            raise BrokenPipeError("stdout is gone")

    there = through(Renaming(str.upper))
    assert launch(gpu="L4_24GB", name="train", connection=there, tell=fail).name == "TRAIN"


@pytest.mark.parametrize("given", ["Train", "tr\u200bain", "train\u00ad", "TRAIN ", "train_", "träin"])
def test_a_name_that_no_one_can_tell_apart_is_refused(connection: Connection, given: str) -> None:
    launch(gpu="L4_24GB", name="train")
    with pytest.raises(NameInUse, match="only in spelling"):
        launch(gpu="L4_24GB", name=given)
    assert names(connection) == ["train"]


def test_a_conflict_is_looked_into_before_it_is_believed(connection: Connection, through: Through) -> None:
    def conflict(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        taken = httpx.Response(409, json={"detail": "A pod with this name already exists"})
        return taken if is_create(request) else response

    pod = launch(gpu="L4_24GB", name="train", connection=through(Changing(conflict)), tell=quiet)
    assert [pod.id] == [pod.id for pod in connection.client.list_all_pods()]

    taken = creates_of(lambda _: httpx.Response(409, json={"detail": "A pod with this name already exists"}))
    with pytest.raises(RequestRefused, match=r"'eval' was not created: .*already exists"):
        launch(gpu="L4_24GB", name="eval", connection=through(taken), tell=quiet)


def test_launches_side_by_side_are_not_answered_with_one_pod(
    connection: Connection, through: Through
) -> None:
    """The service mixes the responses of two creates up: both name the pod that was made first."""
    made: list[dict[str, Any]] = []

    def mix_up(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not is_create(request):
            return response
        made.append(response.json())
        return httpx.Response(200, json={**response.json(), "id": made[0]["id"]})

    there = through(Changing(mix_up))

    def rent(name: str) -> str:
        return launch(gpu="L4_24GB", name=name, connection=there, tell=quiet).id

    with ThreadPoolExecutor(2) as pool:
        ids = list(pool.map(rent, ("one", "two")))
    assert sorted(ids) == sorted(str(pod.id) for pod in connection.client.list_all_pods())


@pytest.mark.parametrize(
    "urls",
    [
        ("https://api.test", "HTTPS://API.test:443/"),
        ("http://127.0.0.1:80", "http://localhost", "http://LOCALHOST:80/"),
    ],
)
def test_an_address_is_one_place_however_it_is_written(urls: tuple[str, ...]) -> None:
    assert len({normalize_url(url) for url in urls}) == 1

"""A launch ends with exactly one pod, or with none and one clear reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import (
    AuthenticationError,
    BudgetExceeded,
    InvalidRequest,
    LaunchRefused,
    NameInUse,
    NotConfigured,
    NotFound,
    OutcomeUnknown,
    OutOfStock,
    PermissionDenied,
    PodFailed,
)
from primepods_magic.api.settings import Settings
from primepods_magic.pods.connection import Connection, connect, current
from primepods_magic.pods.find import find_pod
from primepods_magic.pods.launch import LaunchPlan, launch, plan_launch
from primepods_magic.pods.offers import Quote, choose_offer
from primepods_magic.pods.spec import parse_spec, spec_from_mapping
from tests.api.test_requests import PAGE_BODY
from tests.pods.conftest import Changing, Through
from tests.support.sandbox_control import SandboxControl


class Breaking(httpx.HTTPTransport):
    """The network to a sandbox, which breaks at a create: before it arrives there, or after."""

    def __init__(self, *, arrives: bool) -> None:
        super().__init__()
        self._arrives = arrives
        self.creates = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.startswith("/api/v1/pods"):
            self.creates += 1
            if self._arrives:
                super().handle_request(request).read()
            raise httpx.ReadTimeout("no answer", request=request)
        return super().handle_request(request)


def names(connection: Connection) -> list[str | None]:
    return [pod.name for pod in connection.client.list_all_pods()]


def test_running_it_again_answers_with_the_same_pod(connection: Connection) -> None:
    first = launch(gpu="H100_80GB", name="train")
    again = launch(gpu="h100_80gb", count=1, name="train")
    assert first.id == again.id
    assert names(connection) == ["train"]


def test_a_spec_without_a_name_is_safe_to_run_again(connection: Connection) -> None:
    assert launch(gpu="L4_24GB").id == launch(gpu="L4_24GB").id
    assert len(names(connection)) == 1


def test_another_pod_of_the_name_is_bought_only_when_asked_for(connection: Connection) -> None:
    first = launch(gpu="L4_24GB", name="train")
    assert launch(gpu="L4_24GB", name="train", new=True).id != first.id
    with pytest.raises(NameInUse, match=first.id):
        launch(gpu="L4_24GB", name="train")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"gpu": "A100_80GB"}, "gpu is H100_80GB, not A100_80GB"),
        ({"gpu": "H100_80GB", "count": 8}, "count is 1, not 8"),
        ({"gpu": "H100_80GB", "socket": "SXM5"}, "socket is PCIe, not SXM5"),
        ({"gpu": "H100_80GB", "image": "axolotl"}, "image is ubuntu_22_cuda_12, not axolotl"),
        ({"gpu": "H100_80GB", "disk": 999}, "disk is 200, not 999"),
    ],
)
def test_a_live_pod_that_differs_is_never_taken_for_the_one_asked_for(
    connection: Connection, fields: dict[str, Any], says: str
) -> None:
    launch(gpu="H100_80GB", name="train")
    with pytest.raises(NameInUse, match="nothing was created") as caught:
        launch(name="train", **fields)
    assert says in str(caught.value)
    assert names(connection) == ["train"]


def test_a_failed_pod_of_the_name_is_said_to_have_failed(
    connection: Connection, sandbox: SandboxControl
) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    sandbox.advance(6)
    sandbox.event(pod.id, "fail_installation")
    with pytest.raises(PodFailed, match="%pods rm train"):
        launch(gpu="L4_24GB", name="train")


def test_a_create_whose_answer_was_lost_is_found_and_not_sent_again(
    connection: Connection, through: Through
) -> None:
    http = Breaking(arrives=True)
    pod = launch(gpu="L4_24GB", name="train", connection=through(http))
    assert pod.name == "train"
    assert names(connection) == ["train"]
    assert http.creates == 1


def test_a_create_that_never_arrived_is_unknown_and_not_sent_again(
    connection: Connection, through: Through
) -> None:
    http = Breaking(arrives=False)
    with pytest.raises(OutcomeUnknown, match="'train'"):
        launch(gpu="L4_24GB", name="train", connection=through(http))
    assert names(connection) == []
    assert http.creates == 1


def test_an_older_pod_of_the_name_is_not_taken_for_the_new_one(
    connection: Connection, through: Through
) -> None:
    launch(gpu="L4_24GB", name="train")
    http = Breaking(arrives=False)
    with pytest.raises(OutcomeUnknown):
        launch(gpu="L4_24GB", name="train", new=True, connection=through(http))


@pytest.fixture
def live(through: Through) -> Connection:
    """The sandbox, spoken to as if it were billed."""
    return through(httpx.HTTPTransport(), live=True)


def test_nothing_is_bought_live_without_consent(live: Connection) -> None:
    with pytest.raises(LaunchRefused, match=r"\$0\.69/h, \$16\.56/day.*max_price.*-y"):
        launch(gpu="L4_24GB", connection=live)
    with pytest.raises(LaunchRefused, match="nothing was created"):
        launch(gpu="L4_24GB", connection=live, confirm=lambda plan: False)
    assert names(live) == []


@pytest.mark.parametrize("consent", [{"yes": True}, {"max_price": 1.0}, {"confirm": lambda plan: True}])
def test_consent_is_yes_a_price_limit_or_a_persons_word(live: Connection, consent: dict[str, Any]) -> None:
    launch(gpu="L4_24GB", name="train", connection=live, **consent)
    assert names(live) == ["train"]


def test_a_person_is_shown_the_price_before_agreeing(live: Connection) -> None:
    seen: list[LaunchPlan] = []

    def agree(plan: LaunchPlan) -> bool:
        seen.append(plan)
        assert names(live) == []
        return True

    launch(gpu="L4_24GB", connection=live, confirm=agree)
    assert isinstance(seen[0].quote, Quote)
    assert seen[0].quote.price_usd_hr == 0.69


def test_the_price_shown_is_always_sent_as_the_limit(connection: Connection) -> None:
    plan = plan_launch(connection, spec_from_mapping({"gpu": "H100_80GB"}))
    assert plan.request is not None
    assert plan.quote is not None
    assert plan.request.wire()["pod"]["maxPrice"] == plan.quote.price_usd_hr == 2.39


def test_the_cheapest_offer_that_fits_is_chosen(connection: Connection) -> None:
    def chosen(**fields: Any) -> Quote:
        return choose_offer(connection.client, spec_from_mapping({"gpu": "H100_80GB", **fields}))

    assert chosen().offer.provider == "runpod"
    assert chosen(provider="hyperstack", country="CA").offer.data_center == "CANADA-1"
    assert chosen(region="eu_north").price_usd_hr == 2.65
    assert chosen(count=8).price_usd_hr == 19.12


def test_euros_spot_and_what_is_sold_out_are_never_chosen(connection: Connection) -> None:
    with pytest.raises(OutOfStock, match="no price in USD"):
        choose_offer(connection.client, spec_from_mapping({"gpu": "H100_80GB", "provider": "scaleway"}))
    offers = connection.client.list_offers()
    assert any(offer.is_spot for offer in offers)
    for gpu in {offer.gpu_type for offer in offers if offer.gpu_count == 1}:
        try:
            offer = choose_offer(connection.client, spec_from_mapping({"gpu": gpu})).offer
        except OutOfStock:
            continue
        assert offer.in_stock
        assert not offer.is_spot
        assert offer.prices.currency == "USD"


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        ({"gpu": "H100"}, InvalidRequest, "did you mean 'H100_80GB'?"),
        ({"gpu": "H100_80GB", "region": "eu_nort"}, InvalidRequest, "did you mean 'eu_north'?"),
        ({"gpu": "H100_80GB", "count": 3}, OutOfStock, "count is 1, not 3"),
        ({"gpu": "H100_80GB", "max_price": 0.5}, OutOfStock, "over $0.5/h"),
        ({"gpu": "H100_80GB", "disk": 10**6}, OutOfStock, "disk is at most"),
        ({"gpu": "H100_80GB", "image": "nonesuch"}, OutOfStock, "no image nonesuch"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_created(
    connection: Connection, fields: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind) as caught:
        launch(**fields)
    assert says in str(caught.value)
    assert names(connection) == []


def test_a_key_that_may_not_write_creates_nothing(sandbox: SandboxControl, connection: Connection) -> None:
    reader = connect(settings=Settings(sandbox.url, "sandbox-read"))
    with pytest.raises(PermissionDenied, match="Instances -> Read and Write"):
        launch(gpu="L4_24GB", connection=reader)
    assert sandbox.api.get("/api/v1/pods").json()["total_count"] == 0


def test_the_pages_own_body_is_launched_as_it_is(connection: Connection) -> None:
    spec = parse_spec(json.dumps(PAGE_BODY))
    plan = plan_launch(connection, spec)
    assert plan.request is not None
    assert plan.request.wire() == PAGE_BODY
    assert launch(spec).details.gpu_name == "H100_80GB"


def test_a_cloud_id_alone_decides_how_many_gpus_there_are(connection: Connection) -> None:
    spec = spec_from_mapping({"gpu": "H100_80GB", "count": 8, "provider": "hyperstack"})
    cloud_id = choose_offer(connection.client, spec).offer.cloud_id
    assert launch(cloud_id=cloud_id).details.gpu_count == 8


def test_a_pipeline_without_a_key_is_not_given_pretended_pods() -> None:
    with pytest.raises(NotConfigured, match="%pods connect --sandbox"):
        current()


def whoami_answers(status: int) -> Changing:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return httpx.Response(status) if request.url.path.endswith("/whoami") else response

    return Changing(change)


def test_a_key_that_may_not_say_whose_it_is_takes_nobodys_pod_for_its_own(
    connection: Connection, through: Through
) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    unsure = through(whoami_answers(403))
    with pytest.raises(NameInUse, match="may not say whether it is yours"):
        launch(gpu="L4_24GB", name="train", connection=unsure)
    with pytest.raises(NotFound, match=pod.id):
        find_pod(unsure, "train", to_change=True)
    assert find_pod(unsure, pod.id, to_change=True).id == pod.id


def test_a_passing_fault_of_whoami_is_not_taken_for_an_answer(
    connection: Connection, through: Through
) -> None:
    launch(gpu="L4_24GB", name="train")
    spoilt = through(whoami_answers(401))
    with pytest.raises(AuthenticationError):
        launch(gpu="L4_24GB", name="train", connection=spoilt)


def test_a_pod_of_another_team_is_another_pod(connection: Connection) -> None:
    mine = launch(gpu="L4_24GB", name="train")
    teams = launch(gpu="L4_24GB", name="train", team="team_id")
    assert mine.id != teams.id
    assert launch(gpu="L4_24GB", name="train", team="team_id").id == teams.id


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<html>"),
        httpx.Response(200, json={}),
        httpx.Response(500),
        httpx.Response(503, json={"detail": "no capacity left in the queue"}),
    ],
    ids=["a page", "no id", "500", "503"],
)
def test_a_create_with_a_bad_answer_is_found(
    connection: Connection, through: Through, answer: httpx.Response
) -> None:
    creates = []

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST" and "/pods" in request.url.path:
            creates.append(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return response

    pod = launch(gpu="L4_24GB", name="train", connection=through(Changing(change)))
    assert [pod.name, *names(connection)] == ["train", "train"]
    assert len(creates) == 1


@pytest.mark.parametrize("trouble", [429, 502, 401])
def test_a_lost_create_that_cannot_be_looked_for_is_unknown(
    connection: Connection, through: Through, trouble: int
) -> None:
    class Lost(Breaking):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if self.creates and request.method == "GET":
                return httpx.Response(trouble, headers={"Retry-After": "3600"})
            return super().handle_request(request)

    with pytest.raises(OutcomeUnknown, match=r"'train'.*Looking failed too.*may still appear and be billed"):
        launch(gpu="L4_24GB", name="train", connection=through(Lost(arrives=True)))


def test_ctrl_c_during_a_create_says_that_a_pod_may_exist(connection: Connection, through: Through) -> None:
    def interrupt(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST":
            raise KeyboardInterrupt
        return response

    with pytest.raises(OutcomeUnknown, match="may exist and be billed"):
        launch(gpu="L4_24GB", name="train", connection=through(Changing(interrupt)))
    assert launch(gpu="L4_24GB", name="train").name == "train"
    assert len(names(connection)) == 1


def test_a_pod_that_turns_out_dearer_than_its_limit_is_ended_and_reported(
    connection: Connection, through: Through
) -> None:
    def dearer(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST" and "/pods" in request.url.path:
            return httpx.Response(200, json={**response.json(), "priceHr": 99})
        return response

    with pytest.raises(BudgetExceeded, match=r"\$99\.00/h.*\$1\.00/h.*terminated"):
        launch(gpu="L4_24GB", name="train", max_price=1, connection=through(Changing(dearer)))
    assert names(connection) == []


def test_a_pod_that_is_too_dear_and_cannot_be_ended_is_reported_as_billed(
    connection: Connection, through: Through
) -> None:
    def dearer(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST" and "/pods" in request.url.path:
            return httpx.Response(200, json={**response.json(), "priceHr": 99})
        return response

    class Unending(Changing):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(403) if request.method == "DELETE" else super().handle_request(request)

    with pytest.raises(BudgetExceeded, match=r"could not be ended.*It is billed until '%pods rm"):
        launch(gpu="L4_24GB", name="train", max_price=1, connection=through(Unending(dearer)))
    assert names(connection) == ["train"]


def test_a_spec_and_fields_beside_it_are_refused(connection: Connection) -> None:
    with pytest.raises(InvalidRequest, match="max_price"):
        launch(spec_from_mapping({"gpu": "L4_24GB"}), max_price=0.1)


OFFER = {
    "cloudId": "c",
    "gpuType": "L4_24GB",
    "gpuCount": 1,
    "socket": "PCIe",
    "provider": "p",
    "security": "secure_cloud",
    "prices": {"onDemand": 1.0, "currency": "USD"},
}


def offering(through: Through, *offers: dict[str, Any]) -> Connection:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if "/availability/" in request.url.path:
            return httpx.Response(200, json={"items": list(offers), "totalCount": len(offers)})
        return response

    return through(Changing(change))


@pytest.mark.parametrize(
    "odd",
    [
        {"security": "partner_cloud"},
        {"dataCenter": "", "country": ""},
        {"prices": {"onDemand": 0.0, "currency": "USD"}},
        {"images": ["nonesuch"]},
    ],
    ids=str,
)
def test_an_odd_offer_can_be_planned_with(
    connection: Connection, through: Through, odd: dict[str, Any]
) -> None:
    plan = plan_launch(offering(through, {**OFFER, **odd}), spec_from_mapping({"gpu": "L4_24GB"}))
    assert plan.request is not None
    assert "" not in plan.request.wire()["pod"].values()


@pytest.mark.parametrize("missing", ["cloudId", "socket", "gpuCount", "provider"])
def test_an_offer_that_lacks_what_a_create_needs_is_never_chosen(
    connection: Connection, through: Through, missing: str
) -> None:
    poor = {key: value for key, value in OFFER.items() if key != missing}
    with pytest.raises(OutOfStock, match="not described well enough"):
        plan_launch(offering(through, poor), spec_from_mapping({"gpu": "L4_24GB"}))


def test_the_cheapest_is_chosen_with_its_disk_and_the_estimate_is_the_upper_one(
    connection: Connection, through: Through
) -> None:
    apart = {"minCount": 1, "maxCount": 999, "defaultCount": 100, "pricePerUnit": 0.01}
    dear = {**OFFER, "cloudId": "dear", "disk": apart}
    included = {**apart, "defaultCount": 500, "defaultIncludedInPrice": True}
    cheap = {**OFFER, "cloudId": "cheap", "prices": {"onDemand": 1.1, "currency": "USD"}, "disk": included}
    client = offering(through, dear, cheap).client
    quote = choose_offer(client, spec_from_mapping({"gpu": "L4_24GB", "disk": 500}))
    assert (quote.offer.cloud_id, quote.price_usd_hr) == ("cheap", 1.1)
    alone = choose_offer(offering(through, dear).client, spec_from_mapping({"gpu": "L4_24GB"}))
    assert (alone.price_usd_hr, alone.disk_usd_hr) == (2.0, 1.0)


def test_kernels_that_launch_a_name_at_once_end_with_one_pod(
    connection: Connection, through: Through
) -> None:
    kernels = [through(httpx.HTTPTransport()) for _ in range(6)]
    with ThreadPoolExecutor(len(kernels)) as pool:
        pods = list(pool.map(lambda kernel: launch(gpu="L4_24GB", name="twin", connection=kernel), kernels))
    assert len({pod.id for pod in pods}) == 1
    assert names(connection) == ["twin"]


def test_processes_that_launch_a_name_at_once_end_with_one_pod(
    connection: Connection, sandbox: SandboxControl
) -> None:
    script = (
        "from primepods_magic import connect, launch\n"
        "connect(sandbox=True); print(launch(gpu='L4_24GB', name='twin').id)"
    )
    environment = {**os.environ, "PRIMEPODS_SANDBOX_URL": sandbox.url}
    kernels = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert len({kernel.communicate(timeout=60)[0] for kernel in kernels}) == 1
    assert names(connection) == ["twin"]


def test_a_launch_goes_on_where_no_lock_can_be_had(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert launch(gpu="L4_24GB", name="train").name == "train"

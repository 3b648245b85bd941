"""A launch ends with exactly one pod, or with none and one clear reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import (
    AuthenticationError,
    InvalidRequest,
    NameInUse,
    NotConfigured,
    NotFound,
    OutOfStock,
    PermissionDenied,
    PodFailed,
    PodsError,
)
from primepods_magic.api.settings import Settings
from primepods_magic.pods.choose_offer import choose_offer
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, current
from primepods_magic.pods.find import find_pod
from primepods_magic.pods.launching.launch import launch, launch_many
from primepods_magic.pods.launching.plan import plan_launch
from primepods_magic.pods.offers import Quote
from primepods_magic.pods.spec.spec import parse_spec, spec_from_mapping, specs_from_mapping
from tests.api.test_requests import PAGE_BODY
from tests.pods.conftest import Changing, Through
from tests.support.sandbox_control import SandboxControl


def names(connection: Connection) -> list[str | None]:
    return [pod.name for pod in connection.client.list_all_pods()]


def test_running_it_again_answers_with_the_same_pod(connection: Connection) -> None:
    first = launch(gpu="H100_80GB", name="train")
    again = launch(gpu="h100_80gb", count=1, name="train")
    assert first.id == again.id
    assert names(connection) == ["train"]


def test_a_pod_tells_whether_this_launch_has_rented_it(connection: Connection) -> None:
    assert launch(gpu="L4_24GB", name="train", connection=connection).is_new
    assert not launch(gpu="L4_24GB", name="train", connection=connection).is_new
    many = launch_many(
        [{"gpu": "L4_24GB", "name": name} for name in ("train", "eval")], connection=connection
    )
    assert [pod.is_new for pod in many] == [False, True]


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
    with pytest.raises(NameInUse, match="Nothing was created") as caught:
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
        ({"gpu": "H100_08GB"}, InvalidRequest, "did you mean 'H100_80GB'"),
        ({"gpu": "H100_80GB", "region": "eu_norht"}, InvalidRequest, "did you mean 'eu_north'"),
        ({"gpu": "H100_80GB", "count": 3}, OutOfStock, "count is 4, not 3"),
        ({"gpu": "H100_80GB", "max_price": 0.5}, OutOfStock, "over $0.50/h"),
        ({"gpu": "H100_80GB", "disk": 10**6}, OutOfStock, "disk is at most"),
        ({"gpu": "H100_80GB", "image": "nonesuch"}, InvalidRequest, "There is no image 'nonesuch'"),
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


def test_a_pipeline_without_a_key_is_not_given_simulated_pods() -> None:
    with pytest.raises(NotConfigured, match="%pods connect --sandbox"):
        current()


def whoami_answers(status: int) -> Changing:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return httpx.Response(status) if request.url.path.endswith("/whoami") else response

    return Changing(change)


def test_a_key_that_may_not_say_whose_it_is_takes_nobodys_pod_for_its_own(
    connection: Connection, through: Through, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    # Another computer has no record of it.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    unsure = through(whoami_answers(403))
    with pytest.raises(NameInUse, match="cannot check whether it is yours"):
        launch(gpu="L4_24GB", name="train", connection=unsure)
    with pytest.raises(NotFound, match=pod.id):
        find_pod(unsure, "train", to_change=True)
    assert find_pod(unsure, pod.id, to_change=True).id == pod.id


def test_a_pod_that_was_created_here_is_mine_although_the_key_may_not_say_whose_it_is(
    connection: Connection, through: Through
) -> None:
    launch(gpu="L4_24GB", name="other", connection=connection)
    unsure = through(whoami_answers(403))
    pod = launch(gpu="L4_24GB", name="train", connection=unsure, tell=lambda _: None)
    again = through(whoami_answers(403))
    assert find_pod(again, "train", to_change=True).id == pod.id
    assert again.is_mine(pod.details)


def test_a_passing_fault_of_whoami_is_not_taken_for_an_answer(
    connection: Connection, through: Through
) -> None:
    launch(gpu="L4_24GB", name="train")
    spoilt = through(whoami_answers(401))
    with pytest.raises(AuthenticationError):
        launch(gpu="L4_24GB", name="train", connection=spoilt)


def test_a_pod_of_another_team_is_another_pod(connection: Connection) -> None:
    mine = launch(gpu="L4_24GB", name="train")
    told: list[str] = []
    teams = launch(gpu="L4_24GB", name="train", team="team_id", tell=told.append)
    assert told == [
        f"You have a live pod called 'train' that is billed elsewhere: {mine.id} (no team). This launch "
        "rents another one, billed to team team_id"
    ]
    assert mine.id != teams.id
    assert launch(gpu="L4_24GB", name="train", team="team_id").id == teams.id


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


def offering(through: Through, *offers: dict[str, Any], live: bool = False) -> Connection:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if "/availability/" in request.url.path:
            return httpx.Response(200, json={"items": list(offers), "totalCount": len(offers)})
        return response

    return through(Changing(change), live=live)


@pytest.mark.parametrize(
    "odd",
    [
        {"security": "partner_cloud"},
        {"dataCenter": "", "country": ""},
        {"prices": {"onDemand": 1.0, "communityPrice": 0, "currency": "usd"}},
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


def test_what_no_request_can_hold_is_refused_before_anything_is_created(connection: Connection) -> None:
    for spec in (
        specs_from_mapping({"gpu": "L4_24GB", "name": "n" * 1000, "pods": 2})[0],
        spec_from_mapping({"gpu": "L4_24GB", "name": "t"}).model_copy(update={"team": "t" * 1001}),
        spec_from_mapping({"gpu": "L4_24GB", "name": "t"}).model_copy(update={"image": "i" * 1001}),
    ):
        with pytest.raises(PodsError, match=r"Nothing was sent|[Nn]othing was created"):
            launch(spec, connection=connection)
    assert connection.client.list_all_pods() == []


@pytest.mark.parametrize("missing", ["cloudId", "socket", "gpuCount", "provider"])
def test_an_offer_that_lacks_what_a_create_needs_is_never_chosen(
    connection: Connection, through: Through, missing: str
) -> None:
    poor = {key: value for key, value in OFFER.items() if key != missing}
    with pytest.raises(OutOfStock, match="description is incomplete or too long"):
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

"""Before money moves: the price, consent, ceilings; and what turns out dearer is ended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import BudgetExceeded, LaunchRefused, OutOfStock
from primepods_magic.pods.choose_offer import choose_offer
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.launching.limits import Limits, terminate_above_agreement
from primepods_magic.pods.launching.plan import LaunchPlan, plan_launch
from primepods_magic.pods.offers import Quote
from primepods_magic.pods.spec.spec import spec_from_mapping
from tests.pods.conftest import Changing, Through
from tests.pods.test_launch import OFFER, names, offering


@pytest.fixture
def live(through: Through) -> Connection:
    """The sandbox, spoken to as if it were billed."""
    return through(httpx.HTTPTransport(verify=False), live=True)


def test_nothing_is_bought_live_without_consent(live: Connection) -> None:
    with pytest.raises(LaunchRefused, match=r"\$0\.69/h, \$16\.56/day.*max_price.*-y"):
        launch(gpu="L4_24GB", connection=live)
    with pytest.raises(LaunchRefused, match="Nothing was created"):
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

    with pytest.raises(BudgetExceeded, match=r"could not be terminated.*It is billed until '%pods rm"):
        launch(gpu="L4_24GB", name="train", max_price=1, connection=through(Unending(dearer)))
    assert names(connection) == ["train"]


def test_a_pod_of_another_user_is_never_ended_however_dear_it_is(
    connection: Connection, through: Through
) -> None:
    pod = launch(gpu="L4_24GB", name="theirs").details
    theirs = pod.model_copy(update={"user_id": "somebody-else", "price_hr": 25.0})
    error = terminate_above_agreement(connection, theirs, 0.69)
    assert "cost $25.00/h" in str(error)
    assert "was not terminated: it belongs to another user" in str(error)
    assert connection.client.get_pod(pod.id or "").is_live
    respelled = theirs.model_copy(update={"user_id": f"-{connection.user_id}".upper()})
    assert "was terminated" in str(terminate_above_agreement(connection, respelled, 0.69))


def dearer(price_usd_hr: float) -> Changing:
    """The network to a sandbox whose creates answer with another price."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST" and "/pods" in request.url.path:
            return httpx.Response(200, json={**response.json(), "priceHr": price_usd_hr})
        return response

    return Changing(change)


def test_a_pod_above_the_ceiling_for_one_is_refused(connection: Connection) -> None:
    with pytest.raises(
        BudgetExceeded, match=r"\$2\.39/h, \$57\.36/day.*ceiling of \$2\.00/h for one pod.*Nothing"
    ):
        launch(gpu="H100_80GB", name="train", limits=Limits(max_price_usd_hr=2))
    assert names(connection) == []
    launch(gpu="H100_80GB", name="train", limits=Limits(max_price_usd_hr=2.39))


def test_pods_above_the_ceiling_for_all_are_refused(connection: Connection) -> None:
    limits = Limits(max_burn_usd_hr=3)
    launch(gpu="H100_80GB", name="one", limits=limits)
    with pytest.raises(
        BudgetExceeded,
        match=r"\$2\.39/h of your live pods.*\$3\.00/h for all pods.*'%pods ls' lists these pods",
    ):
        launch(gpu="L4_24GB", name="two", limits=limits)
    assert names(connection) == ["one"]
    assert launch(gpu="H100_80GB", name="one", limits=limits).name == "one"


def test_what_is_replaced_makes_room_below_the_ceiling(connection: Connection) -> None:
    launch(gpu="H100_80GB", name="train")
    launch(gpu="L4_24GB", name="train", replace_existing=True, limits=Limits(max_burn_usd_hr=1))
    assert names(connection) == ["train"]


def test_launches_at_once_do_not_both_take_the_last_room_below_the_ceiling(
    connection: Connection, through: Through
) -> None:
    def run(number: int) -> str:
        kernel = through(httpx.HTTPTransport(verify=False))
        try:
            return launch(
                gpu="H100_80GB", name=f"pod-{number}", connection=kernel, limits=Limits(max_burn_usd_hr=5)
            ).name
        except BudgetExceeded:
            return ""

    with ThreadPoolExecutor(5) as pool:
        launched = [name for name in pool.map(run, range(5)) if name]
    assert len(launched) == 2
    assert sorted(launched) == sorted(str(name) for name in names(connection))


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (
            Limits(max_price_usd_hr=1),
            r"cost \$99\.00/h, above the ceiling for one pod .* of \$1\.00/h.*terminated",
        ),
        (
            Limits(max_burn_usd_hr=2),
            r"\$99\.00/h, with your other pods \$99\.69/h, above the ceiling for all",
        ),
    ],
    ids=["one", "all"],
)
def test_a_pod_that_turns_out_above_a_ceiling_is_ended_and_reported(
    connection: Connection, through: Through, limits: Limits, says: str
) -> None:
    launch(gpu="L4_24GB", name="other")
    with pytest.raises(BudgetExceeded, match=says):
        launch(gpu="L4_24GB", name="train", limits=limits, connection=through(dearer(99)))
    assert names(connection) == ["other"]


def test_the_ceiling_is_sent_where_it_is_below_the_specs_limit(connection: Connection) -> None:
    spec = spec_from_mapping({"gpu": "L4_24GB", "max_price": 5})
    plan = plan_launch(connection, spec, limits=Limits(max_price_usd_hr=2))
    assert plan.request is not None
    assert plan.request.pod.max_price == 2


def test_a_pod_without_a_price_leaves_the_ceiling_for_all_untold(
    connection: Connection, through: Through
) -> None:
    launch(gpu="L4_24GB", name="mystery")

    def unpriced(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "GET" and request.url.path == "/api/v1/pods/":
            rows = [{**row, "priceHr": None} for row in response.json()["data"]]
            return httpx.Response(200, json={"data": rows})
        return response

    with pytest.raises(BudgetExceeded, match=r"'mystery' has no price"):
        launch(
            gpu="L4_24GB",
            name="train",
            limits=Limits(max_burn_usd_hr=9),
            connection=through(Changing(unpriced)),
        )


def test_euros_are_refused_whatever_the_ceiling(connection: Connection) -> None:
    with pytest.raises(OutOfStock, match="no price in USD"):
        launch(gpu="H100_80GB", provider="scaleway", limits=Limits(max_price_usd_hr=99))


def test_spot_disk_and_prepaid_parts_of_a_price_are_said(connection: Connection, through: Through) -> None:
    disk = {"minCount": 1, "maxCount": 999, "defaultCount": 100, "pricePerUnit": 0.01}
    offer = {**OFFER, "disk": disk, "isSpot": True, "prepaidTime": 24}
    spec = spec_from_mapping({"cloud_id": "c", "gpu": "L4_24GB"})
    said = str(choose_offer(offering(through, offer).client, spec))
    assert "$2.00/h, $48.00/day (disk $1.00/h included)" in said
    assert "spot, so it may be reclaimed at any time" in said
    assert "prepaid: $48.00 for 24 h are charged up front" in said


def test_a_limit_per_hour_is_no_consent_to_what_is_charged_at_once(
    connection: Connection, through: Through
) -> None:
    live = offering(through, {**OFFER, "prepaidTime": 24}, live=True)
    with pytest.raises(LaunchRefused, match=r"\$24\.00 for 24 h are charged up front.*pass -y"):
        launch(gpu="L4_24GB", max_price=2, connection=live)


def test_ending_the_pod_that_is_replaced_needs_consent(connection: Connection, live: Connection) -> None:
    pod = launch(gpu="H100_80GB", name="train")
    asked: list[str] = []

    def refuse(plan: LaunchPlan) -> bool:
        asked.append(plan.consequences)
        return False

    for confirm in (refuse, None):
        with pytest.raises(LaunchRefused):
            launch(
                gpu="L4_24GB",
                name="train",
                max_price=1,
                replace_existing=True,
                connection=live,
                confirm=confirm,
            )
    assert asked[0].endswith(f"; first, the current 'train' ({pod.id}) is terminated")
    assert connection.client.get_pod(pod.id).is_live


@pytest.mark.parametrize(
    ("answer", "warns"),
    [
        (httpx.Response(200, json={"data": []}), True),
        (httpx.Response(200, json={"data": [{"id": "k", "name": "laptop"}]}), False),
        (httpx.Response(403), False),
    ],
    ids=["none", "one", "may not ask"],
)
def test_an_account_without_an_ssh_key_is_warned_before_it_pays(
    connection: Connection, through: Through, answer: httpx.Response, warns: bool
) -> None:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return answer if "ssh_keys" in request.url.path else response

    said: list[str] = []
    there = through(Changing(change))
    launch(gpu="L4_24GB", connection=there, tell=said.append)
    assert bool(said) == warns
    assert all("no SSH key" in text for text in said)
    said.clear()
    launch(
        gpu="L4_24GB",
        name="keyed",
        ssh_key_id="cmkey00000000000000000001",
        connection=there,
        tell=said.append,
    )
    assert not said


@pytest.mark.parametrize(("disk", "fits"), [(100, True), (150, True), (125, False), (110, True)], ids=str)
def test_a_disk_goes_in_the_offers_steps(
    connection: Connection, through: Through, disk: int, fits: bool
) -> None:
    steps = {"minCount": 10, "maxCount": 999, "defaultCount": 100, "step": 50}
    client = offering(through, {**OFFER, "disk": steps}).client
    spec = spec_from_mapping({"gpu": "L4_24GB", "disk": disk})
    if fits:
        assert choose_offer(client, spec).offer.cloud_id == "c"
    else:
        with pytest.raises(OutOfStock, match="disk goes in steps of 50"):
            choose_offer(client, spec)


def test_an_empty_list_of_offers_is_believed_the_second_time(
    connection: Connection, through: Through
) -> None:
    looks = []

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if "/availability/" in request.url.path:
            looks.append(request)
            if len(looks) == 1:
                return httpx.Response(200, json={"items": [], "totalCount": 0})
        return response

    assert launch(gpu="L4_24GB", connection=through(Changing(change))).name
    assert len(looks) == 2

"""Pods of several nodes: offers, quotes, exactly one launch, connections and costs."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import BudgetExceeded, GuardNotArmed, LaunchRefused, NameInUse, OutOfStock
from primepods_magic.frames.listing import list_offers
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch, launch_many
from primepods_magic.pods.launching.limits import Limits
from primepods_magic.pods.launching.plan import LaunchPlan, plan_launch
from primepods_magic.pods.offers import Quote
from primepods_magic.pods.spec.spec import spec_from_mapping
from primepods_magic.remote.guards.stock import StockReader
from tests.pods.conftest import Changing, Through
from tests.pods.test_one_pod import Breaking, creates_of
from tests.support.sandbox_control import SandboxControl

SIXTEEN = {"gpu": "H100_80GB", "count": 16, "name": "big"}


@pytest.mark.parametrize(
    ("filters", "lists"),
    [
        ({"gpu": "H100_80GB"}, ["gpus"]),
        ({"gpu": "H100_80GB", "count": 8}, ["gpus"]),
        ({"gpu": "H100_80GB", "count": 16}, ["gpus", "multi-node"]),
        ({"gpu": "H100_80GB", "multi_node": True}, ["multi-node"]),
    ],
)
def test_asks_for_multi_node_offers_only_if_they_can_be_meant(
    through: Through, filters: dict[str, Any], lists: list[str]
) -> None:
    asked = []

    def note(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if "/availability/" in request.url.path:
            asked.append(request.url.path.rpartition("/")[2])
        return response

    offers = list_offers(connection=through(Changing(note)), **filters)
    assert asked == lists
    assert len(offers)
    assert (offers["nodes"] * offers["gpus_per_node"] == offers["gpu_count"]).all()
    assert (offers["nodes"] > 1).any() == ("multi-node" in lists)


def test_quotes_the_whole_offer_and_what_a_gpu_costs(connection: Connection) -> None:
    plan = plan_launch(connection, spec_from_mapping(SIXTEEN))
    assert plan.consequences == (
        "16 × H100_80GB on several nodes (usually 2 with 8 GPUs each) at nebius (FIN-01, FI): "
        "$49.60/h for all nodes ($3.10/h per GPU), $1,190.40/day"
    )
    assert plan.request is not None
    assert (plan.request.pod.gpu_count, plan.request.pod.max_price) == (16, 49.6)


def test_running_it_again_returns_the_pod_with_all_its_nodes(
    connection: Connection, sandbox: SandboxControl
) -> None:
    pod = launch(SIXTEEN)
    assert (pod.nodes, pod.connections, pod.is_ready) == (None, (), False)
    sandbox.advance(600)
    again = launch(SIXTEEN).refresh()
    assert (again.id, again.is_new, again.nodes, again.is_ready) == (pod.id, False, 2, True)
    assert [str(command)[:4] for command in again.connections] == ["ssh ", "ssh "]
    with pytest.raises(NameInUse, match="count is 16, not 32"):
        launch({**SIXTEEN, "count": 32})
    assert len(connection.client.list_all_pods()) == 1


def test_limits_hold_for_the_price_of_all_nodes(connection: Connection, sandbox: SandboxControl) -> None:
    with pytest.raises(BudgetExceeded, match=r"\$49\.60/h"):
        launch(SIXTEEN, limits=Limits(max_price_usd_hr=49))
    with pytest.raises(OutOfStock, match=r"16 × H100_80GB on several nodes.*over \$40\.00/h"):
        launch({**SIXTEEN, "max_price": 40})
    sandbox.api.put("/sandbox/offers", json={"cloud_id": "nb-H100x16", "stock": "Unavailable"})
    with pytest.raises(OutOfStock, match=r"16 × H100_80GB on several nodes at nebius .*: out of stock"):
        launch(SIXTEEN)
    assert connection.client.list_all_pods() == []


def test_creates_nothing_without_consent_to_the_price_of_all_nodes(
    connection: Connection, through: Through
) -> None:
    asked: list[str] = []

    def refuse(plan: LaunchPlan) -> bool:
        asked.append(plan.consequences)
        return False

    with pytest.raises(LaunchRefused):
        launch(
            SIXTEEN, connection=through(httpx.HTTPTransport(), live=True), confirm=refuse, tell=asked.append
        )
    assert "$49.60/h for all nodes" in " ".join(asked)
    assert connection.client.list_all_pods() == []


def test_names_offers_of_the_same_size_if_the_chosen_one_is_sold_out(through: Through) -> None:
    full = creates_of(lambda _: httpx.Response(409, json={"detail": "provider returned no capacity"}))
    with pytest.raises(OutOfStock, match=r"nearest offers:\n  32 × H100_80GB on several nodes"):
        launch(cloud_id="pc-H100x32", name="big", connection=through(full))


def test_a_cloud_id_alone_finds_a_multi_node_offer(connection: Connection) -> None:
    assert launch(cloud_id="pc-H200x16", name="big").details.total_gpus == 16


@pytest.mark.parametrize("counted", ["whole", "node"])
def test_a_create_without_an_answer_is_one_pod_whatever_the_service_counts(
    connection: Connection, through: Through, counted: str
) -> None:
    """The service may state the GPUs of the whole pod, or of each node before it lists any."""

    class Counting(Breaking):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            response.read()
            if counted == "whole" or request.method != "GET" or "/pods" not in request.url.path:
                return response
            text = response.text.replace('"gpuCount":16', '"gpuCount":8')
            return httpx.Response(200, json=_without_nodes(json.loads(text)))

    network = Counting(arrives=True)
    there = through(network)
    told: list[str] = []
    pod = launch(SIXTEEN, connection=there, tell=told.append)
    # Another spec is compared with the pod itself, not with the record of its launch.
    again = launch({**SIXTEEN, "socket": "SXM5"}, connection=there, tell=told.append)
    assert [pod.id, again.id] == [each.id for each in connection.client.list_all_pods()] * 2
    assert network.creates == 1
    assert "GPUs, not" not in " ".join(told)


def _without_nodes(answer: Any) -> Any:
    for pod in answer.get("data") or []:
        pod |= {"sshConnection": None, "ip": None}
    return answer


def test_a_pod_of_another_size_is_not_taken_for_the_lost_one(connection: Connection) -> None:
    launch_many([{**SIXTEEN, "name": "big"}, {"gpu": "H100_80GB", "count": 8, "name": "small"}])
    with pytest.raises(NameInUse, match="count is 8, not 16"):
        launch({**SIXTEEN, "name": "small"})


def test_no_idle_rule_is_promised_for_several_nodes(connection: Connection) -> None:
    with pytest.raises(GuardNotArmed, match=r"this offer has several\. Nothing was created"):
        plan_launch(connection, spec_from_mapping({**SIXTEEN, "idle": "30m"}), is_dry_run=True)


def test_waiting_for_stock_asks_for_multi_node_offers(connection: Connection) -> None:
    specs = {"sixteen": SIXTEEN, "one": {"gpu": "H100_80GB"}, "by id": {"cloud_id": "pc-H200x16"}}
    given = {key: spec_from_mapping(spec) for key, spec in specs.items()}
    found = StockReader().read(connection.client, given)
    counts = {key: quote.offer.gpu_count for key, quote in found.items() if isinstance(quote, Quote)}
    assert counts == {"sixteen": 16, "one": 1, "by id": 16}

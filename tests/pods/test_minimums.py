"""Minimum amounts of a machine, in a listing and in a launch, and the orders of a listing."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from primepods_magic.api.errors import InvalidRequest, NameInUse, OutOfStock, ServiceUnavailable
from primepods_magic.api.models import Offer
from primepods_magic.frames.listing import list_offers
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.guards.alert_records import describe_wanted
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.offers import sort_offers, usd_gb_vram
from primepods_magic.pods.spec.requirements import list_shortfalls, read_total_vram_gb
from primepods_magic.pods.spec.spec import PodSpec, parse_spec, spec_from_mapping
from tests.pods.conftest import Through
from tests.pods.test_launch import names
from tests.pods.test_one_pod import Breaking
from tests.pods.test_several_values import sell_out
from tests.support.sandbox_control import SandboxControl

MINIMUMS = {
    "min_vram": ("gpu_memory_gb", 48),
    "min_memory": ("memory_gb", 200),
    "min_vcpus": ("vcpus", 32),
    "min_disk": ("disk_gb", 400),
}


@pytest.mark.parametrize("key", MINIMUMS)
def test_lists_exactly_the_offers_that_reach_a_minimum(connection: Connection, key: str) -> None:
    column, minimum = MINIMUMS[key]
    every, fitting = list_offers(), list_offers(**{key: minimum})
    expected = every[(every[column] >= minimum).fillna(False)]
    assert 0 < len(fitting) < len(every)
    pd.testing.assert_frame_equal(fitting, expected.reset_index(drop=True))


def test_lists_by_the_memory_of_all_gpus(connection: Connection) -> None:
    fitting = list_offers(min_total_vram_gb=300)
    assert (fitting["gpu_memory_gb"] * fitting["gpu_count"]).min() >= 300
    assert fitting["gpu_count"].nunique() > 1


@pytest.mark.parametrize(
    ("minimum", "unit"),
    [("min_vram_gb", "GB"), ("min_memory_gb", "GB"), ("min_vcpus", ""), ("min_disk_gb", "GB")],
)
def test_an_unknown_amount_does_not_reach_a_minimum(minimum: str, unit: str) -> None:
    (shortfall,) = list_shortfalls(Offer(gpu_type="B300", gpu_count=1), PodSpec(**{minimum: 1}))
    assert shortfall.endswith(f"is not stated, not at least 1 {unit}".rstrip())


def test_the_memory_of_several_gpus_is_not_taken_for_that_of_one() -> None:
    # The service states the sum for some providers.
    stated = Offer(gpu_type="GB300", gpu_count=4, gpu_memory=288)
    assert list_shortfalls(stated, PodSpec(min_vram_gb=80)) == ["GPU memory is 72 GB, not at least 80 GB"]
    assert list_shortfalls(stated, PodSpec(min_vram_gb=72, min_total_vram_gb=288)) == []
    assert read_total_vram_gb(Offer(gpu_type="A100_80GB", gpu_count=2, gpu_memory=80)) == 160


def test_a_requested_amount_counts_instead_of_what_a_machine_comes_with() -> None:
    offer = Offer(gpu_type="A100_80GB", gpu_count=1, memory={"defaultCount": 64, "maxCount": 512})
    assert list_shortfalls(offer, PodSpec(min_memory_gb=128)) == ["memory is 64 GB, not at least 128 GB"]
    assert list_shortfalls(offer, PodSpec(min_memory_gb=128, memory=256)) == []


def test_sorts_by_what_a_gpu_or_its_memory_costs(connection: Connection) -> None:
    for order in ("price_gpu_hr", "usd_gb_vram"):
        listed = list_offers(sort=order)
        usd = listed[(listed["currency"] == "USD") & (listed["stock"] != "Unavailable")][order].dropna()
        assert list(usd) == sorted(usd)
        assert list(listed["stock"] == "Unavailable") == sorted(listed["stock"] == "Unavailable")
    both = list_offers(gpu="L4_24GB", max_price=99, sort="usd_gb_vram")
    assert list(both["usd_gb_vram"]) == pytest.approx(list(both["price_gpu_hr"] / both["gpu_memory_gb"]))


def test_sorts_by_the_start_what_is_not_stated_last() -> None:
    def make_offer(minutes: float | None, stock: str, price: float) -> Offer:
        prices = {"onDemand": price, "currency": "USD"}
        return Offer(provisioning_time=minutes, stock_status=stock, prices=prices, gpu_count=1)

    ranked = [(2, "High", 9), (2, "Low", 1), (2, "Low", 2), (5, "High", 1), (None, "High", 1), (1, "None", 1)]
    offers = sort_offers([make_offer(*row) for row in reversed(ranked)], "start")
    assert [(o.provisioning_time, o.stock_status, o.price_hr) for o in offers] == ranked


def test_a_price_in_another_currency_is_not_ranked_as_usd() -> None:
    euros = Offer(gpu_type="L4_24GB", gpu_count=1, prices={"onDemand": 0.01, "currency": "EUR"})
    dollars = Offer(gpu_type="L4_24GB", gpu_count=1, prices={"onDemand": 1, "currency": "USD"})
    assert usd_gb_vram(euros) is None
    for order in ("price_hr", "price_gpu_hr", "usd_gb_vram"):
        assert sort_offers([euros, dollars], order) == [dollars, euros]


def test_an_unknown_order_is_refused(connection: Connection) -> None:
    with pytest.raises(InvalidRequest, match="'sort' must be 'price_hr' or"):
        list_offers(sort="provider")


def test_a_launch_takes_the_cheapest_gpu_with_enough_memory_and_a_rerun_returns_it(
    connection: Connection, sandbox: SandboxControl
) -> None:
    wanted = {"min_vram": "48 GB", "name": "any"}
    cheapest = list_offers(min_vram_gb=48, count=1).iloc[0]
    first = launch(**wanted)
    assert (first.details.gpu_name, first.details.price_hr) == (cheapest["gpu"], cheapest["price_hr"])
    sell_out(sandbox, str(cheapest["gpu"]))
    assert launch(**wanted).id == first.id
    assert launch({**wanted, "gpu": [cheapest["gpu"], "H200_141GB"]}).id == first.id
    with pytest.raises(NameInUse, match="it has less GPU memory than this spec asks for"):
        launch({**wanted, "min_vram": 141})
    assert names(connection) == ["any"]


def test_a_lost_create_is_not_sent_again_with_another_gpu(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    http = Breaking(arrives=True)
    pod = launch(min_vram_gb=48, name="any", connection=through(http))
    sell_out(sandbox, str(pod.details.gpu_name))
    assert launch(min_vram_gb=48, name="any").id == pod.id
    assert (names(connection), http.creates) == (["any"], 1)
    nowhere = Breaking(arrives=False)
    with pytest.raises(ServiceUnavailable, match="'other' was not created"):
        launch(min_vram_gb=48, name="other", connection=through(nowhere))
    assert (names(connection), nowhere.creates) == (["any"], 1)


def test_a_total_takes_any_number_of_gpus(connection: Connection) -> None:
    cheapest = list_offers(min_total_vram_gb=90).iloc[0]
    pod = launch(min_total_vram_gb=90, name="sum")
    assert pod.details.price_hr == cheapest["price_hr"]
    assert (pod.details.gpu_count or 0) * cheapest["gpu_memory_gb"] >= 90
    with pytest.raises(OutOfStock, match=r"count is \d, not 7|GPU memory is"):
        launch(gpu="L4_24GB", count=7, min_total_vram_gb=90, name="other")


@pytest.mark.parametrize(
    ("fields", "kind", "says"),
    [
        ({"gpu": "L4_24GB", "min_vram": 40}, OutOfStock, "GPU memory is 24 GB, not at least 40 GB"),
        ({"min_vram": 10_000}, OutOfStock, "not at least 10000 GB"),
        ({"min_vram": 24, "max_price": 0.01}, OutOfStock, r"over \$0\.01/h"),
        ({"min_memory": 64}, InvalidRequest, "'gpu' is required"),
        ({"gpu": "L4_24GB", "min_vram": "lots"}, InvalidRequest, "min_vram must be a whole number of GB"),
        ({"gpu": "L4_24GB", "min_vcpus": 0}, InvalidRequest, "min_vcpus must be above 0"),
        ({"gpu": "L4_24GB", "vram": 24}, InvalidRequest, "did you mean 'min_vram'"),
    ],
)
def test_a_refused_minimum_rents_nothing(
    connection: Connection, fields: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        launch(name="t", **fields)
    assert names(connection) == []


def test_a_minimum_has_a_name_of_its_own_and_others_keep_theirs() -> None:
    assert parse_spec("gpu: H100_80GB").pod_name == "h100-80gb-1-dac7c2"
    assert parse_spec("gpu: H100_80GB\nmin_memory: 64").pod_name != "h100-80gb-1-dac7c2"
    assert parse_spec("min_total_vram_gb: 160").pod_name.startswith("pod-any-")
    assert describe_wanted(parse_spec("minVramGb: 48")) == "1 × any GPU, min_vram 48"


def test_an_image_that_no_offer_has_is_named(connection: Connection) -> None:
    with pytest.raises(InvalidRequest, match="image 'ubuntu_99'"):
        list_offers(image="ubuntu_99")
    listed = list_offers(image="ubuntu_22_cuda_12", data_center_id="us-east-1")
    assert set(listed["data_center"]) == {"us-east-1"}
    assert listed["images"].str.contains("ubuntu_22_cuda_12").all()


def test_a_spec_of_flags_is_that_of_a_cell() -> None:
    flags = spec_from_mapping({"gpu": "L4_24GB", "min_disk": "100GB"})
    assert flags == parse_spec("gpu: L4_24GB\nmin_disk_gb: 100")

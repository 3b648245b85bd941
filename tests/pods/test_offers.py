"""Which offer is chosen, whatever stands in the place of its price, its currency and its stock."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primepods_magic.api.client import Client
from primepods_magic.api.errors import InvalidRequest, OutOfStock
from primepods_magic.api.fields.stock import Stock
from primepods_magic.api.models import Offer, PodDetails
from primepods_magic.api.settings import Settings
from primepods_magic.pods.choose_offer import choose_offer
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.listing import list_fitting_offers
from primepods_magic.pods.offers import Quote, cheapest_first, mismatches, quote
from primepods_magic.pods.spec.spec import spec_from_mapping
from primepods_magic.pods.support.clock import ServiceClock
from tests.support.soak import pick

EXAMPLES = settings(max_examples=pick(20, 5_000))
SPEC = spec_from_mapping({"gpu": "L4_24GB", "name": "t"})
ONE = {
    "cloudId": "c",
    "gpuType": "L4_24GB",
    "gpuCount": 1,
    "socket": "PCIe",
    "provider": "p",
    "prices": {"onDemand": 2.0, "currency": "USD"},
}


def offer(**changed: Any) -> dict[str, Any]:
    return {**ONE, **changed}


def priced(on_demand: Any, community: Any = None, currency: Any = "USD") -> dict[str, Any]:
    return offer(prices={"onDemand": on_demand, "communityPrice": community, "currency": currency})


def chosen(*offers: dict[str, Any], spec: Any = SPEC) -> Quote:
    body = json.dumps({"items": offers, "totalCount": len(offers)})
    answer = httpx.MockTransport(lambda _: httpx.Response(200, text=body))
    with Client(Settings("http://127.0.0.1:9", "k"), http=answer) as client:
        return choose_offer(client, spec)


@pytest.mark.parametrize(
    "field", ["cloudId", "socket", "provider", "dataCenter", "country", "security", "images"]
)
def test_an_offer_whose_texts_no_request_can_hold_is_not_chosen(field: str) -> None:
    long = ["x" * 1001] if field == "images" else "x" * 1001
    best = chosen(offer(**{field: long}, prices={"onDemand": 0.1, "currency": "USD"}), offer())
    assert best.price_usd_hr == 2.0
    with pytest.raises(OutOfStock, match="its description is incomplete") as caught:
        chosen(offer(**{field: long}))
    assert len(str(caught.value)) < 3_000


@pytest.mark.parametrize("count", [0, "0", 1])
def test_a_machine_without_gpus_counts_as_one(count: Any) -> None:
    cpu = spec_from_mapping({"gpu": "CPU_NODE"})
    best = chosen(offer(gpuType="CPU_NODE", gpuCount=count), spec=cpu)
    assert best.offer.gpu_count == 1
    assert PodDetails(gpu_name="CPU_NODE", gpu_count=count).gpu_count == 1
    with pytest.raises(OutOfStock, match=r"\? × L4_24GB at .*count is not stated, not 1"):
        chosen(offer(gpuCount=0))


@pytest.mark.parametrize(
    "price", [0, 0.0, "0", -1, None, "", "N/A", "free", float("nan"), 1e7, "2,50", [2], True]
)
def test_an_offer_without_a_price_is_neither_free_nor_chosen(price: Any) -> None:
    with pytest.raises(OutOfStock, match="no price in USD"):
        chosen(priced(price))
    with pytest.raises(InvalidRequest, match="no price in USD"):
        quote(Offer.model_validate(priced(price)), SPEC)
    best = chosen(priced(price), priced(9.0))
    assert (best.price_usd_hr, best.fitting) == (9.0, 1)
    assert cheapest_first([Offer.model_validate(priced(told)) for told in (price, 9.0)])[0].price_hr == 9.0


@pytest.mark.parametrize("placeholder", [0, -3, None, "null", float("inf")])
def test_the_price_that_is_told_counts(placeholder: Any) -> None:
    assert chosen(priced(2.9, placeholder)).price_usd_hr == 2.9
    assert chosen(priced(placeholder, 2.9)).price_usd_hr == 2.9
    assert chosen(priced(3.5, 2.9)).price_usd_hr == 2.9


@pytest.mark.parametrize("currency", ["USD", "usd", "US$", "$", "", None, "null"])
def test_usd_is_usd_however_it_is_written(currency: Any) -> None:
    assert chosen(priced(2.0, currency=currency)).price_usd_hr == 2.0


@pytest.mark.parametrize("currency", ["EUR", "eur", "USDT", "AUD", "¥"])
def test_another_currency_is_not_taken_for_usd(currency: str) -> None:
    with pytest.raises(OutOfStock, match="no price in USD"):
        chosen(priced(2.0, currency=currency))


@pytest.mark.parametrize(
    "stock",
    ["Out of Stock", "OUT_OF_STOCK", "unavailable", "SOLD_OUT", "soldOut", "none", 0, False, "no stock"],
)
def test_what_is_sold_out_in_other_words_is_not_chosen(stock: Any) -> None:
    with pytest.raises(OutOfStock, match="out of stock"):
        chosen(offer(stockStatus=stock))
    dear = {**priced(9.0), "stockStatus": "Low"}
    assert chosen(offer(stockStatus=stock), dear).price_usd_hr == 9.0


def test_an_offer_whose_stock_nobody_can_tell_comes_after_those_in_stock() -> None:
    odd = offer(stockStatus="Reserved")
    best = chosen(odd, {**priced(9.0), "stockStatus": "Low"})
    assert (best.price_usd_hr, best.offer.stock) == (9.0, Stock.THERE)
    assert best.reason.startswith("the cheapest that is known to be in stock of 2 offers")
    only = chosen(odd)
    assert "its stock is 'Reserved'" in str(only)
    assert "stock" not in str(best)


def test_a_list_of_offers_has_what_nobody_can_tell_before_what_is_sold_out() -> None:
    stocks = ["Sold out", "Reserved", "High"]
    offers = [{**priced(price), "stockStatus": stock} for price, stock in zip((1, 2, 3), stocks, strict=True)]
    body = {"items": offers, "totalCount": 3}
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    with Client(Settings("http://127.0.0.1:9", "k"), http=answer) as client:
        listed = list_fitting_offers(Connection(client, ServiceClock(client.session), False), SPEC)
    assert [one.stock_status for one in listed] == ["High", "Reserved", "Sold out"]


@pytest.mark.parametrize("unit", [-0.01, "NaN", None, "free", -1e308])
def test_a_unit_price_that_is_none_lowers_no_price(unit: Any) -> None:
    disk = {"minCount": 1, "maxCount": 999, "defaultCount": 10, "pricePerUnit": unit}
    spec = spec_from_mapping({"gpu": "L4_24GB", "name": "t", "disk_size": 500})
    assert chosen(offer(disk=disk), spec=spec).price_usd_hr == 2.0


def test_a_unit_price_that_cannot_be_is_no_offer() -> None:
    disk = {"minCount": 1, "maxCount": 999, "defaultCount": 10, "pricePerUnit": 1e308}
    with pytest.raises(OutOfStock, match="no price in USD"):
        chosen(offer(disk=disk), spec=spec_from_mapping({"gpu": "L4_24GB", "name": "t", "disk_size": 500}))


@pytest.mark.parametrize(
    "limits", [{"maxCount": 0}, {"maxCount": -1, "step": -10}, {"step": 0, "minCount": -5}]
)
def test_a_limit_that_is_none_keeps_nothing_out(limits: dict[str, Any]) -> None:
    spec = spec_from_mapping({"gpu": "L4_24GB", "name": "t", "disk_size": 105})
    assert not mismatches(Offer.model_validate(offer(disk=limits)), spec)


@pytest.mark.parametrize("hours", [-1, "NaN", None, 0])
def test_hours_that_are_none_are_not_charged(hours: Any) -> None:
    assert chosen(offer(prepaidTime=hours)).prepaid_hr == 0.0


def test_hours_that_cannot_be_are_not_agreed_to() -> None:
    with pytest.raises(OutOfStock, match="prepaid for"):
        chosen(offer(prepaidTime=1e9))


@pytest.mark.parametrize("count", [0, -1, "0", 1e12, "many"])
def test_an_offer_of_no_gpus_is_not_chosen(count: Any) -> None:
    with pytest.raises(OutOfStock, match="its description is incomplete"):
        chosen(offer(gpuCount=count))


VALUES = (
    st.none() | st.booleans() | st.integers(-3, 30) | st.floats() | st.sampled_from(["0", "2.5", "$3", "N/A"])
)
STOCKS = (
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["Low", "Sold out", "Reserved", "none"])
)


@EXAMPLES
@given(st.lists(st.tuples(VALUES, VALUES, STOCKS, VALUES), min_size=1, max_size=5))
def test_what_is_chosen_has_a_price_and_is_not_sold_out(said: list[tuple[Any, Any, Any, Any]]) -> None:
    offers = [
        {**priced(one, other), "stockStatus": stock, "prepaidTime": hr} for one, other, stock, hr in said
    ]
    try:
        best = chosen(*offers)
    except OutOfStock:
        return
    assert 0 < best.price_usd_hr <= 1e6
    assert best.prepaid_hr >= 0
    assert best.offer.in_stock
    others = [Offer.model_validate(json.loads(json.dumps(one))) for one in offers]
    there = [one.price_hr for one in others if one.stock is Stock.THERE and not mismatches(one, SPEC)]
    assert best.price_usd_hr <= min(filter(None, there), default=1e6) + 1e-5
    assert best.offer.stock is Stock.THERE or not there


@pytest.mark.parametrize(
    ("told", "hours"),
    [(720, 720), ("720h", 720), ("720 hours", 720), ("30 days", 720), ({"hours": 720}, 720), ("0", 0)],
    ids=str,
)
def test_prepaid_hours_are_read_in_any_form_and_charged_up_front(told: object, hours: float) -> None:
    quoted = chosen(offer(prepaidTime=told))
    assert quoted.prepaid_hr == hours
    assert ("are charged up front" in str(quoted)) is (hours > 0)


@pytest.mark.parametrize(
    "told", ["a month", "1 M", {"from": 1, "to": 2}, [720], True, "-5 h", "720 USD"], ids=str
)
def test_an_offer_whose_prepaid_time_cannot_be_read_is_never_chosen(told: object) -> None:
    with pytest.raises(OutOfStock, match="cannot read the prepaid time"):
        chosen(offer(prepaidTime=told))
    assert chosen(offer(prepaidTime=told), offer(cloudId="dear", prices={"onDemand": 9})).price_usd_hr == 9


@pytest.mark.parametrize("told", [None, "", "N/A", {}, False, -1], ids=str)
def test_a_prepaid_time_that_is_not_there_is_none(told: object) -> None:
    assert chosen(offer(prepaidTime=told)).prepaid_hr == 0


@pytest.mark.parametrize("told", ["SPOT", "spot", "Y", "true", 1, True], ids=str)
def test_spot_is_read_in_any_form(told: object) -> None:
    with pytest.raises(OutOfStock, match="spot: choose it by its cloud_id"):
        chosen(offer(isSpot=told))


@pytest.mark.parametrize("told", ["on-demand", "ON_DEMAND", "n", 0, None, "", "N/A"], ids=str)
def test_an_offer_on_demand_is_chosen(told: object) -> None:
    assert "spot" not in str(chosen(offer(isSpot=told)))


def test_an_offer_that_may_be_spot_is_chosen_by_its_id_only_and_says_so() -> None:
    told = offer(isSpot="PREEMPTIBLE?")
    with pytest.raises(OutOfStock, match=r"may be spot: cannot read 'PREEMPTIBLE\?'"):
        chosen(told)
    by_id = spec_from_mapping({"gpu": "L4_24GB", "cloud_id": "c"})
    assert "it may be spot: cannot read 'PREEMPTIBLE?'" in str(quote(Offer.model_validate(told), by_id))
    assert mismatches(Offer.model_validate(told), by_id) == []

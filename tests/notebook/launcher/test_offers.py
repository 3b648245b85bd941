"""Filters select matching offers, cheapest first, and report invalid input."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.models import Offer
from primepods_magic.api.settings import Settings
from primepods_magic.notebook.launcher.state.offers import (
    MAX_SHOWN,
    FilterResult,
    Filters,
    OfferKey,
    OfferList,
    OfferOrder,
    filter_offers,
)
from tests.support.sandbox_control import KEY, controlled

from .offers import NOW, listed, offer, offer_list


@pytest.fixture(scope="module")
def offers() -> Iterator[list[Offer]]:
    with controlled(clock="stepped") as sandbox, Client(Settings(sandbox.url, KEY)) as client:
        yield client.list_offers()


@pytest.fixture(scope="module")
def whole(offers: list[Offer]) -> OfferList:
    return OfferList.read(offers, NOW)


def found(offers: OfferList, **wanted: Any) -> FilterResult:
    return filter_offers(offers, Filters(**wanted))


def kinds(found: FilterResult) -> set[str | None]:
    return {row.offer.gpu_type for row in found.rows}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"count": 8}, lambda row: row.gpu_count == 8),
        ({"provider": "hyperstack"}, lambda row: row.provider == "hyperstack"),
        ({"security": "community_cloud"}, lambda row: row.security == "community_cloud"),
        ({"socket": "SXM5"}, lambda row: row.socket == "SXM5"),
        ({"is_spot": True}, lambda row: row.is_spot),
        ({"max_price": "0.5"}, lambda row: row.price_hr <= 0.5),
        ({"location": "NO"}, lambda row: row.country == "NO"),
        ({"gpu": "h100"}, lambda row: row.gpu_type == "H100_80GB"),
    ],
    ids="count provider security socket spot price location gpu".split(),
)
def test_each_filter_leaves_exactly_what_it_says(whole: OfferList, wanted: dict[str, Any], said: Any) -> None:
    spot = wanted.get("is_spot", False)
    expected = [row for row in whole.listed if said(row.offer) and (spot or not row.offer.is_spot)]
    answer = found(whole, **wanted)
    assert answer.problems == {}
    assert answer.total == len(expected) > 0
    assert list(answer.rows) == expected[:MAX_SHOWN]


def test_filters_hold_together(whole: OfferList) -> None:
    together = {
        "gpu": "H100",
        "count": 1,
        "location": "united states",
        "provider": "runpod",
        "security": "secure_cloud",
        "socket": "PCIe",
        "max_price": "$3/h",
    }
    (row,) = found(whole, **together).rows
    assert (row.offer.cloud_id, row.offer.data_center, row.price_usd_hr) == ("NVIDIA H100", "us-east-1", 2.39)
    for name, other in {"count": 4, "location": "NO", "provider": "vultr", "max_price": "1"}.items():
        assert found(whole, **{**together, name: other}).total == 0


def test_machines_that_can_be_reclaimed_are_listed_only_where_they_are_wanted(whole: OfferList) -> None:
    on_demand, spot = found(whole, gpu="L40_"), found(whole, gpu="L40_", is_spot=True)
    assert [row.offer.is_spot for row in on_demand.rows] == [False, False]
    assert [row.price_usd_hr for row in spot.rows] == [0.31]


@pytest.mark.parametrize(
    ("typed", "types"),
    [
        ("h100", {"H100_80GB"}),
        (" H100-80gb ", {"H100_80GB"}),
        ("rtx4", {"RTX4090_24GB", "RTX4000Ada_20GB"}),
        ("rtx 4090", {"RTX4090_24GB"}),
        ("A40", {"A40_48GB"}),
        ("a4000", {"A4000_16GB"}),
        ("L40", {"L40_48GB"}),
        ("l40s", {"L40S_48GB"}),
    ],
)
def test_a_part_of_a_gpu_type_finds_it_and_a_whole_model_finds_nothing_else(
    whole: OfferList, typed: str, types: set[str]
) -> None:
    assert kinds(found(whole, gpu=typed)) == types


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("h10O", "'H100'"), ("H1OO_80GB", "'H100_80GB'"), ("rtx 409O", "'RTX4090'"), ("A4O", "'A40'")],
)
def test_a_mistyped_gpu_is_told_with_the_nearest_one(whole: OfferList, typed: str, hint: str) -> None:
    answer = found(whole, gpu=typed)
    assert answer.problems["gpu"] == f"No offers for '{typed}' now (did you mean {hint}?)"
    assert (answer.rows, answer.total) == ((), 0)


@pytest.mark.parametrize(
    ("typed", "countries"),
    [
        ("no", {"NO"}),
        ("US", {"US"}),
        ("eu_north", {"NO", "FI", "SE"}),
        ("EU North", {"NO", "FI", "SE"}),
        ("canada", {"CA"}),
        ("norway", {"NO"}),
        ("FIN-01", {"FI"}),
        ("us-west", {"US"}),
        ("", set("NO FI SE CA US RO JP AU BR IN AE ZA".split())),
    ],
)
def test_a_place_is_a_country_or_a_part_of_a_region_or_data_center(
    whole: OfferList, typed: str, countries: set[str]
) -> None:
    there = {row.offer.country for row in whole.listed if not row.offer.is_spot}
    rows = [row for kind in whole.values("gpu_type") for row in found(whole, gpu=kind, location=typed).rows]
    assert {row.offer.country for row in rows} == countries & there


def test_a_part_of_a_data_center_is_no_other_place(whole: OfferList) -> None:
    assert {row.offer.data_center for row in found(whole, location="us-west").rows} == {"us-west-2"}


@pytest.mark.parametrize(
    ("typed", "hint"), [("eu_nort", ""), ("eu_norht", "eu_north"), ("cannada", "canada")]
)
def test_an_unknown_place_is_told_with_the_nearest_one(whole: OfferList, typed: str, hint: str) -> None:
    answer = found(whole, location=typed)
    told = f"Unknown region or country '{typed}' (did you mean '{hint}'?)"
    assert answer.problems == ({"location": told} if hint else {})
    assert bool(answer.rows) is not bool(hint)


def test_a_region_of_the_service_without_offers_is_no_mistake(whole: OfferList) -> None:
    assert found(whole, location="africa") == FilterResult()


@pytest.mark.parametrize("typed", ["0.4", ".4", " 0.4 ", "$0.4", "0.4/h", "$0.40 /h", "$ 0.4/h", "4e-1"])
def test_a_price_may_be_written_as_people_write_it(whole: OfferList, typed: str) -> None:
    answer = found(whole, max_price=typed)
    assert answer.problems == {}
    assert 0 < answer.total == sum(row.price_usd_hr <= 0.4 for row in whole.listed if not row.offer.is_spot)


@pytest.mark.parametrize("typed", ["cheap", "2,50", "0", "-1", "nan", "inf", "$", "1 2", "2_5", "２"])
def test_what_is_no_price_is_told_and_leaves_nothing(whole: OfferList, typed: str) -> None:
    answer = found(whole, max_price=typed)
    if typed == "$":
        assert answer == found(whole)
    else:
        assert answer == FilterResult(problems={"max_price": "Enter a number, such as 2.50."})


def test_everything_that_is_wrong_is_told_at_once(whole: OfferList) -> None:
    assert set(found(whole, gpu="h10O", location="cannada", max_price="x").problems) == {
        "gpu",
        "location",
        "max_price",
    }


def test_what_cannot_be_rented_is_left_out_and_counted(offers: list[Offer], whole: OfferList) -> None:
    sold_out = [row for row in offers if row.stock_status == "Unavailable"]
    foreign = [
        row for row in offers if row.in_stock and (row.price_hr is None or row.prices.currency != "USD")
    ]
    left_out = Counter(reason for reason, _ in whole.left_out)
    assert left_out == {"sold out": len(sold_out), "not priced in USD": len(foreign)}
    assert min(len(sold_out), len(foreign)) > 0
    assert len(whole.listed) + len(sold_out) + len(foreign) == len(offers)
    there = {OfferKey.of(row.offer) for row in whole.listed}
    assert there.isdisjoint(OfferKey.of(row) for row in (*sold_out, *foreign))


def test_the_offers_that_were_left_out_are_counted_by_the_filters(whole: OfferList) -> None:
    h100 = [row for _, row in whole.left_out if row.gpu_type == "H100_80GB" and not row.is_spot]
    assert 0 < sum(found(whole, gpu="H100").left_out.values()) == len(h100) < len(whole.left_out)


def test_the_cheapest_is_first_by_what_it_costs_with_its_disk(whole: OfferList) -> None:
    prices = [row.price_usd_hr for row in whole.listed]
    assert prices == sorted(prices)
    apart = {"minCount": 1, "maxCount": 999, "defaultCount": 100, "pricePerUnit": 0.01}
    with_disk, without = offer(1.0, cloudId="disk", disk=apart), offer(1.5, cloudId="all in")
    assert [(row.offer.cloud_id, row.price_usd_hr) for row in listed(with_disk, without)] == [
        ("all in", 1.5),
        ("disk", 2.0),
    ]


def test_all_are_shown_unless_there_are_very_many(whole: OfferList) -> None:
    answer = found(whole)
    assert list(answer.rows) == [row for row in whole.listed if not row.offer.is_spot]
    assert len(answer.rows) == answer.total > 100
    many = found(OfferList(whole.listed * 10))
    assert len(many.rows) == MAX_SHOWN < many.total


def test_offers_are_sorted_as_asked_and_then_by_price(whole: OfferList) -> None:
    def sort(order: OfferOrder) -> list[Offer]:
        answer = filter_offers(whole, Filters(), order)
        assert answer.order is order
        assert {OfferKey.of(row.offer) for row in answer.rows} == {
            OfferKey.of(row.offer) for row in found(whole).rows
        }
        groups = itertools.groupby(answer.rows, order.sort_key)
        prices = [[row.price_usd_hr for row in group] for _, group in groups]
        assert all(group == sorted(group) for group in prices)
        return [row.offer for row in answer.rows]

    names = [offer.gpu_type or "" for offer in sort(OfferOrder.GPU_TYPE)]
    assert names == sorted(names)
    assert (sort(OfferOrder.GPU_MEMORY)[0].gpu_type or "").endswith("_262GB")
    memory = [offer.memory.default_count or 0 for offer in sort(OfferOrder.MEMORY)]
    assert memory == sorted(memory, reverse=True)
    stock = [
        status for status, _ in itertools.groupby(offer.stock_status for offer in sort(OfferOrder.STOCK))
    ]
    assert [str(status).lower() for status in stock][:2] == ["high", "medium"]
    assert len(set(stock)) == len(stock)
    per_gpu = [row.price_gpu_usd_hr for row in filter_offers(whole, Filters(), OfferOrder.GPU_PRICE).rows]
    assert per_gpu == sorted(per_gpu)


def test_an_offer_is_found_again_in_another_list(offers: list[Offer], whole: OfferList) -> None:
    keys = [OfferKey.of(row.offer) for row in whole.listed]
    assert len(set(keys)) == len(keys)
    later = OfferList.read(reversed(offers), NOW)
    for row in whole.listed:
        assert later.get(OfferKey.of(row.offer)) == row
    (alone,) = listed(offer())
    assert offer_list(offer(isSpot=True), offer(2.0)).get(OfferKey.of(alone.offer)) == listed(offer(2.0))[0]
    assert offer_list(offer(dataCenter="NORWAY-2")).get(OfferKey.of(alone.offer)) is None


def test_what_can_be_chosen_is_what_the_offers_say(whole: OfferList) -> None:
    assert whole.values("provider") == tuple(sorted({str(row.offer.provider) for row in whole.listed}))
    assert "scaleway" not in whole.values("provider")
    assert whole.counts == (1, 2, 4, 8)
    assert offer_list(offer(), offer(cloudId="c-2", country=None)).values("country") == ("NO",)


def test_before_there_is_a_list_nothing_that_is_typed_is_wrong() -> None:
    answer = found(OfferList(), gpu="h10O", location="nowhere")
    assert answer == FilterResult()


@pytest.mark.parametrize(
    "odd",
    [
        {"cloudId": None},
        {"gpuType": ""},
        {"gpuCount": "many"},
        {"provider": None},
        {"socket": None},
        {"prices": None},
        {"prices": {"onDemand": "free", "currency": "USD"}},
        {"prices": {"onDemand": 1.0, "currency": "XYZ"}},
    ],
    ids=str,
)
def test_an_offer_that_is_not_described_well_enough_is_left_out(odd: dict[str, Any]) -> None:
    assert [row.offer.cloud_id for row in listed(offer(cloudId="good"), offer(**odd))] == ["good"]

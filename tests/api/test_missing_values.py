"""What stands for no value, in prices, times, counts and words, and what can be understood."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.api.account import Billing, Wallet
from primepods_magic.api.disks import Disk
from primepods_magic.api.fields.lenient_types import (
    EARLIEST,
    LATEST,
    amount_in,
    count_in,
    currency_in,
    offer_price_in,
    port_in,
    price_in,
    tally_in,
    timestamp_in,
)
from primepods_magic.api.models import HistoryRow, Offer, PodDetails, PodStatusEntry

NOTHING = [
    None,
    "",
    " ",
    "-",
    "null",
    "None",
    "N/A",
    "nan",
    float("nan"),
    float("inf"),
    "1e999",
    [],
    {},
    True,
]


@pytest.mark.parametrize("value", [*NOTHING, 0, "0", 0.0, -1, "-0.5", -1e308, "2,50", "1_000", "0x10", "٣"])
def test_a_placeholder_is_no_price(value: Any) -> None:
    assert price_in(value) is None


@pytest.mark.parametrize("value", [2.5, "2.5", " 2.50 ", "$2.50", "2.5 USD", "US$2.5/hr", "USD 2.5 per hour"])
def test_a_price_is_understood_however_it_is_written(value: Any) -> None:
    assert price_in(value) == 2.5


def test_a_price_that_cannot_be_is_none_for_an_offer_and_stays_for_a_pod() -> None:
    assert (offer_price_in(2e6), price_in(2e6)) == (None, 2e6)
    assert offer_price_in("1,250.00") == 1250.0


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text())
def test_a_price_is_above_nothing_and_finite_whatever_it_is_read_from(value: Any) -> None:
    for read in (price_in, offer_price_in):
        price = read(value)
        assert price is None or 0 < price < float("inf")
    amount, count, tally, port = amount_in(value), count_in(value), tally_in(value), port_in(value)
    assert amount is None or 0 <= amount < float("inf")
    assert count is None or 1 <= count <= 10**6
    assert tally is None or 0 <= tally <= 10**6
    assert port is None or 1 <= port <= 65535
    moment = timestamp_in(value)
    assert moment is None or EARLIEST <= moment < LATEST


@pytest.mark.parametrize(
    "value",
    [
        *NOTHING,
        0,
        "0",
        -1,
        -62135596800,
        "0000-00-00",
        "0000-00-00T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01",
        "1900-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "1970-01-01T01:00:00+01:00",
        "1969-12-31T23:59:59Z",
        "2000-01-01T00:00:00Z",
        "2038-01-19T03:14:07Z",
        "2099-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59-14:00",
        253402300799,
        "soon",
    ],
)
def test_a_placeholder_is_no_time(value: Any) -> None:
    assert timestamp_in(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "2026-09-14T08:00:00Z",
        "2026-09-14 08:00:00",
        "2026-09-14T10:00:00+02:00",
        "2026-09-14 08:00:00 UTC",
        "2026-09-14 08:00:00 +0000 UTC",
        "Mon, 14 Sep 2026 08:00:00 GMT",
        "Mon, 14 Sep 2026 10:00:00 +0200",
        "2026-09-14 10:00:00 +0200",
        "2026-09-14 08:00:00 +0000",
        "2026-09-14T10:00:00 +02:00",
        "20260914T080000Z",
        "20260914T100000+0200",
        1789372800,
        "1789372800",
        1789372800000,
        "1789372800000",
        1789372800000.0,
        1789372800000000,
        1789372800000000000,
    ],
)
def test_a_time_is_understood_however_it_is_written(value: Any) -> None:
    assert timestamp_in(value) == datetime(2026, 9, 14, 8, tzinfo=timezone.utc)


@pytest.mark.parametrize("value", [0, "0", -1, 65536, "70000", "ssh", "*", "22/tcp", 22.5, None, "", True])
def test_a_placeholder_is_no_port(value: Any) -> None:
    assert port_in(value) is None


@pytest.mark.parametrize("value", [0, -1, "-8", 10**9, 2**63, 1.5, "N/A", None, True, "many"])
def test_a_placeholder_is_no_count(value: Any) -> None:
    assert count_in(value) is None


@pytest.mark.parametrize("value", ["USD", "usd", " Usd ", "US$", "$", "US Dollar"])
def test_every_way_to_write_usd_is_one(value: str) -> None:
    assert currency_in(value) == "USD"


def test_another_currency_stays_another_one() -> None:
    assert [currency_in(value) for value in ("eur", "USDT", "AU$", "", "null")] == [
        "EUR",
        "USDT",
        "AU$",
        None,
        None,
    ]


def test_what_may_cost_nothing_may_be_free() -> None:
    pod = PodDetails.model_validate({"stoppedPriceHr": 0, "provisioningPriceHr": 0.0, "priceHr": 0})
    assert (pod.stopped_price_hr, pod.provisioning_price_hr, pod.price_hr) == (0.0, 0.0, None)
    assert Disk.model_validate({"priceHr": 0}).price_hr == 0.0
    assert HistoryRow.model_validate({"totalBilledPrice": 0}).total_billed_price == 0.0
    assert Billing.model_validate({"amount_usd": -3}).amount_usd == -3.0
    assert Wallet.model_validate({"balance_usd": -0.5}).balance_usd == -0.5


@pytest.mark.parametrize(
    ("told", "usd"),
    [
        *(("$12.50", 12.5), ("12.50 USD", 12.5), ("1,234.50", 1234.5), ("-3", -3.0), ("-$3.00", -3.0)),
        *(("-3 USD", -3.0), (0, 0.0), ("12.50 EUR", None), ("12,50", None), ("--3", None), (True, None)),
    ],
)
def test_what_was_billed_is_understood_however_it_is_written(told: Any, usd: float | None) -> None:
    assert HistoryRow.model_validate({"totalBilledPrice": told}).total_billed_price == usd
    assert Billing.model_validate({"amount_usd": told}).amount_usd == usd
    assert Wallet.model_validate({"balance_usd": told}).balance_usd == usd


@pytest.mark.parametrize("name", ["Nan", "Nil", "None", "Null", "nancy"])
def test_a_person_may_have_the_name_of_nothing(name: str) -> None:
    assert HistoryRow.model_validate({"provisionedBy": name}).provisioned_by == name


@pytest.mark.parametrize("name", ["", "null", "none", "N/A", "NaN", "NULL", "-", None])
def test_a_word_for_nothing_is_no_person(name: Any) -> None:
    assert HistoryRow.model_validate({"provisionedBy": name}).provisioned_by is None


def test_the_word_for_nothing_is_no_team_and_a_name_all_the_same() -> None:
    pod = PodDetails.model_validate(
        {"name": "null", "id": "None", "teamId": "null", "userId": "", "installationFailure": "N/A"}
    )
    assert (pod.name, pod.id, pod.team_id, pod.user_id, pod.installation_failure) == (
        "null",
        "None",
        None,
        None,
        None,
    )


@pytest.mark.parametrize("placeholder", [None, 0, -1, "0", "N/A", float("nan")])
def test_the_price_of_a_pod_is_the_one_that_it_tells(placeholder: Any) -> None:
    for name in ("costPerHr", "cost_per_hr", "pricePerHour", "hourly_price"):
        pod = PodDetails.model_validate({"priceHr": placeholder, name: 50, "status": "ACTIVE"})
        assert (pod.price_hr, pod.highest_usd_hr) == (50.0, 50.0)
    pod = PodDetails.model_validate({"priceHr": placeholder, "costPerHr": placeholder, "basePriceHr": 9})
    assert (pod.price_hr, pod.highest_usd_hr) == (None, None)


@pytest.mark.parametrize(
    ("status", "highest"),
    [("PROVISIONING", 500.0), ("PENDING", 500.0), ("CREATING", 500.0), ("ACTIVE", 2.5), ("STOPPED", 2.5)],
)
def test_the_price_of_coming_up_counts_until_a_pod_is_up(status: str, highest: float) -> None:
    pod = PodDetails.model_validate({"priceHr": 2.5, "provisioningPriceHr": 500, "status": status})
    assert (pod.price_hr, pod.highest_usd_hr) == (2.5, highest)


def test_the_highest_of_several_prices_counts_and_a_newer_one_replaces_them() -> None:
    pod = PodDetails.model_validate({"priceHr": 2.5, "costPerHr": 50, "status": "ACTIVE"})
    assert (pod.price_hr, pod.highest_usd_hr) == (2.5, 50.0)
    later = pod.updated(PodStatusEntry.model_validate({"priceHr": 3, "status": "ACTIVE"}))
    assert (later.price_hr, later.highest_usd_hr) == (3.0, 3.0)
    later = pod.updated(PodStatusEntry.model_validate({"priceHr": 3, "costPerHr": 60, "status": "ACTIVE"}))
    assert (later.price_hr, later.highest_usd_hr) == (3.0, 60.0)
    later = pod.updated(PodStatusEntry.model_validate({"priceHr": 0, "status": "ACTIVE"}))
    assert later is pod


def test_an_offer_without_a_price_has_none() -> None:
    prices = [{"onDemand": 2.9, "communityPrice": 0}, {"onDemand": 0}, {"onDemand": -1}, {"onDemand": "NaN"}]
    assert [Offer.model_validate({"prices": told}).price_hr for told in prices] == [2.9, None, None, None]

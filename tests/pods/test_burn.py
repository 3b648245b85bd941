"""What lives costs, and what has ended costs nothing from its end on."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.api.disks import Disk
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.pod import Pod
from primepods_magic.pods.support.rates import accrued_usd, burn_usd_hr, find_unpriced, has_ended
from primepods_magic.pods.watching.estimates import Estimator

NOON = datetime(2026, 11, 29, 12, tzinfo=timezone.utc)
LIVE = {"id": "p", "status": "ACTIVE", "priceHr": 2.0, "createdAt": "2026-11-29T00:00:00Z"}
HOUR = timedelta(hours=1)


def pod(**changed: Any) -> PodDetails:
    return PodDetails.model_validate({**LIVE, **changed})


@pytest.mark.parametrize(
    ("changed", "rate", "spent"),
    [
        ({}, 2.0, 24.0),
        ({"terminatedAt": "2026-11-29T03:00:00Z"}, 0.0, 6.0),
        ({"terminatedAt": "2026-11-29T03:00:00Z", "status": "DELETING"}, 0.0, 6.0),
        ({"terminatedAt": "2026-11-30T00:00:00Z"}, 2.0, 24.0),
        ({"terminatedAt": "0001-01-01T00:00:00Z"}, 2.0, 24.0),
        ({"terminatedAt": "9999-12-31T00:00:00Z"}, 2.0, 24.0),
        # It was started again since.
        ({"terminatedAt": "2026-11-28T03:00:00Z"}, 2.0, 24.0),
        ({"status": "TERMINATED"}, 0.0, None),
        ({"status": "TERMINATED", "terminatedAt": "2026-11-29T03:00:00Z"}, 0.0, 6.0),
        ({"status": "deleted"}, 0.0, None),
        ({"status": "EXITED"}, 2.0, 24.0),
        ({"status": "ERROR"}, 2.0, 24.0),
        ({"status": "STOPPED", "stoppedPriceHr": 0.1, "updatedAt": "2026-11-29T02:00:00Z"}, 0.1, 5.0),
        ({"status": "STOPPED", "stoppedPriceHr": -1, "updatedAt": "2026-11-29T02:00:00Z"}, 2.0, 24.0),
        ({"status": "PROVISIONING", "provisioningPriceHr": 0}, 0.0, 0.0),
        ({"priceHr": 0, "costPerHr": 3}, 3.0, 36.0),
        ({"priceHr": -5}, 0.0, None),
        ({"status": "STOPPED", "stoppedPriceHr": 0, "priceHr": None}, 0.0, None),
        ({"createdAt": "0001-01-01T00:00:00Z"}, 2.0, None),
        ({"createdAt": "2026-11-30T00:00:00Z"}, 2.0, None),
    ],
    ids=str,
)
def test_a_pod_costs_while_it_lives(changed: dict[str, Any], rate: float, spent: float | None) -> None:
    assert burn_usd_hr([pod(**changed)], NOON) == rate
    assert accrued_usd(pod(**changed), NOON) == pytest.approx(spent)


@pytest.mark.parametrize(
    ("said", "rate"),
    [
        ({"status": "UNATTACHED"}, 1.0),
        ({"status": "UNATTACHED", "terminatedAt": "2026-11-02T00:00:00Z"}, 0.0),
        ({"status": "UNATTACHED", "terminatedAt": "1970-01-01T00:00:00Z"}, 1.0),
        ({"status": "Deleted"}, 0.0),
        ({"status": "TERMINATED"}, 0.0),
        ({"status": "ARCHIVED"}, 1.0),
        ({"status": None}, 1.0),
        ({"priceHr": -1}, 0.0),
    ],
    ids=str,
)
def test_a_disk_costs_while_it_lives(said: dict[str, Any], rate: float) -> None:
    disk = Disk.model_validate({"id": "d", "priceHr": 1.0, "createdAt": "2026-11-01T00:00:00Z", **said})
    assert burn_usd_hr([disk], NOON) == rate


@pytest.mark.parametrize(
    "price", [None, "free", "25,00", {}, [25], -2, 0, float("nan"), float("inf")], ids=str
)
def test_finds_live_pods_whose_price_is_not_known(price: Any) -> None:
    ended = pod(priceHr=price, status="TERMINATED")
    unpriced = pod(priceHr=price)
    assert find_unpriced([pod(), unpriced, ended], NOON) == [unpriced]
    in_doubt = pod(costPerHr="EUR 25")
    assert find_unpriced([in_doubt], NOON) == [in_doubt]


def test_a_ceiling_counts_a_pod_that_is_not_gone_whatever_its_end() -> None:
    assert burn_usd_hr([pod(terminatedAt="2026-11-29T03:00:00Z")]) == 2.0


@given(
    st.dictionaries(
        st.sampled_from(
            ["priceHr", "costPerHr", "stoppedPriceHr", "provisioningPriceHr", "terminatedAt", "status"]
        ),
        st.none()
        | st.integers(-5, 5)
        | st.floats()
        | st.sampled_from(["STOPPED", "PROVISIONING", "N/A", "0", "2.5"]),
    )
)
def test_no_pod_costs_less_than_nothing(changed: dict[str, Any]) -> None:
    assert burn_usd_hr([pod(**changed)]) >= burn_usd_hr([pod(**changed)], NOON) >= 0
    assert (accrued_usd(pod(**changed), NOON) or 0) >= 0


def test_the_cost_of_a_pod_stands_still_from_its_end_on(connection: Connection) -> None:
    ended = Pod(connection, pod(createdAt="2026-08-01T00:00:00Z", terminatedAt="2026-08-01T03:00:00Z"))
    assert ended.cost_usd == 6.0
    gone = pod(status="TERMINATED", createdAt="2026-08-01T00:00:00Z", terminatedAt="2026-08-01T03:00:00Z")
    assert Pod(connection, gone).cost_usd == 6.0
    assert Pod(connection, pod(status="TERMINATED")).cost_usd is None


def test_the_outlook_of_a_pod_stands_still_from_its_end_on() -> None:
    forecast = Estimator()
    for hours in range(3):
        outlook = forecast.update([pod(terminatedAt="2026-11-29T03:00:00Z")], NOON + hours * HOUR)["p"]
        assert (outlook.cost_usd, outlook.ended_at) == (6.0, NOON - 9 * HOUR)


def test_a_pod_that_was_seen_to_vanish_ended_then() -> None:
    forecast = Estimator()
    assert forecast.update([pod()], NOON)["p"].ended_at is None
    for hours in range(1, 4):
        outlook = forecast.update([pod(status="TERMINATED")], NOON + hours * HOUR)["p"]
        assert (outlook.cost_usd, outlook.ended_at) == (26.0, NOON + HOUR)


def test_an_end_in_the_future_is_not_past() -> None:
    scheduled = pod(terminatedAt="2026-11-29T13:00:00Z")
    assert not has_ended(scheduled, NOON)
    assert has_ended(scheduled, NOON + HOUR)

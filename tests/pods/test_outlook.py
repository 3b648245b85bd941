"""Estimates say what follows from what was seen, and nothing where nothing follows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.watching.estimates import Estimator
from tests.support.watching import SSH, START


def pod(status: str = "ACTIVE", **said: object) -> PodDetails:
    return PodDetails.model_validate(
        {"id": "a", "priceHr": 3.6, "createdAt": START, "status": status, **said}
    )


def installing(percent: float | None, **said: object) -> PodDetails:
    return pod(installationStatus="IN_PROGRESS", installationProgress=percent, **said)


def left_s(*looks: tuple[float, PodDetails]) -> float | None:
    """What is left after looks at so many seconds."""
    forecast = Estimator()
    for at_s, seen in looks:
        outlook = forecast.update([seen], START + timedelta(seconds=at_s))["a"]
    return outlook.left_s


def cost_usd(*looks: tuple[float, PodDetails]) -> float | None:
    """What is told to have been spent after looks at so many hours."""
    forecast = Estimator()
    for at_h, seen in looks:
        outlook = forecast.update([seen], START + timedelta(hours=at_h))["a"]
    return outlook.cost_usd


def test_what_is_left_follows_from_the_speed_seen_so_far() -> None:
    assert left_s((0, installing(0)), (10, installing(10))) == 90
    assert left_s((0, installing(50)), (10, installing(75))) == 10
    assert left_s((0, installing(0)), (10, installing(10)), (40, installing(20))) == 160
    assert left_s((0, installing(90)), (1, installing(130))) == 0


@pytest.mark.parametrize(
    "looks",
    [
        [(0, installing(20))],
        [(0, installing(20)), (60, installing(20))],
        [(0, installing(None)), (60, installing(None))],
        [(0, installing(20)), (0, installing(40))],
        [(60, installing(20)), (59, installing(40))],
        [(0, installing(20)), (10, installing(40)), (20, pod("PENDING", installationProgress=40))],
        [
            (0, installing(20)),
            (10, pod(installationStatus="COMPLETE", installationProgress=100, sshConnection=SSH)),
        ],
        [(0, installing(20)), (10, pod(installationStatus="FAILED", installationProgress=40))],
        [(0, installing(20)), (10, pod("TERMINATED", installationProgress=40))],
        [(0, installing(60)), (10, installing(80)), (20, installing(10))],
    ],
)
def test_nothing_is_said_to_be_left_where_there_is_no_speed(looks: list[tuple[float, PodDetails]]) -> None:
    assert left_s(*looks) is None


def test_an_installation_that_began_anew_is_measured_anew() -> None:
    again = [(0, installing(0)), (100, installing(90)), (200, installing(10)), (210, installing(20))]
    assert left_s(*again) == 80


def test_a_pod_has_cost_its_life_so_far_at_the_rate_of_now_and_then_by_what_is_seen() -> None:
    assert cost_usd((1, pod(priceHr=2))) == 2
    assert cost_usd((1, pod(priceHr=2)), (3, pod("STOPPED", priceHr=2, stoppedPriceHr=0.5))) == 6
    assert cost_usd((1, pod("PROVISIONING", priceHr=2, provisioningPriceHr=0)), (2, pod(priceHr=2))) == 2
    ended = pod("TERMINATED", priceHr=2, terminatedAt=(START + timedelta(hours=3)).isoformat())
    assert cost_usd((1, pod(priceHr=2)), (5, ended)) == 6
    assert cost_usd((1, pod(priceHr=2)), (5, pod("TERMINATED", priceHr=2))) == 10


def test_of_a_pod_whose_price_or_life_is_not_known_no_cost_is_told() -> None:
    assert cost_usd((1, pod(priceHr=None))) is None
    assert cost_usd((1, pod(createdAt=None)), (2, pod(createdAt=None))) is None
    assert cost_usd((9, pod("TERMINATED")), (10, pod("TERMINATED"))) is None
    assert cost_usd((9, pod("STOPPED", stoppedPriceHr=0.1))) is None


def test_a_pod_that_is_from_the_future_has_cost_nothing_yet() -> None:
    assert cost_usd((-1, pod(priceHr=2))) == 0
    assert cost_usd((-1, pod(priceHr=2)), (-0.5, pod(priceHr=2))) == 1


def test_pods_are_kept_apart_and_forgotten_when_nobody_watches_them() -> None:
    forecast = Estimator()
    first, second = pod(priceHr=1), pod(priceHr=2, id="b")
    forecast.update([first, second, PodDetails(name="without an id")], START + timedelta(hours=1))
    both = forecast.update([first, second], START + timedelta(hours=2))
    assert {name: outlook.cost_usd for name, outlook in both.items()} == {"a": 2, "b": 4}
    assert forecast.update([second], START + timedelta(hours=3)).keys() == {"b"}
    again = forecast.update([pod(priceHr=1)], START + timedelta(hours=4))
    assert again["a"].cost_usd == 4


RATES = {"PROVISIONING": 0.25, "PENDING": 4.0, "ACTIVE": 4.0, "STOPPED": 0.5, "ERROR": 4.0, "TERMINATED": 0.0}


@given(st.lists(st.tuples(st.sampled_from([*RATES]), st.floats(-1, 5000)), min_size=1, max_size=40))
def test_the_cost_never_falls_and_is_the_time_between_looks_at_the_dearer_rate(
    steps: list[tuple[str, float]],
) -> None:
    """The service's clock may step back a second between two looks; no second is charged twice for that."""
    steps = [("ACTIVE", 60.0), *steps]
    forecast = Estimator()
    clock_s = charged_until_s = expected = told = 0.0
    before = "ACTIVE"
    for status, seconds in steps:
        clock_s += seconds
        seen = pod(status, priceHr=4, provisioningPriceHr=0.25, stoppedPriceHr=0.5)
        cost = forecast.update([seen], START + timedelta(seconds=clock_s))["a"].cost_usd
        expected += max(RATES[before], RATES[status]) * max(clock_s - charged_until_s, 0.0) / 3600
        charged_until_s, before = max(charged_until_s, clock_s), status
        assert cost is not None
        assert cost >= told
        told = cost
    assert told == pytest.approx(expected, abs=1e-6)

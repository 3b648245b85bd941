"""The judge of launches: it sees what a careless client does."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.hostile_service.judge import Report, judge_launch
from tests.support.hostile_service.plan import Plan, draw_plan
from tests.support.hostile_service.runs import NONE, POD, RAW, Run
from tests.support.hostile_service.service import HostileService, hostile_service
from tests.support.hostile_service.world import GPU

SETTLE_S = 0.2


def launch_carelessly(service: HostileService, number: int, *, max_price: float | None) -> Iterator[Run]:
    """Run a launch three times: believe one page of the list, send a create, and believe its response."""
    world = service.worlds[number]
    with httpx.Client(
        base_url=f"{service.url}/api/v1", headers={"Authorization": f"Bearer key-{number}"}, trust_env=False
    ) as http:
        for run in (1, 2, 3):
            world.begin_run(run)
            listed = http.get("/pods/", params={"offset": 0, "limit": 100}).json()["data"]
            mine = [
                pod["id"] for pod in listed if (pod["name"], pod["userId"]) == (world.name, world.user_id)
            ]
            if mine:
                yield Run(number, run, POD, 0.0, mine[0])
                continue
            pod = {
                "name": world.name,
                "cloudId": "true-1",
                "gpuType": GPU,
                "gpuCount": 1,
                "maxPrice": max_price,
            }
            try:
                response = http.post("/pods/", json={"pod": pod, "provider": {"type": "runpod"}})
                yield Run(number, run, POD, 0.0, response.json()["id"])
            except (httpx.TransportError, KeyError) as error:
                yield Run(number, run, NONE, 0.0, error=type(error).__name__, said="not created")
            except ValueError as error:
                yield Run(number, run, RAW, 0.0, error=type(error).__name__, said=str(error))


@pytest.mark.parametrize(
    ("plan", "rule"),
    [
        (Plan(1, name="prefixed"), "doubled"),
        (Plan(1, lists="second-page-empty"), "doubled"),
        (Plan(1, create="cut-after"), "untrue"),
        (Plan(1, create="html-acted"), "raw"),
        (Plan(1, price="two-cents-above"), "dear"),
        (Plan(1, price="ten-times-in-costPerHr"), "dear"),
    ],
    ids=str,
)
def test_judge_sees_a_careless_client(plan: Plan, rule: str) -> None:
    with hostile_service([plan], settle_s=SETTLE_S) as service:
        world = service.worlds[0]
        verdict = judge_launch(world, launch_carelessly(service, 0, max_price=world.price))
    assert rule in Report([verdict]).broken_rules, verdict


def test_judge_sees_a_create_without_a_price() -> None:
    with hostile_service([Plan(1)], settle_s=SETTLE_S) as service:
        verdict = judge_launch(service.worlds[0], launch_carelessly(service, 0, max_price=None))
    assert "a create was sent at None, which is not a price" in verdict.faults


def test_judge_finds_nothing_wrong_if_nothing_is() -> None:
    with hostile_service([Plan(1)], settle_s=SETTLE_S) as service:
        world = service.worlds[0]
        verdict = judge_launch(world, launch_carelessly(service, 0, max_price=world.price))
    assert not verdict.faults, verdict


def test_plans_are_drawn_again_from_their_seeds() -> None:
    plans = [draw_plan(seed) for seed in range(200)]
    assert plans == [draw_plan(seed) for seed in range(200)]
    assert len(set(plans)) == 200

"""A launch never costs more than the reviewed price, even if offers change meanwhile."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from primepods_magic.notebook.launcher.state.flow import FlowStage, LaunchSettings
from primepods_magic.notebook.launcher.state.model import LauncherModel
from primepods_magic.pods.launching.limits import Limits
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

from .conftest import Opened, Traffic, chosen, idle, launched, names, summary
from .offers import offer, offer_list


def offers_with(**said: Any) -> Callable[[httpx.Request, Any], Any]:
    """The sandbox's offers, of which one says something else."""

    def change(request: httpx.Request, answer: Any) -> Any:
        if "/availability/" in request.url.path:
            for row in answer["items"]:
                if row["cloudId"] == "vcg-L4x1":
                    row.update(said)
        return answer

    return change


@pytest.mark.parametrize("usd_hr", [0.345, 0.9])
def test_another_price_than_the_one_that_was_shown_is_reviewed_again(
    model: LauncherModel, traffic: Traffic, usd_hr: float
) -> None:
    chosen(model, name="train")
    traffic.change = offers_with(prices={"onDemand": usd_hr, "currency": "USD"})
    model.review()
    idle(model)
    assert model.flow.stage is FlowStage.FORM
    eventually(lambda: model.flow.quote and model.flow.quote.price_usd_hr == usd_hr, "the new price")
    plan = summary(model).flow.plan
    assert plan is not None
    assert plan.request is not None
    assert plan.request.pod.max_price == usd_hr
    assert traffic.creates == []


def test_an_offer_that_cannot_be_told_from_a_spot_offer_is_not_launched(
    model: LauncherModel, traffic: Traffic
) -> None:
    def and_spot(request: httpx.Request, answer: Any) -> Any:
        if "/availability/" in request.url.path:
            alike = [row for row in answer["items"] if row["cloudId"] == "vcg-L4x1"]
            answer["items"] += [
                {**row, "isSpot": True, "prices": {"onDemand": 0.1, "currency": "USD"}} for row in alike
            ]
        return answer

    traffic.change = and_spot
    model.refresh()
    chosen(model, name="train")
    model.review()
    idle(model)
    assert model.flow.stage is FlowStage.FORM
    (told,) = model.flow.notices
    assert "The service cannot tell this offer from a spot offer with the same ID at $0.10/h" in told
    assert traffic.creates == []


def test_a_ceiling_that_was_lowered_after_the_review_holds(
    opened: Opened, traffic: Traffic, sandbox: SandboxControl
) -> None:
    limits = [Limits()]
    model = summary(opened(settings=lambda: LaunchSettings(limits=limits[0])), name="train")
    limits[0] = Limits(max_price_usd_hr=0.1)
    model.launch()
    idle(model)
    assert "above the ceiling of $0.10/h" in model.flow.problems["price"]
    assert traffic.creates == []
    model.do(model.flow.launch)
    idle(model)
    assert names(sandbox) == []


@pytest.mark.parametrize("usd_hr", [0.0, -1.0])
def test_a_machine_that_costs_nothing_is_not_offered(usd_hr: float) -> None:
    there = offer_list(offer(usd_hr))
    assert there.listed == ()
    assert [reason for reason, _ in there.left_out] == ["not priced in USD"]


def test_a_pod_is_new_where_a_create_was_sent_whatever_the_clocks_say(
    model: LauncherModel, traffic: Traffic
) -> None:
    def long_ago(request: httpx.Request, answer: Any) -> Any:
        text = re.sub(r'"createdAt": "[^"]*"', '"createdAt": "2020-01-01T00:00:00Z"', json.dumps(answer))
        return json.loads(text)

    traffic.change = long_ago
    launched(model, name="train")
    assert model.flow.outcome is not None
    assert model.flow.outcome.text == "Launched 'train' at $0.69/h. It is listed under Your pods."


def test_the_team_of_the_settings_is_billed_by_launch_and_cell_alike(
    opened: Opened, traffic: Traffic
) -> None:
    settings = [LaunchSettings()]
    model = chosen(opened(settings=lambda: settings[0]), name="train")
    assert "team:" not in model.cell
    settings[0] = LaunchSettings(default_team="team_id")
    summary(model)
    assert "team: team_id" in model.cell
    model.launch()
    idle(model)
    assert [body["team"] for body in traffic.creates] == [{"teamId": "team_id"}]


def test_the_cell_is_whole_whenever_it_is_read(model: LauncherModel) -> None:
    chosen(model, name="train")
    model.listen(lambda: None)
    seen = set()
    for number in range(300):
        model.set(auto_restart=bool(number % 2))
        seen.add("name: train" in model.cell)
    assert seen == {True}


def test_puts_nothing_into_the_notebook_and_the_cell_unless_asked_to(opened: Opened) -> None:
    namespace: dict[str, Any] = {}
    model = chosen(opened(namespace), name="train")
    assert namespace == {}
    assert "password" not in model.cell
    model.do(model.flow.set_password, "correct-horse-battery")
    idle(model)
    assert set(namespace) == {"JUPYTER_PASSWORD"}
    assert "jupyter_password: ${JUPYTER_PASSWORD}" in model.cell
    model.do(model.flow.remove_password)
    idle(model)
    assert "password" not in model.cell


def test_an_end_of_another_pod_does_not_hide_what_may_be_billed(
    model: LauncherModel, traffic: Traffic, sandbox: SandboxControl
) -> None:
    launched(model, name="one")
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    summary(model, name="two")
    traffic.answer = lambda request: httpx.Response(503) if len(traffic.creates) > 1 else None
    model.launch()
    idle(model)
    assert model.flow.outcome is not None
    assert model.flow.outcome.may_be_billed
    traffic.answer = lambda request: None
    one = next(pod.id or "" for pod in model.pod_list.pods if pod.name == "one")
    model.do(model.pod_list.request_termination, one)
    model.do(model.pod_list.terminate, one)
    model.set(name="three")
    eventually(lambda: "one" not in names(sandbox), "it is ended")
    idle(model)
    assert model.flow.outcome is not None
    assert model.flow.outcome.may_be_billed

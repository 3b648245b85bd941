"""A failed create request ends in one pod, or in a message that says what may be billed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from primepods_magic.notebook.launcher.state.flow import LaunchOutcome, LaunchSettings
from primepods_magic.notebook.launcher.state.model import LauncherModel
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

from .conftest import Opened, Traffic, idle, launched, names, summary


def outcome(model: LauncherModel) -> LaunchOutcome:
    assert model.flow.outcome is not None
    return model.flow.outcome


def fail(sandbox: SandboxControl, fault: str, **said: Any) -> None:
    rule = {"fault": fault, "method": "POST", "path": "/pods", **said}
    sandbox.api.put("/sandbox/faults", json=[rule]).raise_for_status()


@pytest.mark.parametrize(
    "fault", ["reset_after", "503_after", "html_after", "truncated", "not_json", "listed_late"]
)
def test_a_create_without_a_good_answer_ends_in_its_one_pod(
    model: LauncherModel, traffic: Traffic, sandbox: SandboxControl, fault: str
) -> None:
    fail(sandbox, fault, times=1)
    launched(model, name="train")
    sandbox.advance(5)
    assert not outcome(model).is_failure, outcome(model)
    assert len(traffic.creates) == 1
    assert names(sandbox) == ["train"]
    eventually(lambda: [pod.name for pod in model.pod_list.pods] == ["train"], "it is among mine")


@pytest.mark.parametrize("fault", ["reset_before", "500_before", "503_before", "html"])
def test_a_create_that_was_looked_for_in_vain_is_said_to_be_billed_if_it_appears(
    opened: Opened, traffic: Traffic, sandbox: SandboxControl, fault: str
) -> None:
    model = summary(opened(settings=lambda: LaunchSettings(settle_s=0.2)), name="train")
    fail(sandbox, fault)
    model.do(model.flow.launch)
    idle(model)
    assert outcome(model).is_failure
    assert "'train' was not created" in outcome(model).text
    assert "It may still appear and be billed" in outcome(model).text
    assert "othing" not in outcome(model).text
    assert outcome(model).may_be_billed
    assert len(traffic.creates) == 1
    assert names(sandbox) == []
    assert model.flow.may_review


def test_where_nobody_can_look_it_says_what_may_be_billed_and_the_next_launch_finds_the_pod(
    opened: Opened, traffic: Traffic, sandbox: SandboxControl
) -> None:
    model = summary(opened(settings=lambda: LaunchSettings(settle_s=0.2)), name="train")
    fail(sandbox, "reset_after", times=1)
    model.pod_list.stop()
    traffic.answer = lambda request: (
        httpx.Response(401) if traffic.creates and request.method == "GET" else None
    )
    model.do(model.flow.launch)
    idle(model)
    assert outcome(model).is_failure
    assert "It may exist and be billed" in outcome(model).text
    assert "Nothing" not in outcome(model).text
    assert names(sandbox) == ["train"]
    traffic.answer = lambda request: None
    model.review()
    idle(model)
    assert model.flow.plan is not None, outcome(model)
    model.do(model.flow.launch)
    idle(model)
    assert outcome(model).text == "'train' already exists. Nothing was created."
    assert any("outcome of the last launch" in told for told in model.flow.notices)
    assert len(traffic.creates) == 1
    assert names(sandbox) == ["train"]


@pytest.mark.parametrize(("status", "said"), [(402, "balance"), (403, "permission"), (422, "field")])
def test_a_refusal_of_the_service_costs_nothing(
    model: LauncherModel, traffic: Traffic, sandbox: SandboxControl, status: int, said: str
) -> None:
    traffic.answer = lambda request: (
        httpx.Response(status, json={"detail": f"no {said}"}) if request.method == "POST" else None
    )
    launched(model, name="train")
    assert outcome(model).is_failure
    assert "othing was created. Nothing is billed." in outcome(model).text
    assert names(sandbox) == []


def test_a_pod_that_turns_out_dearer_is_ended_and_said_to_be(
    model: LauncherModel, traffic: Traffic, sandbox: SandboxControl
) -> None:
    def dearer(request: httpx.Request, answer: Any) -> Any:
        return {**answer, "priceHr": 9.0} if request.method == "POST" and "priceHr" in answer else answer

    summary(model, name="train")
    traffic.change = dearer
    model.do(model.flow.launch)
    idle(model)
    assert outcome(model).is_failure
    assert "turned out to cost $9.00/h" in outcome(model).text
    assert "and was terminated" in outcome(model).text
    assert "Nothing" not in outcome(model).text
    assert names(sandbox) == []

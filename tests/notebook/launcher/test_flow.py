"""The launch flow: one create request, the same as the cell's, and exact messages about billing."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from primepods_magic.api.models import PodDetails
from primepods_magic.notebook.launcher.state.flow import FlowStage, LaunchOutcome, LaunchSettings
from primepods_magic.notebook.launcher.state.model import LauncherModel
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.launching.limits import Limits
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

from .conftest import IDLE_S, Opened, Traffic, chosen, idle, key_of, launched, names, summary

TOKEN = "hf_Qw7Zr9Wm2Tk5Xc8"
OFFERS = ["dc1-H100x1", "vcg-L4x1", "cudo-A5000x1", "NVIDIA H100 spot", "mc-A30x2"]


def outcome(model: LauncherModel) -> LaunchOutcome:
    assert model.flow.outcome is not None
    return model.flow.outcome


def fill_in(model: LauncherModel) -> None:
    """A form in which everything is said."""
    key = model.account.keys[-1].id if model.account.keys else ""
    model.set(name="train ${x}", ssh_key_id=key, auto_restart=True, team="team_id")
    model.do(model.flow.name_variable, "HF_TOKEN")
    model.do(model.flow.add_variable, TOKEN)
    model.do(model.flow.set_password, "a password: 'quoted'")
    idle(model)


@pytest.mark.parametrize("cloud_id", OFFERS)
def test_launching_and_running_the_cell_are_the_same_request(
    opened: Opened, shell: Any, traffic: Traffic, sandbox: SandboxControl, cloud_id: str
) -> None:
    model = opened(shell.user_ns)
    chosen(model, cloud_id)
    fill_in(model)
    if cloud_id.startswith("cudo"):
        model.set(disk=200, vcpus=16, memory=96)
    summary(model, cloud_id).do(model.flow.launch)
    idle(model)
    assert not outcome(model).is_failure
    (by_launcher,) = traffic.creates
    cell = model.cell

    again = shell.run(cell)
    (pod,) = model.connection.client.list_all_pods()
    assert again.id == pod.id
    assert "already exists. Nothing was created" in shell.output.stdout
    shell.run(f"%pods rm {pod.id} -y")

    dry = shell.run(cell.replace("create\n", "create --dry-run\n", 1))
    stars = "***"
    masked = {**by_launcher["pod"], "jupyterPassword": stars}
    masked["envVars"] = [{"key": "HF_TOKEN", "value": stars}]
    assert dry == {**by_launcher, "pod": masked}

    sent: list[dict[str, Any]] = []
    client = shell.magics_manager.registry["PodsMagics"].connection.client
    create = client.session._client._transport.handle_request

    def count(request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and request.url.path.rstrip("/").endswith("/pods"):
            sent.append(httpx.Response(200, content=request.read()).json())
        return create(request)

    client.session._client._transport.handle_request = count
    shell.run(cell)
    assert sent == [by_launcher]
    assert by_launcher["pod"]["name"] == "train ${x}"
    assert by_launcher["pod"]["envVars"] == [{"key": "HF_TOKEN", "value": TOKEN}]
    assert by_launcher["pod"]["jupyterPassword"] == "a password: 'quoted'"


def test_a_pod_that_is_just_this_is_answered_with_and_none_is_created(
    model: LauncherModel, traffic: Traffic, sandbox: SandboxControl
) -> None:
    launched(model, name="train")
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    launched(model, name="train")
    assert outcome(model).text == "'train' already exists. Nothing was created."
    assert len(traffic.creates) == 1
    assert names(sandbox) == ["train"]


def test_a_different_pod_of_the_name_is_told_at_the_name(
    model: LauncherModel, connection: Connection, traffic: Traffic
) -> None:
    launch(gpu="A40_48GB", name="train", connection=connection)
    chosen(model, name="train")
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    idle(model)
    told = model.flow.problems["name"]
    assert "A live pod is called 'train' and differs (gpu is A40_48GB, not L4_24GB)" in told
    assert "Use another name, or terminate that pod below" in told
    assert "--new" not in told
    assert not model.flow.may_review
    model.set(name="other")
    idle(model)
    assert model.flow.may_review
    assert len(traffic.creates) == 1


def test_a_pod_of_the_name_that_has_failed_is_told_with_what_it_may_cost(
    model: LauncherModel, sandbox: SandboxControl
) -> None:
    launched(model, name="train")
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    sandbox.advance(6)
    sandbox.event(str(model.pod_list.pods[0].id), "fail_installation")
    eventually(lambda: model.pod_list.pods[0].has_failed, "it has failed")
    idle(model)
    assert "has failed" in model.flow.problems["name"]
    assert "It may be billed until then" in model.flow.problems["name"]


def test_a_pod_that_came_between_is_found_by_the_launch(
    model: LauncherModel, connection: Connection, traffic: Traffic, sandbox: SandboxControl
) -> None:
    summary(model, name="train")
    # As if between two looks.
    model.pod_list.stop()
    launch(gpu="A40_48GB", name="train", connection=connection)
    model.do(model.flow.launch)
    idle(model)
    assert outcome(model).is_failure
    assert "othing was created" in outcome(model).text
    assert outcome(model).text.endswith("Nothing is billed.")
    assert len(traffic.creates) == 1
    assert names(sandbox) == ["train"]


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(max_price_usd_hr=0.5), "above the ceiling of $0.50/h for one pod (max_price_usd_hr)"),
        (Limits(max_burn_usd_hr=0.9), "above the ceiling of $0.90/h for all pods (max_burn_usd_hr)"),
    ],
    ids=["one pod", "all pods"],
)
def test_a_ceiling_is_told_at_the_price(
    opened: Opened, connection: Connection, traffic: Traffic, limits: Limits, told: str
) -> None:
    launch(gpu="A40_48GB", name="eval", connection=connection)
    model = opened(settings=lambda: LaunchSettings(limits=limits))
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    chosen(model, name="train")
    assert told in model.flow.problems["price"]
    assert "created" not in model.flow.problems["price"]
    model.review()
    idle(model)
    assert model.flow.stage is FlowStage.FORM
    assert len(traffic.creates) == 1
    model.choose(key_of(model, "cudo-A4000x1"))
    idle(model)
    assert model.flow.may_review


def test_an_offer_that_sold_out_meanwhile_is_told_and_the_list_is_taken_anew(
    model: LauncherModel, traffic: Traffic, sandbox: SandboxControl
) -> None:
    summary(model, "dc1-H100x1", name="train")
    total = model.results.total
    sandbox.api.put(
        "/sandbox/offers", json={"cloud_id": "dc1-H100x1", "stock": "Unavailable"}
    ).raise_for_status()
    model.do(model.flow.launch)
    idle(model)
    assert outcome(model).is_failure
    assert "'train' was not created. The nearest offers:" in outcome(model).text
    assert outcome(model).text.endswith("Nothing is billed.")
    assert model.flow.problems["offer"] == "This offer is no longer available. Choose another one."
    assert model.results.total == total - 1
    assert not model.flow.may_review
    assert names(sandbox) == []
    chosen(model, "pc-H100x1")
    assert model.flow.outcome is None
    assert model.flow.may_review


def test_an_offer_that_sold_out_before_the_review_is_told(
    model: LauncherModel, traffic: Traffic, sandbox: SandboxControl
) -> None:
    chosen(model, "dc1-H100x1", name="train")
    sandbox.api.put(
        "/sandbox/offers", json={"cloud_id": "dc1-H100x1", "stock": "Unavailable"}
    ).raise_for_status()
    model.review()
    idle(model)
    assert outcome(model).is_failure
    assert "othing was created" in outcome(model).text
    assert "offer" in model.flow.problems
    assert traffic.creates == []


def test_what_is_typed_after_the_review_takes_the_summary_back(
    model: LauncherModel, traffic: Traffic
) -> None:
    for change in (
        lambda: model.set(name="other"),
        lambda: model.do(model.flow.cancel_review),
        lambda: model.do(model.flow.set_password, "another password"),
        lambda: model.choose(key_of(model, "vcg-L4x1")),
        lambda: model.do(model.flow.name_variable, "A"),
    ):
        summary(model, name="train")
        change()
        model.do(model.flow.launch)
        idle(model)
        assert model.flow.stage is FlowStage.FORM
        assert model.flow.plan is None
        model.do(model.flow.name_variable, "")
    assert traffic.creates == []


def test_what_is_typed_while_it_is_being_checked_is_not_lost(model: LauncherModel, traffic: Traffic) -> None:
    chosen(model, name="train")
    traffic.held = lambda request: "/availability/" in request.url.path
    model.review()
    assert traffic.waiting.wait(IDLE_S)
    model.set(name="other")
    traffic.gate.set()
    idle(model)
    assert model.flow.stage is FlowStage.FORM
    assert "name: other" in model.cell
    assert summary(model).flow.plan is not None
    assert model.flow.plan is not None
    assert model.flow.plan.name == "other"


@pytest.mark.parametrize("how", ["repriced", "variable"])
def test_a_review_ends_although_something_else_has_changed_meanwhile(
    opened: Opened, traffic: Traffic, how: str
) -> None:
    namespace: dict[str, Any] = {"TOKEN": "the first value"}
    model = opened(namespace)
    chosen(model, name="train", env={"TOKEN": "${TOKEN}"})
    traffic.held = lambda request: request.url.path.endswith("/ssh_keys/")
    model.review()
    assert traffic.waiting.wait(IDLE_S)
    if how == "variable":
        namespace["TOKEN"] = "another value"
    else:
        traffic.change = repriced
        model.refresh()
        eventually(lambda: model.flow.selected and model.flow.selected.price_usd_hr == 0.71, "it is dearer")
    assert model.wait_until_read(IDLE_S)
    traffic.gate.set()
    idle(model)
    assert model.flow.stage is not FlowStage.CHECKING


def repriced(request: httpx.Request, answer: Any) -> Any:
    if "/availability/" in request.url.path:
        for row in answer["items"]:
            if row["cloudId"] == "vcg-L4x1":
                row["prices"]["onDemand"] = 0.71
    return answer


def test_a_newer_price_takes_the_summary_back_and_is_the_one_that_is_agreed_to(
    model: LauncherModel, traffic: Traffic
) -> None:
    summary(model, name="train")
    traffic.change = repriced
    model.refresh()
    idle(model)
    assert model.flow.stage is FlowStage.FORM
    assert "max_price: 0.71" in model.cell
    assert summary(model).flow.plan is not None
    assert model.flow.plan is not None
    assert model.flow.plan.spec.max_price == 0.71


def test_a_variable_is_added_when_it_has_a_name_and_a_value(opened: Opened) -> None:
    namespace: dict[str, Any] = {}
    model = chosen(opened(namespace), name="train")
    flow = model.flow
    for name, value, told in (("2ND", "", "do not begin with a digit"), ("A", "", "Now enter its value.")):
        model.do(flow.name_variable, name)
        if value:
            model.do(flow.add_variable, value)
        idle(model)
        assert told in flow.problems["env"]
        assert not flow.may_review
    model.do(flow.add_variable, TOKEN)
    idle(model)
    assert flow.form.env == {"A": "${A}"}
    assert "env" not in flow.problems
    assert namespace["A"].get_secret_value() == TOKEN
    model.do(flow.add_variable, "a value first")
    idle(model)
    assert "Enter a name for the variable first." in flow.problems["env"]
    assert set(namespace) == {"A"}
    model.do(flow.name_variable, "")
    model.do(flow.remove_variable, "A")
    idle(model)
    assert flow.form.env == {}
    assert flow.may_review


def test_a_variable_that_there_is_not_is_told(model: LauncherModel) -> None:
    chosen(model, name="train", env={"A": "${NO_SUCH_VARIABLE}"})
    assert "NO_SUCH_VARIABLE" in model.flow.problems["spec"]
    assert not model.flow.may_review


def test_an_existing_plan_creates_nothing(
    model: LauncherModel, traffic: Traffic, sandbox: SandboxControl
) -> None:
    launched(model, name="train")
    summary(model, name="train")
    assert model.flow.plan is not None
    assert isinstance(model.flow.plan.existing, PodDetails)

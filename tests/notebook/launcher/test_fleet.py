"""Pods of mine: their logs, their end, and what cannot be done told where it was tried."""

from __future__ import annotations

import httpx
import pytest

from primepods_magic.notebook.launcher.state.model import LauncherModel
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

from .conftest import Opened, Traffic, idle, names


@pytest.fixture
def pod_id(model: LauncherModel, connection: Connection) -> str:
    pod = launch(gpu="L4_24GB", name="train", connection=connection)
    eventually(lambda: model.fleet.pods, "the pod is seen")
    return pod.id


def test_a_pod_that_is_launched_elsewhere_joins_the_others(
    model: LauncherModel, connection: Connection
) -> None:
    for name in ("one", "two"):
        launch(gpu="L4_24GB", name=name, connection=connection)
    eventually(lambda: {pod.name for pod in model.fleet.pods} == {"one", "two"}, "both are there")


def test_a_pod_is_ended_only_where_that_was_asked_and_agreed_to(
    model: LauncherModel, pod_id: str, sandbox: SandboxControl
) -> None:
    model.do(model.fleet.end, pod_id)
    model.do(model.fleet.ask, "another")
    model.do(model.fleet.end, "another")
    idle(model)
    assert names(sandbox) == ["train"]
    model.do(model.fleet.ask, pod_id)
    idle(model)
    assert pod_id in model.fleet.asking
    model.do(model.fleet.end, pod_id)
    idle(model)
    assert names(sandbox) == []
    assert pod_id not in model.fleet.asking | model.fleet.ending


def test_an_end_that_is_refused_is_told_at_the_pod_and_can_be_tried_again(
    model: LauncherModel, pod_id: str, traffic: Traffic, sandbox: SandboxControl
) -> None:
    traffic.answer = lambda request: (
        httpx.Response(403, json={"detail": "not yours"}) if request.method == "DELETE" else None
    )
    model.do(model.fleet.ask, pod_id)
    model.do(model.fleet.end, pod_id)
    idle(model)
    assert model.fleet.refusals[pod_id].startswith("not ended: ")
    assert model.fleet.ended == ()
    assert names(sandbox) == ["train"]
    traffic.answer = lambda request: None
    model.do(model.fleet.ask, pod_id)
    idle(model)
    assert model.fleet.refusals == {}
    model.do(model.fleet.end, pod_id)
    idle(model)
    assert model.fleet.ended[0].outcome == "terminated"


def test_logs_that_cannot_be_read_are_told_at_the_pod_and_come_later(
    model: LauncherModel, pod_id: str, traffic: Traffic
) -> None:
    traffic.answer = lambda request: (
        httpx.Response(403, json={"detail": "no"}) if "/log" in request.url.path else None
    )
    model.do(model.fleet.show_logs, pod_id)
    idle(model)
    assert model.fleet.refusals[pod_id].startswith("the logs cannot be read: ")
    traffic.answer = lambda request: None
    model.do(model.fleet.show_logs, pod_id)
    idle(model)
    assert model.fleet.logs[pod_id]
    assert model.fleet.refusals == {}


def test_a_pod_that_was_taken_back_is_told_of_and_its_logs_are_put_away(
    model: LauncherModel, pod_id: str, sandbox: SandboxControl
) -> None:
    model.do(model.fleet.show_logs, pod_id)
    idle(model)
    sandbox.event(pod_id, "reclaim")
    sandbox.advance(600)
    eventually(lambda: model.fleet.pods and str(model.fleet.pods[0].status) == "TERMINATED", "it is gone")
    idle(model)
    assert model.fleet.logs == {}
    assert model.fleet.ended == ()


def test_a_wallet_that_could_not_be_read_is_asked_for_again(opened: Opened, traffic: Traffic) -> None:
    traffic.answer = lambda request: (
        httpx.Response(403) if request.url.path.rstrip("/").endswith("/history") else None
    )
    model = opened()
    assert model.account.is_identified
    assert model.fleet.wallet(None) is None
    traffic.answer = lambda request: None
    model.refresh()
    idle(model)
    assert model.fleet.wallet(None) is not None


def test_a_refresh_begins_to_watch_again_after_a_passing_refusal(
    model: LauncherModel, connection: Connection, traffic: Traffic
) -> None:
    eventually(lambda: model.fleet.snapshot, "pods are watched")
    traffic.answer = lambda request: httpx.Response(401) if "/pods" in request.url.path else None
    model.do(model.fleet.look_soon)
    eventually(lambda: model.fleet._watch and model.fleet._watch.has_ended, "the watch is given up")
    traffic.answer = lambda request: None
    model.refresh()
    launch(gpu="L4_24GB", name="train", connection=connection)
    eventually(lambda: model.fleet.pods, "the pod is seen", within=2)

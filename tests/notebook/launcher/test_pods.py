"""The list of pods: logs, termination, and errors shown at the pod."""

from __future__ import annotations

import httpx
import pytest

from primepods_magic.notebook.launcher.state.model import LauncherModel
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

from .conftest import Opened, Traffic, idle, launched, names


@pytest.fixture
def pod_id(model: LauncherModel, connection: Connection) -> str:
    pod = launch(gpu="L4_24GB", name="train", connection=connection)
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    return pod.id


def test_lists_pods_launched_elsewhere(
    model: LauncherModel, connection: Connection, sandbox: SandboxControl
) -> None:
    for name in ("one", "two"):
        launch(gpu="L4_24GB", name=name, connection=connection)
        sandbox.advance(5)
    eventually(lambda: [pod.name for pod in model.pod_list.pods] == ["two", "one"], "the newest is first")


def test_terminates_only_after_confirmation(
    model: LauncherModel, pod_id: str, sandbox: SandboxControl
) -> None:
    model.do(model.pod_list.terminate, pod_id)
    model.do(model.pod_list.request_termination, "another")
    model.do(model.pod_list.terminate, "another")
    idle(model)
    assert names(sandbox) == ["train"]
    model.do(model.pod_list.request_termination, pod_id)
    idle(model)
    assert pod_id in model.pod_list.confirming
    model.do(model.pod_list.terminate, pod_id)
    idle(model)
    assert names(sandbox) == []
    assert pod_id not in model.pod_list.confirming | model.pod_list.terminating


def test_shows_a_failed_termination_and_retries_it(
    model: LauncherModel, pod_id: str, traffic: Traffic, sandbox: SandboxControl
) -> None:
    traffic.answer = lambda request: (
        httpx.Response(403, json={"detail": "not yours"}) if request.method == "DELETE" else None
    )
    model.do(model.pod_list.request_termination, pod_id)
    model.do(model.pod_list.terminate, pod_id)
    idle(model)
    assert model.pod_list.errors[pod_id].startswith("Not terminated: ")
    assert model.pod_list.terminated == ()
    assert names(sandbox) == ["train"]
    traffic.answer = lambda request: None
    model.do(model.pod_list.request_termination, pod_id)
    idle(model)
    assert model.pod_list.errors == {}
    model.do(model.pod_list.terminate, pod_id)
    idle(model)
    assert model.pod_list.terminated[0].outcome == "terminated"


def test_shows_unreadable_logs_and_retries_them(model: LauncherModel, pod_id: str, traffic: Traffic) -> None:
    traffic.answer = lambda request: (
        httpx.Response(403, json={"detail": "no"}) if "/log" in request.url.path else None
    )
    model.do(model.pod_list.toggle_logs, pod_id)
    idle(model)
    assert model.pod_list.errors[pod_id].startswith("Could not read the logs: ")
    traffic.answer = lambda request: None
    model.do(model.pod_list.toggle_logs, pod_id)
    idle(model)
    assert model.pod_list.logs[pod_id]
    assert model.pod_list.errors == {}


def test_keeps_a_reclaimed_pod_without_its_logs_if_it_was_launched_here(
    model: LauncherModel, connection: Connection, sandbox: SandboxControl
) -> None:
    launched(model, name="train")
    pod_id = model.flow.outcome.pod_id if model.flow.outcome else ""
    other = launch(gpu="L4_24GB", name="other", connection=connection)
    eventually(lambda: len(model.pod_list.pods) == 2, "both are seen")
    model.do(model.pod_list.toggle_logs, pod_id)
    idle(model)
    for ended in (pod_id, other.id):
        sandbox.event(ended, "reclaim")
    sandbox.advance(600)
    eventually(
        lambda: [(pod.id, pod.status) for pod in model.pod_list.pods] == [(pod_id, "TERMINATED")],
        "one is gone, and the other is shown as it ended",
    )
    idle(model)
    assert model.pod_list.logs == {}
    assert model.pod_list.terminated == ()


def test_rereads_a_wallet_after_a_failure(opened: Opened, traffic: Traffic) -> None:
    traffic.answer = lambda request: (
        httpx.Response(403) if request.url.path.rstrip("/").endswith("/history") else None
    )
    model = opened()
    assert model.account.is_identified
    assert model.pod_list.wallet(None) is None
    traffic.answer = lambda request: None
    model.refresh()
    idle(model)
    assert model.pod_list.wallet(None) is not None


def test_refresh_watches_again_after_a_temporary_refusal(
    model: LauncherModel, connection: Connection, traffic: Traffic
) -> None:
    eventually(lambda: model.pod_list.snapshot, "pods are watched")
    traffic.answer = lambda request: httpx.Response(401) if "/pods" in request.url.path else None
    model.do(model.pod_list.poll_soon)
    eventually(lambda: model.pod_list._watch and model.pod_list._watch.has_ended, "the watch is given up")
    traffic.answer = lambda request: None
    model.refresh()
    launch(gpu="L4_24GB", name="train", connection=connection)
    eventually(lambda: model.pod_list.pods, "the pod is seen", within=2)

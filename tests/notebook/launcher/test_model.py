"""A complete journey without widgets: find, configure, review, launch, watch, and terminate."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx

from primepods_magic.notebook.launcher.state.flow import FlowStage, LaunchSettings
from primepods_magic.notebook.launcher.state.formatting import format_wallet
from primepods_magic.notebook.launcher.state.model import LauncherModel
from tests.support.sandbox_control import READ_KEY, SandboxControl
from tests.support.waiting import eventually

from .conftest import DESK, Connected, Opened, Traffic, chosen, idle, key_of, launched, names, summary

JOURNEY = """
import sys
from primepods_magic.notebook.launcher.state.model import LauncherModel
from primepods_magic.notebook.launcher.state.offers import OfferKey
from primepods_magic.notebook.launcher.view.static import launcher_static_html, launcher_static_text
from primepods_magic.pods.connection.current import connect, disconnect

connection = connect(sandbox=True)
model = LauncherModel(connection, {})
model.open()
assert model.wait_until_idle(20)
model.filter(gpu="L4_24GB")
assert model.wait_until_idle(20)
model.choose(OfferKey.of(model.results.rows[0].offer))
model.set(name="train")
model.review()
assert model.wait_until_idle(20)
model.do(model.flow.launch)
assert model.wait_until_idle(20)
while not model.pod_list.pods:
    model.do(model.pod_list.poll_soon)
    model.wait_until_idle(1)
(pod,) = model.pod_list.pods
model.do(model.pod_list.toggle_logs, pod.id)
model.do(model.pod_list.request_termination, pod.id)
model.do(model.pod_list.terminate, pod.id)
assert model.wait_until_idle(20)
assert "train" in launcher_static_text(model) and "train" in launcher_static_html(model)
model.close()
disconnect()
print(*(name for name in ("ipywidgets", "pandas", "IPython") if name in sys.modules))
print(model.pod_list.terminated[0].outcome)
"""


def test_a_whole_journey_needs_no_widgets_and_no_frames(sandbox: SandboxControl) -> None:
    environment = {**os.environ, "PRIMEPODS_SANDBOX_URL": sandbox.url}
    command = [sys.executable, "-W", "error", "-c", JOURNEY]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, cwd=Path.cwd()
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["", "terminated"]


def test_from_a_mistyped_filter_to_a_pod_and_its_end(
    model: LauncherModel, traffic: Traffic, sandbox: SandboxControl
) -> None:
    model.filter(gpu="h10O")
    idle(model)
    assert "did you mean 'H100'?" in model.results.problems["gpu"]
    assert (model.results.rows, model.results.total) == ((), 0)
    model.filter(gpu="H100", location="FI", count=1)
    idle(model)
    (row,) = model.results.rows
    assert (row.offer.provider, row.price_usd_hr) == ("datacrunch", 2.65)

    chosen(model, "dc1-H100x1", name="train", disk=300)
    assert model.flow.quote is not None
    assert round(model.flow.quote.price_usd_hr, 6) == 2.664
    assert model.flow.may_review
    summary(model, "dc1-H100x1")
    assert model.flow.stage is FlowStage.SUMMARY
    assert model.flow.plan is not None
    assert "datacrunch (FIN-01, FI): $2.66/h" in str(model.flow.plan.quote)
    assert traffic.creates == []

    assert model.pod_list.wallet(None) is not None
    assert format_wallet(model.pod_list.wallet(None)).startswith("Your wallet: $0.04/h now")
    for _ in range(3):
        model.do(model.flow.launch)
    idle(model)
    assert len(traffic.creates) == 1
    assert names(sandbox) == ["train"]
    assert model.flow.outcome is not None
    assert not model.flow.outcome.is_failure
    assert "Launched 'train' at $2.66/h" in model.flow.outcome.text
    assert model.flow.stage is FlowStage.FORM
    assert model.flow.name_hint == "You already have this pod. Launching returns it."

    eventually(lambda: [pod.name for pod in model.pod_list.pods] == ["train"], "the pod is among mine")
    (pod,) = model.pod_list.pods
    pod_id = str(pod.id)
    assert not pod.is_ready

    model.do(model.pod_list.toggle_logs, pod_id)
    idle(model)
    first = model.pod_list.logs[pod_id]
    sandbox.advance(600)
    eventually(lambda: model.pod_list.pods[0].is_ready, "the pod is ready")
    eventually(
        lambda: "$2.70/h now" in format_wallet(model.pod_list.wallet(None)), "the wallet tells what it costs"
    )
    eventually(lambda: model.pod_list.logs[pod_id] not in ("", first), "the logs go on by themselves")
    model.do(model.pod_list.toggle_logs, pod_id)
    idle(model)
    assert model.pod_list.logs == {}

    model.do(model.pod_list.terminate, pod_id)
    idle(model)
    assert names(sandbox) == ["train"]
    model.do(model.pod_list.request_termination, pod_id)
    model.do(model.pod_list.cancel_termination, pod_id)
    model.do(model.pod_list.terminate, pod_id)
    idle(model)
    assert names(sandbox) == ["train"]
    model.do(model.pod_list.request_termination, pod_id)
    for _ in range(2):
        model.do(model.pod_list.terminate, pod_id)
    idle(model)
    assert names(sandbox) == []
    assert len([asked for asked in traffic.asked if asked.startswith("DELETE")]) == 1
    (removal,) = model.pod_list.terminated
    assert (removal.name, removal.outcome) == ("train", "terminated")
    assert removal.billed_usd is not None
    assert removal.billed_usd > 0
    assert model.flow.outcome is None
    eventually(lambda: not model.pod_list.pods, "it is told of once")


def test_every_method_returns_while_the_service_is_held_back(
    model: LauncherModel, traffic: Traffic, sandbox: SandboxControl
) -> None:
    launched(model, name="train")
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    pod_id = str(model.pod_list.pods[0].id)
    traffic.held = lambda request: True
    shown: list[bool] = []
    model.listen(lambda: shown.append(model.is_current_thread))
    model.refresh()
    model.filter(gpu="H100")
    model.clear_filters()
    model.choose(key_of(model, "dc1-H100x1"))
    model.set(name="other")
    model.do(model.flow.name_variable, "HF_TOKEN")
    model.do(model.flow.add_variable, "hf_Qw7Zr9Wm2Tk5Xc8")
    model.review()
    for action in (model.pod_list.toggle_logs, model.pod_list.request_termination, model.pod_list.terminate):
        model.do(action, pod_id)
    assert model.wait_until_read(10)
    assert "name: other" in model.cell
    assert traffic.waiting.wait(10)
    assert not traffic.gate.is_set()
    assert model.is_loading
    assert model.flow.stage is FlowStage.CHECKING
    assert model.pod_list.terminating == {pod_id}
    assert model.pod_list.logs[pod_id] == ""
    assert not model.wait_until_idle(0.05)
    assert set(shown) == {True}
    traffic.gate.set()
    idle(model)
    assert not model.is_loading
    assert model.flow.stage is FlowStage.SUMMARY
    assert names(sandbox) == []


def test_nothing_is_asked_and_no_thread_is_left_after_the_end(
    opened: Opened, traffic: Traffic, no_leaks: None
) -> None:
    model = opened()
    launched(model, name="train")
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    model.close()
    assert DESK not in [thread.name for thread in threading.enumerate()]
    model.connection.poller.stop()
    asked = len(traffic.asked)
    model.refresh()
    model.filter(gpu="H100")
    model.review()
    model.do(model.flow.launch)
    model.do(model.pod_list.poll_soon)
    model.close()
    assert model.wait_until_idle(0)
    assert len(traffic.asked) == asked
    model.connection.close()


def test_the_watch_ends_with_the_launcher(model: LauncherModel) -> None:
    assert len(model.connection.poller._watches) == 1
    model.close()
    assert model.connection.poller._watches == []
    eventually(
        lambda: "primepods-watch" not in [thread.name for thread in threading.enumerate()],
        "nobody looks any more",
    )


def test_what_waited_for_its_turn_begins_no_watch_after_the_end(
    opened: Opened, connected: Connected, traffic: Traffic
) -> None:
    traffic.held = lambda request: request.url.path.endswith("/whoami")
    model = LauncherModel(connected(traffic), {})
    model.open()
    assert traffic.waiting.wait(10)
    busy, go_on = threading.Event(), threading.Event()
    model.do(lambda: (busy.set(), go_on.wait(10)))
    assert busy.wait(10)
    traffic.gate.set()
    eventually(
        lambda: "primepods-background" not in [thread.name for thread in threading.enumerate()],
        "the account has been read",
    )
    closing = threading.Thread(target=model.close)
    closing.start()
    eventually(lambda: model._worker._is_closed, "it is being closed")
    go_on.set()
    closing.join(10)
    eventually(
        lambda: "primepods-watch" not in [thread.name for thread in threading.enumerate()],
        "nobody watches any more",
    )


def test_a_key_that_may_only_read_is_told_and_launches_nothing(
    opened: Opened, connected: Connected, traffic: Traffic, sandbox: SandboxControl
) -> None:
    model = opened(through=connected(traffic, key=READ_KEY))
    chosen(model, name="train")
    assert model.results.total > 0
    assert model.flow.problems == {"account": "This key is read-only. It cannot launch or terminate pods."}
    assert model.flow.spec is not None
    assert not model.flow.may_review
    model.review()
    idle(model)
    assert model.flow.stage is FlowStage.FORM
    assert not [asked for asked in traffic.asked if not asked.startswith("GET")]


def test_without_a_network_it_says_so_and_a_refresh_brings_everything_back(
    opened: Opened, traffic: Traffic
) -> None:
    traffic.is_down = True
    model = opened()
    assert model.offers_error
    assert not model.is_loading
    assert not model.account.is_identified
    eventually(
        lambda: model.pod_list.snapshot and model.pod_list.snapshot.trouble, "the watch says so as well"
    )
    chosen_before = (model.offer_list.taken_at, model.results.total)
    assert chosen_before == (None, 0)
    traffic.is_down = False
    model.refresh()
    idle(model)
    assert model.offers_error == ""
    assert model.results.total > 0
    assert model.account.person == "Ada Lovelace"
    eventually(lambda: model.pod_list.snapshot and not model.pod_list.snapshot.trouble, "pods are watched")
    assert model.pod_list.wallet(None) is not None


def test_an_account_that_could_not_be_read_is_asked_for_again(opened: Opened, traffic: Traffic) -> None:
    traffic.answer = lambda request: (
        httpx.Response(500) if request.url.path.endswith(("/whoami", "/teams")) else None
    )
    model = opened()
    assert model.offers_error == ""
    assert not model.account.is_identified
    traffic.answer = lambda request: None
    model.refresh()
    idle(model)
    assert model.account.is_identified
    assert model.pod_list.wallet(None) is not None


def test_everything_comes_back_by_itself_where_the_service_does(opened: Opened, traffic: Traffic) -> None:
    traffic.is_down = True
    model = opened()
    eventually(lambda: model.pod_list.snapshot and model.pod_list.snapshot.trouble, "the watch says so")
    traffic.is_down = False
    eventually(lambda: model.results.total and model.account.is_identified, "all is known")
    assert model.offers_error == ""


def test_a_connection_that_was_closed_is_told_and_launches_nothing(model: LauncherModel) -> None:
    chosen(model, name="train")
    assert model.flow.may_review
    model.connection.close()
    eventually(lambda: "account" in model.flow.problems, "it is told")
    assert "Run the cell again" in model.flow.problems["account"]
    assert not model.flow.may_review


def test_an_old_list_stays_where_no_newer_one_comes(model: LauncherModel, traffic: Traffic) -> None:
    total, taken_at = model.results.total, model.offer_list.taken_at
    chosen(model, name="train")
    traffic.is_down = True
    model.refresh()
    idle(model)
    assert model.offers_error
    assert (model.results.total, model.offer_list.taken_at) == (total, taken_at)
    assert "name: train" in model.cell
    eventually(
        lambda: model.pod_list.snapshot and model.pod_list.snapshot.trouble, "the watch says so as well"
    )
    traffic.is_down = False
    model.refresh()
    idle(model)
    assert model.offers_error == ""
    eventually(lambda: model.pod_list.snapshot and not model.pod_list.snapshot.trouble, "the watch goes on")


def test_filters_are_taken_back_together(model: LauncherModel) -> None:
    everything = model.results
    model.filter(gpu="H100", is_spot=True, max_price="1")
    model.clear_filters()
    idle(model)
    assert model.results == everything
    assert model.filter_changes == 1


def test_without_a_choice_there_is_no_cell_and_nothing_to_review(
    model: LauncherModel, traffic: Traffic
) -> None:
    model.review()
    model.do(model.flow.launch)
    idle(model)
    assert model.cell == ""
    assert not model.flow.may_review
    chosen(model)
    assert model.cell.startswith("%%pod_create\n")
    model.choose(None)
    idle(model)
    assert model.cell == ""
    assert traffic.creates == []


def test_the_settings_of_the_notebook_hold(opened: Opened) -> None:
    settings = LaunchSettings(default_image="cuda_12_6_pytorch_2_7", default_team="team_id")
    model = chosen(opened(settings=lambda: settings), "dc1-H100x1")
    assert model.flow.spec is not None
    assert (model.flow.spec.image, model.flow.spec.team) == ("cuda_12_6_pytorch_2_7", "team_id")
    chosen(model, "vcg-L4x1")
    assert model.flow.spec.image == "ubuntu_22_cuda_12"


def test_a_listener_that_fails_stops_nothing(model: LauncherModel) -> None:
    tries: list[str] = []

    def fail() -> None:
        tries.append(model.filters.gpu)
        raise ValueError("cannot be drawn")

    model.listen(fail)
    model.filter(gpu="H100")
    idle(model)
    model.filter(gpu="L40S")
    idle(model)
    assert tries[-2:] == ["H100", "L40S"]
    assert {row.offer.gpu_type for row in model.results.rows} == {"L40S_48GB"}

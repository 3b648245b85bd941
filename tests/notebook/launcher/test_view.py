"""The launcher's widgets, driven as a front end does: no secret and no widget is left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import pytest
from ipywidgets.widgets import widget as widget_module

from primepods_magic.notebook.launcher.state.flow import FlowStage
from primepods_magic.notebook.launcher.state.model import LauncherModel
from primepods_magic.notebook.launcher.view.app import LauncherView
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually

from .conftest import Traffic, idle, key_of, names

SECRET, PASSWORD = "hf_Qw7Zr9Wm2Tk5Xc8", "correct-horse-battery"


def open_widgets() -> dict[str, Any]:
    """All widgets that are not closed, by id."""
    return dict(widget_module._instances)


@pytest.fixture
def view(model: LauncherModel) -> Iterator[LauncherView]:
    before = set(open_widgets())
    view = LauncherView(model, "x", lambda: None)
    model.listen(view.render)
    idle(model)
    yield view
    model.close()
    view.settle()
    view.close()
    assert set(open_widgets()) == before


Control = Callable[[str], Any]


@pytest.fixture
def control(view: LauncherView) -> Control:
    def find(description: str) -> Any:
        shown = (
            one
            for one in open_widgets().values()
            if getattr(one, "description", "") == description and "primepods-hidden" not in one._dom_classes
        )
        return next(shown)

    return find


def typed(control: Any, value: Any) -> None:
    """As the front end says it."""
    control.set_state({"value": value})


def chosen(model: LauncherModel, control: Control, gpu: str = "L4_24GB") -> None:
    typed(control("GPU type"), gpu)
    idle(model)
    control("Offers").set_state({"index": 0})
    idle(model)
    assert model.flow.selected is not None


def test_what_is_typed_reaches_the_model_and_what_the_model_says_is_shown(
    model: LauncherModel, control: Control
) -> None:
    chosen(model, control, "H100_80GB")
    typed(control("Name"), "train")
    typed(control("Disk (GB)"), 205)
    idle(model)
    assert model.flow.form.name == "train"
    assert model.flow.problems == {"disk": "disk goes in steps of 10"}
    assert control("Review and launch …").disabled
    assert any(
        "disk goes in steps of 10" in str(getattr(one, "value", "")) for one in open_widgets().values()
    )
    typed(control("Disk (GB)"), 210)
    idle(model)
    assert not control("Review and launch …").disabled
    assert control("Equivalent cell").value == model.cell
    control("Review and launch …").click()
    idle(model)
    assert any("Disk: 210 GB" in str(getattr(one, "value", "")) for one in open_widgets().values())


def test_nothing_that_the_launcher_changes_counts_as_typed(model: LauncherModel, control: Control) -> None:
    chosen(model, control)
    form, filters = model.flow.form, model.filters
    model.refresh()
    model.choose(key_of(model, "vcg-L4x1"))
    idle(model)
    assert (model.flow.form, model.filters) == (form, filters)
    model.clear_filters()
    idle(model)
    assert control("GPU type").value == ""
    assert model.results.total > 50


def test_no_secret_stays_in_a_widget(model: LauncherModel, control: Control) -> None:
    chosen(model, control)
    control("Show more settings: variables, password, disks, team").click()
    idle(model)
    typed(control("Environment variable"), "HF_TOKEN")
    typed(control("Value"), SECRET)
    typed(control("Jupyter password"), PASSWORD)
    idle(model)
    assert model.flow.form.env == {"HF_TOKEN": "${HF_TOKEN}"}
    assert control("Value").value == control("Jupyter password").value == ""
    states = repr([one.get_state() for one in open_widgets().values()])
    for secret in (SECRET, PASSWORD):
        assert secret not in states
    assert not control("Value").trait_metadata("value", "echo_update")


def test_two_clicks_on_launch_rent_one_pod(
    model: LauncherModel, control: Control, traffic: Traffic, sandbox: SandboxControl
) -> None:
    chosen(model, control)
    typed(control("Name"), "train")
    control("Review and launch …").click()
    idle(model)
    assert model.flow.stage is FlowStage.SUMMARY
    launch = control("Launch for $0.69/h")
    launch.click()
    assert launch.disabled
    launch.click()
    idle(model)
    assert names(sandbox) == ["train"]
    assert len(traffic.creates) == 1


def test_a_pod_is_ended_by_two_buttons_and_its_widgets_go_with_it(
    model: LauncherModel, control: Control, sandbox: SandboxControl
) -> None:
    before = len(open_widgets())
    chosen(model, control)
    typed(control("Name"), "train")
    idle(model)
    control("Review and launch …").click()
    idle(model)
    control("Launch for $0.69/h").click()
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    idle(model)
    with_pod = len(open_widgets())
    control("Terminate …").click()
    idle(model)
    assert names(sandbox) == ["train"]
    control("Terminate it").click()
    eventually(lambda: names(sandbox) == [], "it is ended")
    idle(model)
    assert before < len(open_widgets()) < with_pod
    assert isinstance(control("Refresh"), ipywidgets.Button)

"""The static state in a saved notebook: complete, escaped, and without secrets."""

from __future__ import annotations

import threading
from html import escape
from typing import Any

import httpx

from primepods_magic.notebook.launcher import Launcher
from primepods_magic.notebook.launcher.state.model import LauncherModel
from primepods_magic.notebook.launcher.view.static import (
    connection_html,
    connection_text,
    launcher_static_html,
    launcher_static_text,
)
from primepods_magic.pods.launching.launch import launch
from tests.support.sandbox_control import READ_KEY, SandboxControl
from tests.support.secrets import Search
from tests.support.waiting import eventually

from .conftest import DESK, Connected, Opened, Traffic, chosen, idle, is_create, launched, summary

EVIL = '<img src=x onerror="alert(1)">\n\x1b[31m$x$\u202e'
SECRETS = {"the token": "wäB-'u4\"N6\\p0$e{x}9?Rt<Gy>7Kq2", "the password": "jup-Fz3Cq8Ls5Dn1Gv7Tb4Xk9Wm6"}


def test_both_tell_place_offers_choice_outcome_pods_money_and_the_cell(model: LauncherModel) -> None:
    launched(model, name="train")
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    eventually(lambda: model.pod_list.wallet(None), "the wallet is read")
    told = [
        "SANDBOX: pods are simulated, nothing is billed · Ada Lovelace",
        f"{model.results.total} offers, ",
        "Selected: 1 × L4_24GB at vultr (ap-northeast-1, JP), $0.69/h",
        "Launched 'train' at $0.69/h",
        "Your wallet: ",
        "%%pod_create",
        "cloud_id: vcg-L4x1",
        "max_price: 0.69",
    ]
    text, html = launcher_static_text(model), launcher_static_html(model).replace("<span>$</span>", "$")
    for words in told:
        assert words in text
        assert escape(words) in html
    assert text.count("train") >= 3
    assert any(state in text for state in ("provisioning", "starting", "active"))


def test_a_notebook_without_ipython_gets_the_state_of_the_moment_once(
    connected: Connected, traffic: Traffic
) -> None:
    """marimo asks an object for its HTML, and shows no widget."""
    connection = connected(traffic)
    launch(connection=connection, gpu="L4_24GB", name="train")
    launcher = Launcher(connection)
    html = launcher._repr_html_()
    assert "SANDBOX: pods are simulated, nothing is billed · Ada Lovelace" in html
    assert "125 offers, " in html
    assert "list_offers(), launch(), list_pods() and pod.terminate()" in html
    assert "train" in html
    assert DESK not in [thread.name for thread in threading.enumerate()]
    asked = len(traffic.asked)
    assert launcher._repr_html_() == html
    assert len(traffic.asked) == asked


def test_before_anything_is_known_it_says_where_it_is(opened: Opened, traffic: Traffic) -> None:
    traffic.is_down = True
    model = opened()
    lines = launcher_static_text(model).splitlines()
    assert lines[0].startswith("primepods_magic launcher · SANDBOX")
    assert lines[1].startswith("Could not list offers: ")
    assert len(lines) == 2


def test_an_end_is_told_with_what_it_cost(model: LauncherModel, sandbox: SandboxControl) -> None:
    launched(model, name="train")
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    sandbox.advance(3600)
    eventually(lambda: model.pod_list.pods[0].is_ready, "it is ready")
    pod_id = str(model.pod_list.pods[0].id)
    model.do(model.pod_list.request_termination, pod_id)
    model.do(model.pod_list.terminate, pod_id)
    idle(model)
    assert "train: terminated, $" in launcher_static_text(model)
    assert "Launched" not in launcher_static_text(model)


def test_a_key_that_may_only_read_is_told_at_the_place(
    opened: Opened, connected: Connected, traffic: Traffic
) -> None:
    model = opened(through=connected(traffic, key=READ_KEY))
    assert "this key is read-only" in connection_html(model)
    assert connection_text(model).startswith("SANDBOX")


def hostile(request: httpx.Request, answer: Any) -> Any:
    """Everything that the service calls anything, evil."""
    names = (
        "name",
        "gpuName",
        "providerType",
        "installationFailure",
        "cloudId",
        "provider",
        "country",
        "socket",
    )

    def spoil(thing: Any) -> Any:
        if isinstance(thing, list):
            return [spoil(item) for item in thing]
        if not isinstance(thing, dict):
            return thing
        return {
            key: f"{value}{EVIL}" if key in names and isinstance(value, str) else spoil(value)
            for key, value in thing.items()
        }

    return answer if is_create(request) else spoil(answer)


def test_nothing_from_the_service_is_mark_up_or_moves_anything(
    opened: Opened, traffic: Traffic, sandbox: SandboxControl
) -> None:
    model = opened()
    launched(model, name="train")
    traffic.change = hostile
    model.refresh()
    idle(model)
    eventually(lambda: any("onerror" in str(pod.name) for pod in model.pod_list.pods), "the pod is spoilt")
    pod_id = str(model.pod_list.pods[0].id)
    model.do(model.pod_list.request_termination, pod_id)
    model.do(model.pod_list.terminate, pod_id)
    idle(model)
    model.choose(None)
    idle(model)
    assert model.pod_list.terminated
    text, html = launcher_static_text(model), launcher_static_html(model)
    assert "onerror" in text
    assert "<img" not in html
    assert "&lt;img" in html
    for shown in (text, html):
        assert not set(shown) & set("\x1b\u202e")
    assert "$x$" not in html


def test_a_cell_cannot_be_made_to_look_like_another(opened: Opened, traffic: Traffic) -> None:
    traffic.change = hostile
    model = opened()
    model.choose(next(iter(map(_key, model.offer_list.listed))))
    idle(model)
    assert model.cell
    assert "\u202e" not in launcher_static_text(model)
    assert "\u202e" not in launcher_static_html(model)


def _key(row: Any) -> Any:
    from primepods_magic.notebook.launcher.state.offers import OfferKey

    return OfferKey.of(row.offer)


def test_no_secret_is_told_anywhere(opened: Opened, traffic: Traffic, sandbox: SandboxControl) -> None:
    namespace: dict[str, Any] = {}
    model = opened(namespace)
    search = Search(SECRETS)

    def look(when: str) -> None:
        flow = model.flow
        for name, thing in {
            "the flow": (flow.form, flow.spec, flow.plan, flow.outcome, flow.notices, flow.problems),
            "the texts": (flow.name_hint, flow.body, flow.quote, str(flow.plan), str(flow.spec)),
            "the pods": (model.pod_list.snapshot, model.pod_list.errors, model.pod_list.terminated),
            "the model": (model, model.account, model.offer_list, model.results, model.offers_error),
            "the notebook": namespace,
        }.items():
            search.look(f"{name} {when}", repr(thing))
        search.look(f"the text {when}", launcher_static_text(model))
        search.look(f"the HTML {when}", launcher_static_html(model))
        search.look(f"the cell {when}", model.cell)

    chosen(model, name="train")
    model.do(model.flow.name_variable, "HF_TOKEN")
    model.do(model.flow.add_variable, SECRETS["the token"])
    model.do(model.flow.set_password, SECRETS["the password"])
    idle(model)
    look("in the form")
    summary(model)
    look("in the summary")

    said = " and ".join(SECRETS.values())

    def repeats(request: httpx.Request) -> httpx.Response | None:
        is_meant = is_create(request) or (model.flow.plan is None and "/availability/" in request.url.path)
        return httpx.Response(422, json={"detail": f"what is this: {said}"}) if is_meant else None

    traffic.answer = repeats
    model.do(model.flow.launch)
    idle(model)
    assert model.flow.outcome is not None
    assert "what is this: *** and ***" in model.flow.outcome.text
    look("after a create that repeats them")
    model.review()
    idle(model)
    assert model.flow.outcome is not None
    assert "what is this: *** and ***" in model.flow.outcome.text
    look("after a refusal that repeats them")
    traffic.answer = lambda request: None
    launched(model, name="train")
    assert traffic.creates[-1]["pod"]["jupyterPassword"] == SECRETS["the password"]
    eventually(lambda: model.pod_list.pods, "the pod is seen")
    look("after the launch")
    search.verdict(least=30)

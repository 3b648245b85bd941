"""Launchers without widgets on the test's own sandbox, and a network that a test can hold back and break."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.http.session import HttpSession
from primepods_magic.api.settings import Settings
from primepods_magic.notebook.launcher.state.flow import LaunchSettings
from primepods_magic.notebook.launcher.state.model import LauncherModel
from primepods_magic.notebook.launcher.state.offers import OfferKey
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.support.clock import SteppedClock
from tests.support.sandbox_control import KEY, SandboxControl

DESK = "primepods-launcher"
IDLE_S = 20.0


def is_create(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.rstrip("/") == "/api/v1/pods"


def idle(model: LauncherModel) -> LauncherModel:
    assert model.wait_until_idle(IDLE_S)
    return model


def key_of(model: LauncherModel, cloud_id: str, data_center: str | None = None) -> OfferKey:
    rows = [row.offer for row in model.offer_list.listed if row.offer.cloud_id == cloud_id]
    return next(OfferKey.of(offer) for offer in rows if data_center in (None, offer.data_center))


def chosen(model: LauncherModel, cloud_id: str = "vcg-L4x1", **form: Any) -> LauncherModel:
    """The model with that offer chosen and the form filled in."""
    model.choose(key_of(model, cloud_id))
    if form:
        model.set(**form)
    return idle(model)


def summary(model: LauncherModel, cloud_id: str = "vcg-L4x1", **form: Any) -> LauncherModel:
    chosen(model, cloud_id, **form).review()
    idle(model)
    assert model.flow.plan is not None, (model.flow.outcome, model.flow.problems)
    return model


def launched(model: LauncherModel, cloud_id: str = "vcg-L4x1", **form: Any) -> LauncherModel:
    summary(model, cloud_id, **form).do(model.flow.launch)
    return idle(model)


def names(sandbox: SandboxControl) -> list[str]:
    answer = sandbox.api.get("/api/v1/pods", headers={"X-Sandbox-Fault": "none"})
    return [pod["name"] for pod in answer.json()["data"]]


class Traffic(httpx.HTTPTransport):
    """The network to a sandbox.

    Attributes
    ----------
    asked : list of str
        Every request, such as ``GET /pods``.
    creates : list of dict
        The bodies of all creates.
    is_down : bool
        Nothing can be reached.
    held : callable
        Which requests wait until `gate` is set.
    answer : callable
        Is shown every request, and answers in the sandbox's place unless it returns nothing.
    change : callable
        Is given every JSON answer with its request, and what it returns goes on.
    """

    def __init__(self) -> None:
        super().__init__(verify=False)
        self.asked: list[str] = []
        self.creates: list[dict[str, Any]] = []
        self.is_down = False
        self.gate = threading.Event()
        self.waiting = threading.Event()
        self.held: Callable[[httpx.Request], bool] = lambda request: False
        self.answer: Callable[[httpx.Request], httpx.Response | None] = lambda request: None
        self.change: Callable[[httpx.Request, Any], Any] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path.removeprefix('/api/v1').rstrip('/')}")
        if is_create(request):
            self.creates.append(json.loads(request.read()))
        if self.held(request):
            self.waiting.set()
            assert self.gate.wait(IDLE_S)
        if self.is_down:
            raise httpx.ConnectError("no route", request=request)
        told = self.answer(request)
        if told is not None:
            return told
        response = super().handle_request(request)
        if self.change is None:
            return response
        response.read()
        return httpx.Response(response.status_code, json=self.change(request, response.json()))


Connected = Callable[..., Connection]
Opened = Callable[..., LauncherModel]


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def connected(sandbox: SandboxControl) -> Iterator[Connected]:
    """Connections to the test's sandbox through a `Traffic`, which look often and try again at once."""
    opened: list[Connection] = []

    def make(traffic: Traffic, *, key: str = KEY, interval_s: float = 0.05) -> Connection:
        settings = Settings(sandbox.url, key)
        client = Client(settings, http=traffic)
        client.session = HttpSession(settings, transport=traffic, sleep=lambda seconds: None)
        clock = SteppedClock(client.session)
        instance = sandbox.state()["instance"]
        opened.append(Connection(client, clock, True, poll_interval_s=interval_s, _instance=instance))
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture
def connection(connected: Connected, traffic: Traffic) -> Connection:
    return connected(traffic)


@pytest.fixture
def opened(connection: Connection) -> Iterator[Opened]:
    """Launchers that have their list and their account, and are closed after the test."""
    models: list[LauncherModel] = []

    def make(
        namespace: dict[str, Any] | None = None,
        settings: Callable[[], LaunchSettings] = LaunchSettings,
        *,
        through: Connection | None = None,
    ) -> LauncherModel:
        model = LauncherModel(through or connection, {} if namespace is None else namespace, settings)
        models.append(model)
        model.open()
        return idle(model)

    yield make
    for model in models:
        # What is under way when a connection is closed may leave a socket behind.
        model.pod_list.stop()
        model.wait_until_idle(IDLE_S)
        model.close()
    assert DESK not in [thread.name for thread in threading.enumerate()]


@pytest.fixture
def model(opened: Opened) -> LauncherModel:
    return opened()

"""The buttons and links of a pod: what they ask for, and what they never open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import ipywidgets
import pytest

from primepods_magic.api.client import Client
from primepods_magic.api.http.urls import read_web_url
from primepods_magic.notebook.display.links import links_html, list_links, origin_html, origin_of
from primepods_magic.notebook.display.pod import line_html
from primepods_magic.notebook.progress.pod_actions import PodActions
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.pod import Pod
from tests.notebook.views.snapshots import pod, ready
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually


@pytest.fixture
def connection(sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", sandbox.url)
    yield connect(sandbox=True)
    disconnect()


class Clicks:
    """The buttons below a bar, by what they say."""

    def __init__(self, actions: PodActions) -> None:
        self.actions = actions

    def __call__(self, text: str) -> None:
        self.find(text).click()

    def find(self, text: str) -> Any:
        (button,) = [each for each in self.actions.box.children[0].children if self._says(each, text)]
        return button

    @staticmethod
    def _says(widget: Any, text: str) -> bool:
        return isinstance(widget, ipywidgets.Button) and widget.description == text

    @property
    def text(self) -> str:
        return str(self.actions.box.children[1].value)


def test_a_pod_is_terminated_once_and_only_after_a_question(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted: list[str] = []
    delete_pod = Client.delete_pod

    def count_deletion(client: Client, pod_id: str) -> Any:
        deleted.append(pod_id)
        return delete_pod(client, pod_id)

    monkeypatch.setattr(Client, "delete_pod", count_deletion)
    details = launch(gpu="L4_24GB", name="train").details
    before = len(ipywidgets.widgets.widget._instances)
    actions = PodActions(connection, details)
    click = Clicks(actions)
    assert click.find("Terminate it").layout.display == "none"
    click("Terminate …")
    click("Keep it")
    assert [pod.name for pod in connection.client.list_all_pods()] == ["train"]
    click("Terminate …")
    yes = click.find("Terminate it")
    yes.click()
    yes.click()
    eventually(lambda: actions.box.layout.display == "none", "the pod is gone")
    assert connection.client.list_all_pods() == []
    assert deleted == [details.id]
    actions.close()
    assert len(ipywidgets.widgets.widget._instances) == before


def test_logs_come_and_go_and_a_failure_is_said(connection: Connection, sandbox: SandboxControl) -> None:
    actions = PodActions(connection, launch(gpu="L4_24GB", name="train").wait().details)
    click = Clicks(actions)
    click("Show logs")
    eventually(lambda: "100% ready" in click.text, "the logs are shown")
    click("Hide logs")
    assert click.text == ""
    sandbox.api.put("/sandbox/faults", json=[{"fault": "422", "path": "/pods/*/log*"}])
    actions._pod = actions._pod.model_copy(update={"id": "nobody"})
    click("Show logs")
    eventually(lambda: "Could not read the logs" in click.text, "the failure is shown")
    actions.close()


def test_the_line_below_a_bar_says_only_what_stays_true(connection: Connection) -> None:
    shown = Pod(connection, ready(gpuCount=1))
    assert "ssh root@" in line_html(shown)
    brief = re.sub("<[^>]*>", "", line_html(shown, is_below_bar=True))
    assert brief == "train · 1 × H100_80GB · $2.69/h"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,<script>",
        "//h.example",
        "http://",
        "https://:80/",
        "https://h.example/a b",
        'https://h.example/"onclick="x',
        "https://h.example/<b>",
        "https://h.example\njavascript:alert(1)",
        "https://[::1",
        "https://h.example:99999/",
    ],
)
def test_only_the_address_of_a_web_page_becomes_a_link(text: str | None) -> None:
    assert read_web_url(text) is None


def test_a_ready_pod_can_be_opened_in_jupyter_and_in_vs_code() -> None:
    mapping = {"internal": "8888", "external": "8443", "usedBy": "JUPYTER_NOTEBOOK"}
    links = dict(list_links(ready(ip="203.0.113.7", primePortMapping=[mapping])))
    assert links == {
        "Open Jupyter": "http://203.0.113.7:8443",
        "Open in VS Code": "vscode://vscode-remote/ssh-remote+root@203.0.113.7:22/?windowId=_blank",
    }
    assert 'href="http://203.0.113.7:8443"' in links_html(links.items())
    assert list(list_links(pod("train", "ACTIVE"))) == []


def test_what_is_live_is_marked_and_linked_to_its_dashboard(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ">SANDBOX</span>" in origin_html(origin_of(connection))
    assert origin_of(connection).dashboard_url is None
    connection.is_sandbox = False
    assert origin_of(connection).mark == "LIVE"
    # Another service has no dashboard that we know.
    assert origin_of(connection).dashboard_url is None
    settings = SimpleNamespace(base_url="https://api.primeintellect.ai/")
    monkeypatch.setattr(type(connection), "settings", settings)
    assert origin_of(connection).dashboard_url == "https://app.primeintellect.ai/dashboard"

"""A wait ends on any word that it understands, and says the word that it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import PodFailed, WaitTimedOut
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.wait import wait_for
from tests.pods.conftest import Changing, Through
from tests.support.sandbox_control import SandboxControl


def saying(**changed: Any) -> Changing:
    """The network to a sandbox that says this of every pod."""

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        is_pod = "podId" in value or "sshConnection" in value
        return {name: walk(item) for name, item in value.items()} | (changed if is_pod else {})

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if "/pods" not in request.url.path or response.status_code != 200:
            return response
        kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
        return httpx.Response(200, json=walk(json.loads(response.content)), headers=kept)

    return Changing(change)


@pytest.fixture
def ready(connection: Connection, sandbox: SandboxControl) -> Callable[[], Any]:
    return lambda: launch(gpu="L4_24GB", name="train").wait().details


@pytest.mark.parametrize(
    "changed",
    [
        {"installationStatus": "SUCCESS"},
        {"installationStatus": "succeeded", "status": "Running"},
        {"installationStatus": "DONE", "sshConnection": "ssh -p 2200 root@203.0.113.7"},
        {
            "installationStatus": "Ready",
            "sshConnection": None,
            "ip": ["203.0.113.7"],
            "primePortMapping": [{"internal": 22, "external": 2200, "usedBy": None}],
        },
    ],
    ids=str,
)
def test_a_pod_is_ready_in_other_words(ready: Any, through: Through, changed: dict[str, Any]) -> None:
    pod = ready()
    snapshot = wait_for(through(saying(**changed)), [pod], timeout_s=30)
    assert snapshot.pods[0].is_ready


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"status": "FAILED"}, "train: ERROR"),
        ({"status": "LAUNCH_FAILED"}, "train: LAUNCH_FAILED"),
        ({"installationStatus": "FAILURE"}, "train: installation FAILED"),
        ({"installationStatus": "install_error"}, "train: installation install_error"),
        ({"installationStatus": "Cancelled"}, "train: installation TERMINATED"),
    ],
    ids=str,
)
def test_a_pod_that_failed_in_other_words_ends_the_waiting(
    connection: Connection, through: Through, changed: dict[str, Any], says: str
) -> None:
    pod = launch(gpu="L4_24GB", name="train").details
    with pytest.raises(PodFailed, match=rf"{says}.*It may still be billed"):
        wait_for(through(saying(**changed)), [pod], timeout_s=60)


@pytest.mark.parametrize("changed", [{"status": "EXITED"}, {"installationStatus": "VERIFYING"}], ids=str)
def test_a_wait_that_is_over_says_the_word_that_nobody_knows(
    ready: Any, through: Through, changed: dict[str, Any]
) -> None:
    pod, changing = ready(), through(saying(**changed))
    word = next(iter(changed.values()))
    # From its first answer on it has the service's time.
    assert changing.user_id
    with pytest.raises(
        WaitTimedOut, match=f"train says '{word}', which is not a known state.*is still billed"
    ):
        wait_for(changing, [pod], timeout_s=3)

"""A pod that was found by looking, and may be another computer's, is not terminated for its price."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import BudgetExceeded
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch
from tests.pods.conftest import Through
from tests.pods.test_one_pod import Breaking, is_create, names
from tests.support.sandbox_control import SandboxControl

DEAR_USD_HR = 25.0


class Elsewhere(Breaking):
    """The network to a sandbox, which loses creates; each time, another computer launches the same name.

    Parameters
    ----------
    sandbox : SandboxControl
        The sandbox.
    change : dict
        What the service says of the other computer's pod.
    """

    def __init__(self, sandbox: SandboxControl, *, arrives: bool, **change: Any) -> None:
        super().__init__(arrives=arrives)
        self._sandbox, self._change = sandbox, change
        self.other_ids: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if is_create(request):
            made = self._sandbox.api.post("/api/v1/pods/", json=json.loads(request.read()))
            self.other_ids.append(made.json()["id"])
        response = super().handle_request(request)
        response.read()
        if request.method != "GET" or "/pods" not in request.url.path or not response.is_success:
            return response
        answer = response.json()
        for row in [*answer.get("data", []), answer]:
            if row.get("id") in self.other_ids:
                row.update(self._change)
        return httpx.Response(200, headers={"Date": response.headers["Date"]}, json=answer)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"providerType": "akash"}, "its provider is akash, not"),
        ({"environmentType": "axolotl"}, "its image is axolotl, not"),
        ({"isSpot": True}, "it is a spot pod"),
    ],
    ids=["provider", "image", "spot"],
)
def test_a_dear_pod_that_differs_from_the_order_is_reported_and_not_terminated(
    connection: Connection, through: Through, sandbox: SandboxControl, change: dict[str, Any], reason: str
) -> None:
    there = through(Elsewhere(sandbox, arrives=False, priceHr=DEAR_USD_HR, **change))
    for _ in range(2):
        with pytest.raises(BudgetExceeded, match=rf"\$25\.00/h.*was not terminated.*{reason}.*%pods rm"):
            launch(gpu="L4_24GB", name="train", connection=there, tell=lambda _: None)
    assert names(connection) == ["train"]


def test_a_dear_pod_that_is_what_was_ordered_is_terminated(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    there = through(Elsewhere(sandbox, arrives=False, priceHr=DEAR_USD_HR))
    with pytest.raises(BudgetExceeded, match=r"\$25\.00/h.*was terminated"):
        launch(gpu="L4_24GB", name="train", connection=there)
    assert names(connection) == []


def test_of_two_new_pods_the_one_that_is_what_was_ordered_is_returned(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    http = Elsewhere(sandbox, arrives=True, priceHr=DEAR_USD_HR, providerType="akash")
    said: list[str] = []
    pod = launch(gpu="L4_24GB", name="train", connection=through(http), tell=said.append)
    assert pod.id not in http.other_ids
    assert [text for text in said if "2 live pods are called 'train'" in text and http.other_ids[0] in text]
    assert names(connection) == ["train", "train"]

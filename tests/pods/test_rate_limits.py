"""Creates that are refused with 429: never sent again, and looked for, as some services act on them."""

from __future__ import annotations

import httpx
import pytest

from primepods_magic.api.errors import OutcomeUnknown, RateLimited
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.launching.launch import launch
from tests.pods.conftest import Through
from tests.pods.test_one_pod import is_create, names


class TooMuch(httpx.HTTPTransport):
    """The network to a sandbox, which refuses creates with 429: before they arrive there, or after.

    Parameters
    ----------
    arrives : bool
        The sandbox acts on what is refused.
    times : int
        How many creates are refused.
    retry_after_s : int
        How long to wait, as the refusal says.
    is_blind : bool
        After the first create, nothing can be read.
    """

    def __init__(
        self, *, arrives: bool, times: int = 1, retry_after_s: int = 0, is_blind: bool = False
    ) -> None:
        super().__init__(verify=False)
        self._arrives, self._times, self._is_blind = arrives, times, is_blind
        self._headers = {"Retry-After": str(retry_after_s)}
        self.creates = 0
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        if not is_create(request):
            is_hidden = self._is_blind and self.creates and request.url.path.startswith("/api/v1/pods")
            return httpx.Response(401) if is_hidden else super().handle_request(request)
        self.creates += 1
        if self.creates > self._times:
            return super().handle_request(request)
        if self._arrives:
            super().handle_request(request).read()
        return httpx.Response(429, headers=self._headers, json={"detail": "slow down"})


def test_a_pod_that_was_made_by_a_refused_create_is_the_one(connection: Connection, through: Through) -> None:
    http = TooMuch(arrives=True)
    pod = launch(gpu="L4_24GB", name="train", connection=through(http))
    assert [pod.id] == [pod.id for pod in connection.client.list_all_pods()]
    assert http.creates == 1


def test_a_create_is_not_sent_again_if_no_one_can_look(connection: Connection, through: Through) -> None:
    http = TooMuch(arrives=True, is_blind=True)
    with pytest.raises(OutcomeUnknown, match="may exist and be billed"):
        launch(gpu="L4_24GB", name="train", connection=through(http), settle_s=1)
    assert http.creates == 1
    assert launch(gpu="L4_24GB", name="train", tell=lambda _: None).name == "train"
    assert names(connection) == ["train"]


def test_a_create_that_is_refused_for_good_made_nothing(connection: Connection, through: Through) -> None:
    http = TooMuch(arrives=False, times=9, retry_after_s=3600)
    with pytest.raises(RateLimited, match="Try again in 3600 s"):
        launch(gpu="L4_24GB", name="train", connection=through(http))
    assert http.creates == 1
    launch(gpu="L4_24GB", name="train", tell=lambda _: None)
    assert names(connection) == ["train"]

"""A pod that this connection saw a moment ago is not gone because one list leaves it out."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from primepods_magic.api.errors import OutcomeUnknown, PodFailed, PodsError, WaitTimedOut
from primepods_magic.pods.connection import Connection
from primepods_magic.pods.last_seen import greeting
from primepods_magic.pods.launch import launch, plan_launch
from primepods_magic.pods.look import Lookout
from primepods_magic.pods.remove import remove_pods
from primepods_magic.pods.spec import PodSpec
from primepods_magic.pods.wait import wait_for
from tests.pods.conftest import Through
from tests.pods.test_launch_doubts import GONE, is_list
from tests.pods.test_one_pod import is_create, names
from tests.support.watching import GatedClock, Service, connected


class Forgetful(httpx.HTTPTransport):
    """The network to a sandbox whose list is empty for a while, and whose other endpoints may fail.

    Attributes
    ----------
    is_empty : bool
        The list is empty.
    fails : bool
        The pod by its id, the status and the history fail.
    """

    is_empty = fails = False
    creates = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.creates += is_create(request)
        if is_list(request):
            return httpx.Response(200, json=GONE) if self.is_empty else super().handle_request(request)
        if self.fails and request.method == "GET" and "/pods/" in request.url.path:
            return httpx.Response(500, headers={"Retry-After": "600"})
        return super().handle_request(request)


@pytest.fixture
def http() -> Forgetful:
    return Forgetful()


@pytest.fixture
def there(
    connection: Connection, through: Through, http: Forgetful, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Connection:
    """A connection that is billed, and on whose computer no pod was launched; it has seen one."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("XDG_STATE_HOME", f"{tmp_path}/elsewhere")
        launch(gpu="L4_24GB", name="train", connection=connection)
    there = through(http, live=True)
    assert there.user_id
    there.client.list_all_pods()
    return there


def rent(connection: Connection) -> str:
    return launch(gpu="L4_24GB", name="train", yes=True, connection=connection, tell=lambda _: None).id


def test_a_launch_looks_for_a_pod_that_the_list_leaves_out(
    connection: Connection, there: Connection, http: Forgetful
) -> None:
    (pod,) = connection.client.list_all_pods()
    http.is_empty = True
    assert rent(there) == pod.id
    assert http.creates == 0
    assert names(connection) == ["train"]


def test_a_launch_is_refused_if_no_other_witness_answers(there: Connection, http: Forgetful) -> None:
    http.is_empty = http.fails = True
    with pytest.raises(OutcomeUnknown, match=r"'train' .*is still there.*Nothing was created"):
        rent(there)
    assert http.creates == 0


def test_a_pod_that_has_ended_elsewhere_is_launched_again(
    connection: Connection, there: Connection, http: Forgetful
) -> None:
    (pod,) = connection.client.list_all_pods()
    remove_pods(connection, [pod])
    assert rent(there) != pod.id
    assert http.creates == 1


def test_a_pod_that_the_status_has_seen_is_looked_for(
    connection: Connection, there: Connection, http: Forgetful
) -> None:
    (pod,) = connection.client.list_all_pods()
    there.memory.forget_pods([str(pod.id)])
    Lookout(there).look([pod])
    http.is_empty = True
    assert rent(there) == pod.id


def test_the_greeting_does_not_believe_one_empty_list(there: Connection, http: Forgetful) -> None:
    assert "1 pod was running" in (greeting() or "")
    http.is_empty = True
    there.client.list_all_pods()
    assert "1 pod was running" in (greeting() or "")
    http.is_empty = False
    remove_pods(there, there.client.list_all_pods())
    assert greeting() is None


@pytest.mark.parametrize(("settle_s", "outcome"), [(60.0, PodFailed), (300.0, WaitTimedOut)])
def test_a_pod_that_no_one_knows_is_gone_after_the_settle_time_of_a_launch(
    settle_s: float, outcome: type[PodsError]
) -> None:
    service = Service("train")
    with connected(service, GatedClock(free=True, consumers=1)) as connection:
        (pod,) = service.details
        with suppress(PodsError):
            plan_launch(connection, PodSpec(name="train", gpu_type="L4_24GB"), settle_s=settle_s)
        service.pods.clear()
        with pytest.raises(outcome):
            wait_for(connection, [pod], timeout_s=200)

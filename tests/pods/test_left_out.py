"""A pod that this connection saw a moment ago is not gone because one list leaves it out."""

from __future__ import annotations

import warnings
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from primepods_magic.api.errors import (
    NameInUse,
    NotFound,
    OutcomeUnknown,
    PodFailed,
    PodsError,
    UnexpectedAnswer,
    WaitTimedOut,
)
from primepods_magic.pods.account.overview import overview
from primepods_magic.pods.account.spending import read_spending
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.last_seen import greeting
from primepods_magic.pods.find import find_pod, find_pods
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.launching.plan import plan_launch
from primepods_magic.pods.listing import list_pod_details
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.rates import accrued_usd, burn_usd_hr
from primepods_magic.pods.terminate import terminate_pods
from primepods_magic.pods.wait import wait_for
from primepods_magic.pods.watching.status_reader import StatusReader
from tests.pods.conftest import Changing, Through
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

    def __init__(self) -> None:
        super().__init__(verify=False)
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path.removeprefix('/api/v1').rstrip('/')}")
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
    terminate_pods(connection, [pod])
    assert rent(there) != pod.id
    assert http.creates == 1


def test_a_pod_that_the_status_has_seen_is_looked_for(
    connection: Connection, there: Connection, http: Forgetful
) -> None:
    (pod,) = connection.client.list_all_pods()
    there.completion_cache.forget_pods([str(pod.id)])
    StatusReader(there).poll([pod])
    http.is_empty = True
    assert rent(there) == pod.id


def test_the_greeting_does_not_believe_one_empty_list(there: Connection, http: Forgetful) -> None:
    assert "1 pod was running" in (greeting() or "")
    http.is_empty = True
    there.client.list_all_pods()
    assert "1 pod was running" in (greeting() or "")
    http.is_empty = False
    terminate_pods(there, there.client.list_all_pods())
    assert greeting() is None


@pytest.mark.parametrize("to_change", [False, True])
def test_a_pod_that_the_list_leaves_out_is_found_by_its_name_and_its_id(
    connection: Connection, there: Connection, http: Forgetful, to_change: bool
) -> None:
    (pod,) = connection.client.list_all_pods()
    http.is_empty = True
    for text in ("train", str(pod.id)):
        http.asked.clear()
        assert find_pod(there, text, to_change=to_change).id == pod.id
        assert http.asked == ["GET /pods", f"GET /pods/{pod.id}"]
    if not to_change:
        assert find_pod(there, str(pod.id)[:6]).id == pod.id
    with pytest.raises(NotFound, match=r"There is no pod 'trian'\. Did you mean 'train'\?"):
        find_pod(there, "trian", to_change=to_change)


def test_a_pod_that_no_list_has_shown_is_removed(
    connection: Connection, through: Through, http: Forgetful
) -> None:
    there, elsewhere = through(http, live=True), Forgetful()
    http.is_empty = elsewhere.is_empty = True
    pod_id = rent(there)
    new_kernel = through(elsewhere, live=True)
    (pod,) = find_pods(new_kernel, ["train"], to_change=True)
    assert pod.id == pod_id
    assert terminate_pods(new_kernel, [pod])[0].outcome == "terminated"
    assert names(connection) == []
    with pytest.raises(NotFound, match="'train' has ended, and everything on it is gone"):
        find_pods(new_kernel, ["train"], to_change=True)


def test_a_whole_id_is_asked_for_although_no_one_here_knows_it(
    connection: Connection, there: Connection, through: Through
) -> None:
    (pod,) = connection.client.list_all_pods()
    http = Forgetful()
    http.is_empty = True
    new_kernel = through(http, live=True)
    assert find_pod(new_kernel, str(pod.id), to_change=True).id == pod.id
    http.asked.clear()
    for word in ("status", "history"):
        with pytest.raises(NotFound):
            find_pod(new_kernel, word, to_change=True)
    assert set(http.asked) == {"GET /pods", f"GET /pods/{pod.id}"}


def test_a_pod_that_is_listed_or_has_ended_is_not_asked_for_again(
    connection: Connection, there: Connection, http: Forgetful
) -> None:
    http.asked.clear()
    find_pod(there, "train")
    assert http.asked == ["GET /pods"]
    terminate_pods(connection, connection.client.list_all_pods())
    with pytest.raises(NotFound, match="'train' has ended, and everything on it is gone"):
        find_pod(there, "train", to_change=True)


def test_a_pod_that_was_seen_is_found_although_it_cannot_be_asked_for(
    connection: Connection, there: Connection, http: Forgetful
) -> None:
    (pod,) = connection.client.list_all_pods()
    http.is_empty = http.fails = True
    for text in ("train", str(pod.id)):
        with pytest.warns(
            UserWarning, match=r"'train' .* still there.*as last known .* ago, and may be billed"
        ):
            assert find_pod(there, text, to_change=True).id == pod.id


def test_a_pod_that_cannot_be_asked_for_is_not_shown_as_if_it_were_seen_now(
    connection: Connection, there: Connection, http: Forgetful
) -> None:
    """The pod was seen coming up, which is free."""
    (pod,) = connection.client.list_all_pods()
    assert (pod.status, pod.provisioning_price_hr) == ("PROVISIONING", 0)
    http.is_empty = http.fails = True
    seen_s_ago = there.completion_cache.read_age_s(pod.id)
    with pytest.warns(UserWarning, match="may be billed"):
        (shown,) = list_pod_details(there)
    assert (shown.id, shown.status) == (pod.id, "UNKNOWN")
    assert there.completion_cache.read_age_s(pod.id) >= seen_s_ago
    assert burn_usd_hr([shown]) == pod.price_hr


@pytest.mark.parametrize("refusal", [403, 404])
@pytest.mark.parametrize("witness", ["status", "history"])
def test_a_pod_that_only_one_other_witness_knows_is_shown_and_removed(
    connection: Connection, through: Through, refusal: int, witness: str
) -> None:
    def hide_pod(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1/pods").strip("/")
        headers = {"Date": response.headers["Date"]}
        if request.method != "GET" or path == witness == "status":
            return response
        if path in ("", "status"):
            return httpx.Response(200, headers=headers, json=GONE)
        if path == "history":
            rows = [{"id": pod_id, "name": "train", "createdAt": headers["Date"]}] * (witness == path)
            return httpx.Response(200, headers=headers, json={"data": rows, "total_count": len(rows)})
        return httpx.Response(refusal, headers=headers, json={"detail": "no"})

    pod_id = rent(connection)
    there = through(Changing(hide_pod), live=True)
    with warnings.catch_warnings():
        if witness == "history":
            warnings.filterwarnings("ignore", "Could not determine.*its row in the history has no end")
        assert [pod.id for pod in list_pod_details(there)] == [pod_id]
        assert find_pod(there, "train").id == pod_id
        for text in ("train", pod_id):
            assert find_pod(there, text, to_change=True).id == pod_id


def test_an_id_that_nothing_here_knows_and_no_witness_answers_for_is_not_called_unknown(
    connection: Connection, there: Connection, through: Through
) -> None:
    (pod,) = connection.client.list_all_pods()
    http = Forgetful()
    http.is_empty = http.fails = True
    with pytest.raises(UnexpectedAnswer, match=rf"whether there is a pod '{pod.id}'.*Nothing was done"):
        find_pod(through(http, live=True), str(pod.id), to_change=True)


def test_a_listing_and_its_sum_have_a_pod_that_the_list_leaves_out(
    connection: Connection, there: Connection, http: Forgetful
) -> None:
    (pod,) = connection.client.list_all_pods()
    http.is_empty = True
    http.asked.clear()
    assert [one.id for one in list_pod_details(there)] == [pod.id]
    assert http.asked == ["GET /pods", f"GET /pods/{pod.id}"]
    wallet = overview(there).wallets[0]
    assert (wallet.pods, wallet.burn_usd_hr > 0) == (1, True)
    terminate_pods(connection, [pod])
    assert list_pod_details(there) == []


def test_dates_a_launched_pod_by_its_record_if_the_service_does_not(
    connection: Connection, through: Through
) -> None:
    """Without a beginning it would cost nothing until it is billed."""

    def drop_dates(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not is_list(request):
            return response
        rows = [{**row, "createdAt": None} for row in response.json()["data"]]
        return httpx.Response(200, headers=response.headers, json={"data": rows, "total_count": len(rows)})

    there = through(Changing(drop_dates), live=True)
    rent(there)
    (pod,) = list_pod_details(there)
    assert pod.created_at is not None
    running = pod.model_copy(update={"status": "ACTIVE"})
    assert accrued_usd(running, pod.created_at + timedelta(hours=1)) == pytest.approx(0.69)


def test_a_namesake_that_the_list_leaves_out_is_not_forgotten(
    connection: Connection, through: Through
) -> None:
    """With one of two 'train' left out, the other one must not be taken for what was meant."""
    hidden: list[str] = []

    def hide_pod(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if not is_list(request):
            return response
        rows = [row for row in response.json()["data"] if row["id"] not in hidden]
        return httpx.Response(200, headers=response.headers, json={"data": rows, "total_count": len(rows)})

    there = through(Changing(hide_pod), live=True)
    ids = [launch(gpu="L4_24GB", name="train", new=True, yes=True, connection=there).id for _ in range(2)]
    hidden.append(ids[0])
    for to_change in (False, True):
        with pytest.raises(NameInUse) as caught:
            find_pods(there, ["train"], to_change=to_change)
        assert all(pod_id in str(caught.value) for pod_id in ids)
    assert {pod.id for pod in read_spending(there).pods} == set(ids)


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

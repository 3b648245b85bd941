"""Waiting is bounded and honest; watching is one request for all, on a thread that ends."""

from __future__ import annotations

import threading

import httpx
import pytest

from primepods_magic.api.enums import InstallationStatus, PodStatus
from primepods_magic.api.errors import ConnectionClosed, NotFound, PodFailed, WaitInterrupted, WaitTimedOut
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import connect, disconnect
from primepods_magic.pods.find import find_pod, find_pods
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.support.clock import ServiceClock
from primepods_magic.pods.terminate import terminate_pods
from primepods_magic.pods.wait import wait_for
from primepods_magic.pods.watching.snapshot import Snapshot
from primepods_magic.pods.watching.status_reader import StatusReader
from tests.pods.conftest import Changing, Through
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually


def test_a_pod_is_followed_from_provisioning_to_ready(connection: Connection) -> None:
    seen: list[PodDetails] = []
    pod = launch(gpu="L4_24GB", name="train")
    wait_for(connection, [pod.details], on_snapshot=lambda snapshot: seen.append(snapshot.pods[0]))
    assert list(dict.fromkeys(pod.status for pod in seen)) == [
        PodStatus.PROVISIONING,
        PodStatus.PENDING,
        PodStatus.ACTIVE,
    ]
    assert list(dict.fromkeys(pod.installation_status for pod in seen)) == [
        InstallationStatus.PENDING,
        InstallationStatus.IN_PROGRESS,
        InstallationStatus.COMPLETE,
    ]
    progress = [pod.installation_progress or 0 for pod in seen]
    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert seen[-1].is_ready


def test_several_pods_share_one_budget_and_one_request_a_look(
    connection: Connection, through: Through
) -> None:
    paths: list[str] = []

    class Counting(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            paths.append(request.url.path)
            return super().handle_request(request)

    pods = [launch(gpu=gpu).details for gpu in ("L4_24GB", "A40_48GB", "H100_80GB")]
    counted = through(Counting())
    before = len(paths)
    looked = StatusReader(counted).poll(pods).pods
    assert [pod.id for pod in looked] == [pod.id for pod in pods]
    assert paths[before:] == ["/api/v1/pods/status"]
    assert wait_for(connection, pods).is_settled


def test_a_status_without_the_installation_is_completed_from_the_list(
    connection: Connection, sandbox: SandboxControl, through: Through
) -> None:
    class AsOnThePage(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = super().handle_request(request)
            if not request.url.path.endswith("/status"):
                return answer
            answer.read()
            keys = (
                "podId",
                "providerType",
                "status",
                "sshConnection",
                "costPerHr",
                "ip",
                "installationProgress",
            )
            return httpx.Response(200, json={key: answer.json()[key] for key in keys})

    pod = launch(gpu="L4_24GB")
    sandbox.advance(6)
    (seen,) = StatusReader(through(AsOnThePage())).poll([pod.details]).pods
    assert seen.installation_status is InstallationStatus.IN_PROGRESS


def test_a_failed_installation_ends_the_waiting_with_its_reason(connection: Connection) -> None:
    pod = launch(cloud_id="td-RTX4090x1", name="bad")
    with pytest.raises(PodFailed, match=r"bad: installation FAILED: .+%pods rm bad"):
        pod.wait()


@pytest.mark.parametrize(("event", "says"), [("error", "bad: ERROR"), ("reclaim", "bad is gone")])
def test_a_pod_that_is_lost_ends_the_waiting(
    connection: Connection, sandbox: SandboxControl, event: str, says: str
) -> None:
    pod = launch(gpu="L4_24GB", name="bad")
    sandbox.event(pod.id, event)
    with pytest.raises(PodFailed, match=says):
        pod.wait()


def test_a_wait_that_takes_too_long_names_what_goes_on_being_billed(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    with pytest.raises(WaitTimedOut, match=r"within 3 s\. train is still billed \(\$0\.69/h\)"):
        pod.wait(timeout_s=3)
    assert pod.refresh().status in ("PENDING", "ACTIVE")


def test_a_wait_for_a_stopped_pod_names_its_state_and_what_it_costs_in_that(
    connection: Connection, sandbox: SandboxControl
) -> None:
    pod = launch(gpu="H100_80GB", name="train")
    pod.wait()
    sandbox.event(pod.id, "stop")
    stopped_usd_hr = find_pod(connection, "train").stopped_price_hr or 0.0
    assert 0 < stopped_usd_hr < 0.5
    with pytest.raises(WaitTimedOut) as caught:
        pod.wait(timeout_s=3)
    assert f"train is still billed (${stopped_usd_hr:.2f}/h)" in str(caught.value)
    assert "train is STOPPED. Start stopped pods in the dashboard" in str(caught.value)
    assert connection.completion_cache.list_running() == []


def test_a_wait_ends_though_the_services_clock_stands_still(connection: Connection) -> None:
    still = Connection(connection.client, ServiceClock(connection.client.session), is_sandbox=True)
    with pytest.raises(WaitTimedOut):
        wait_for(still, [launch(gpu="L4_24GB").details], timeout_s=0.1)


def test_a_wait_that_takes_too_long_calls_no_pod_billed_that_is_verified_to_be_gone(
    connection: Connection, through: Through
) -> None:
    may_answer = threading.Event()
    may_answer.set()

    class Holding(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            assert may_answer.wait(30)
            return super().handle_request(request)

    there = through(Holding())
    gone, live = (launch(gpu="L4_24GB", name=name, connection=there) for name in ("gone", "live"))
    details = gone.details
    gone.terminate()
    slow = Connection(there.client, ServiceClock(there.client.session), is_sandbox=True)
    slow.completion_cache = there.completion_cache
    may_answer.clear()
    try:
        with pytest.raises(WaitTimedOut) as one:
            wait_for(slow, [details], goal="terminated", timeout_s=0.05)
        with pytest.raises(WaitTimedOut) as both:
            wait_for(slow, [details, live.details], goal="terminated", timeout_s=0.05)
    finally:
        may_answer.set()
        slow.close()
    begin = "Not terminated within 0.05 s. gone is gone, which was verified"
    assert str(one.value) == begin
    assert str(both.value).startswith(f"{begin}. live is still billed ($0.69/h). Terminate it with")


@pytest.mark.parametrize("name", ["my pod", "-x", "#x", "$g", "a{g}", "a\nb", "'"])
def test_a_name_that_is_not_one_plain_word_is_never_suggested_as_one(
    connection: Connection, name: str
) -> None:
    pod = launch(gpu="L4_24GB", name=name)
    assert pod.details.cli_name == pod.id
    assert launch(gpu="L4_24GB", name="é.t-1_x").details.cli_name == "é.t-1_x"


def test_ctrl_c_ends_the_waiting_and_not_the_pod(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")

    def interrupt(snapshot: Snapshot) -> None:
        raise KeyboardInterrupt

    with pytest.raises(WaitInterrupted, match="train is still billed"):
        wait_for(connection, [pod.details], on_snapshot=interrupt)
    assert pod.refresh().name == "train"


def test_waiting_goes_on_though_the_service_is_away_for_a_while(
    connection: Connection, through: Through
) -> None:
    class Away(httpx.HTTPTransport):
        failures = 2

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/status") and self.failures:
                self.failures -= 1
                return httpx.Response(500, headers={"Retry-After": "3600"})
            return super().handle_request(request)

    troubles: list[str | None] = []
    pod = launch(gpu="L4_24GB")
    wait_for(through(Away()), [pod.details], on_snapshot=lambda seen: troubles.append(seen.trouble))
    assert [bool(trouble) for trouble in troubles[:3]] == [True, True, False]


def test_pods_are_watched_behind_until_they_are_settled_and_then_the_thread_ends(
    running_sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    monkeypatch.setenv("PRIMEPODS_SANDBOX_URL", running_sandbox.url)
    connection = connect(sandbox=True)
    settled = threading.Event()
    seen: list[tuple[str, Snapshot]] = []

    def listen(snapshot: Snapshot) -> None:
        seen.append((threading.current_thread().name, snapshot))
        if snapshot.is_settled:
            settled.set()

    pods = [launch(gpu="L4_24GB").details, launch(gpu="A40_48GB").details]
    connection.poller.watch(pods, listen)
    assert settled.wait(30)
    assert {name for name, _ in seen} == {"primepods-watch"}
    assert all(pod.is_ready for pod in seen[-1][1].pods)
    disconnect()


def test_closing_the_connection_ends_the_watching(connection: Connection, no_leaks: None) -> None:
    looked = threading.Event()
    # The clock of this sandbox stands still, so the pod would be watched for ever.
    connection.poller.watch([launch(gpu="L4_24GB").details], lambda snapshot: looked.set())
    assert looked.wait(10)
    disconnect()
    assert not [thread for thread in threading.enumerate() if thread.name == "primepods-watch"]


def test_removal_is_verified_and_says_what_was_billed(connection: Connection) -> None:
    pod = launch(gpu="H100_80GB", name="train").wait()
    removal = pod.terminate()
    assert (removal.name, removal.outcome) == ("train", "terminated")
    assert removal.billed_usd is not None
    assert 0 < removal.billed_usd < 0.02
    assert connection.client.list_all_pods() == []
    with pytest.raises(NotFound):
        pod.refresh()


# Running, and on their way up where that is billed as well.
@pytest.mark.parametrize("age_s", [600, 2])
def test_a_pod_that_is_billed_late_is_not_said_to_have_cost_nothing(
    age_s: float, connection: Connection, sandbox: SandboxControl
) -> None:
    # One pod in eight is billed late.
    pods = [launch(gpu="L4_24GB", name=f"train-{number}") for number in range(24)]
    sandbox.advance(age_s)
    removals = terminate_pods(connection, [pod.refresh().details for pod in pods])
    billed = [removal.billed_usd for removal in removals]
    assert None in billed
    assert all(usd is None or usd > 0 for usd in billed)
    sandbox.advance(86_400)
    rows = {row.id: row for row in connection.client.pod_history(limit=100).items}
    assert all(rows[pod.id].total_billed_price for pod in pods)


def test_a_pod_that_is_still_there_is_not_said_to_be_gone(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    (removal,) = terminate_pods(connection, [pod.details], timeout_s=0.1)
    assert removal.outcome == "not gone yet, may still be billed"
    assert removal.billed_usd is None


def test_a_pod_that_is_gone_already_counts_as_removed(
    connection: Connection, sandbox: SandboxControl
) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    sandbox.event(pod.id, "reclaim")
    assert terminate_pods(connection, [pod.details])[0].outcome == "terminated"


def test_a_pod_is_found_by_name_id_and_beginning_of_id_but_removed_only_by_the_first_two(
    connection: Connection,
) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    for text in ("train", pod.id, pod.id[:6]):
        assert find_pod(connection, text).id == pod.id
    assert find_pods(connection, ["train", pod.id], to_change=True)[0].id == pod.id
    with pytest.raises(NotFound, match="full id or full name"):
        find_pod(connection, pod.id[:6], to_change=True)


def test_an_unknown_pod_is_answered_with_the_nearest_names(connection: Connection) -> None:
    launch(gpu="L4_24GB", name="train")
    with pytest.raises(NotFound, match=r"There is no pod 'trian'\. Did you mean 'train'\?"):
        find_pod(connection, "trian")


@pytest.mark.parametrize("failing", ["/history", "/api/v1/pods/"])
def test_an_error_after_a_pod_was_ended_does_not_hide_that(
    connection: Connection, through: Through, failing: str
) -> None:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "GET" and request.url.path.endswith(failing):
            return httpx.Response(403, json={"detail": "no"})
        return response

    pod = launch(gpu="L4_24GB", name="train")
    (removal,) = terminate_pods(through(Changing(change)), [pod.details])
    assert removal.outcome.startswith(
        "terminated" if failing == "/history" else "termination requested, not verified"
    )
    assert removal.billed_usd is None


def test_ctrl_c_while_a_pod_ends_says_that_it_was_asked_to(connection: Connection, through: Through) -> None:
    def interrupt(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "GET":
            raise KeyboardInterrupt
        return response

    pod = launch(gpu="L4_24GB", name="train")
    with pytest.raises(WaitInterrupted, match="termination of train was requested"):
        terminate_pods(through(Changing(interrupt)), [pod.details])


def test_whoever_watches_is_told_when_the_connection_closes(connection: Connection) -> None:
    seen: list[Snapshot] = []
    connection.poller.watch([launch(gpu="L4_24GB").details], seen.append)
    disconnect()
    assert seen[-1].trouble == "stopped watching: the connection was closed"


def test_a_refusal_ends_the_watching_and_is_told_and_later_watches_work(
    connection: Connection, through: Through
) -> None:
    refuse = threading.Event()
    refuse.set()

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        return httpx.Response(401) if refuse.is_set() else response

    pod = launch(gpu="L4_24GB").details
    spoilt = through(Changing(change))
    seen: list[Snapshot] = []
    spoilt.poller.watch([pod], seen.append)
    eventually(lambda: seen and "stopped watching" in str(seen[-1].trouble), "the refusal is told")
    assert seen[-1].is_last
    refuse.clear()
    again: list[Snapshot] = []
    spoilt.poller.watch([pod], again.append)
    eventually(lambda: again and again[-1].trouble is None, "the next watch looks again")
    spoilt.close()


def test_a_pod_of_a_closed_connection_says_how_to_find_it_again(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    disconnect()
    for call in (pod.refresh, pod.wait, pod.terminate):
        with pytest.raises(ConnectionClosed, match="%pods show NAME"):
            call()


def test_connecting_again_to_the_same_sandbox_keeps_its_pods_good(connection: Connection) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    assert connect(sandbox=True) is connection
    assert pod.refresh().name == "train"


def test_a_team_mates_pod_is_removed_by_its_whole_id_only(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    connection.__dict__["user_id"] = "somebody else"
    with pytest.raises(NotFound):
        find_pod(connection, "train", to_change=True)
    assert find_pod(connection, pod.id, to_change=True).name == "train"

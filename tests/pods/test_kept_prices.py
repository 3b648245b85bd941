"""A price that changes later, by itself, takes no work away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from primepods_magic.api.errors import BudgetExceeded, NameInUse, OutcomeUnknown, PodsError
from primepods_magic.api.models import PodDetails
from primepods_magic.pods.account.overview import overview
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.find import find_pod
from primepods_magic.pods.launching.agreed_prices import Agreements
from primepods_magic.pods.launching.journal.name_lock import launching
from primepods_magic.pods.launching.launch import launch, launch_many, plan_many
from primepods_magic.pods.launching.plan import LaunchPlan
from primepods_magic.pods.listing import list_pod_details, pod_status
from primepods_magic.pods.support.clock import ServiceClock
from primepods_magic.pods.wait import wait_for
from tests.pods.conftest import Changing, Through
from tests.pods.test_one_pod import interrupt_when, is_create, names, note_of
from tests.support.sandbox_control import SandboxControl
from tests.support.waiting import eventually
from tests.support.watching import Service, connected

SSH = "root@203.0.113.9 -p 22"
READY = PodDetails(id="a", name="train", status="ACTIVE", price_hr=2.39, ssh_connection=SSH)
DEARER = READY.model_copy(update={"price_hr": 2.60})
MOMENTS: list[dict[str, Any]] = [
    {"sshConnection": None},
    {"status": "PENDING"},
    {"status": "DEGRADED"},
    {"installationStatus": "UPDATING"},
]


@pytest.fixture(autouse=True)
def _own_records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Records of other tests name pods with the same ids."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


class Repricing(Changing):
    """The network to a sandbox that says ``fields`` of every pod; no price at first."""

    def __init__(self) -> None:
        super().__init__(self._set_fields)
        self.fields: dict[str, Any] = {"priceHr": None, "costPerHr": None}

    def _set_fields(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        answer = response.json()
        if is_create(request):
            return httpx.Response(200, json={**answer, **self.fields})
        path = request.url.path.rstrip("/")
        if request.method != "GET" or path not in ("/api/v1/pods", "/api/v1/pods/status"):
            return response
        # What is being ended, or has ended, stays so.
        rows = [
            row if row["status"] in ("DELETING", "TERMINATED") else {**row, **self.fields}
            for row in answer["data"]
        ]
        return httpx.Response(200, headers={"Date": response.headers["Date"]}, json={**answer, "data": rows})


class SpecStatus(Repricing):
    """A service whose status has no installations, as in the specification, and prices of its own."""

    def __init__(self, list_price: dict[str, Any]) -> None:
        super().__init__()
        self.list_price, self.is_ready, self.is_dearer = list_price, False, False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.fields = {**self.list_price, **({} if self.is_ready else COMING_UP)}
        if self.is_ready:
            self.fields |= {"status": "ACTIVE", "sshConnection": "root@203.0.113.7 -p 22"}
            self.fields |= {"installationStatus": "FINISHED"}
        response = super().handle_request(request)
        if request.url.path.rstrip("/") != "/api/v1/pods/status" or not response.is_success:
            return response
        kept = ("podId", "status", "sshConnection")
        rows = [{name: row.get(name) for name in kept} for row in response.json()["data"]]
        price = {"costPerHr": 9.0 if self.is_dearer else 0.69}
        return httpx.Response(
            200,
            headers={"Date": response.headers["Date"]},
            json={"data": [row if row["status"] in GONE_STATES else {**row, **price} for row in rows]},
        )


GONE_STATES = ("DELETING", "TERMINATED")


class Held(Repricing):
    """As `Repricing`, and holds the responses to creates until the test lets them go."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived, self.let_go = threading.Event(), threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if is_create(request):
            self.arrived.set()
            assert self.let_go.wait(30)
        return response


class Clock:
    """Seconds that a test moves."""

    now_s = 0.0

    def read_s(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def agreements(clock: Clock) -> Agreements:
    agreements = Agreements(monotonic=clock.read_s)
    agreements.add("a", 2.39, lambda pod, _: PodsError(f"{pod.name} was terminated"))
    return agreements


def rent(connection: Connection, told: list[str] | None = None) -> str:
    told = [] if told is None else told
    return launch(gpu="L4_24GB", name="train", yes=True, connection=connection, tell=told.append).id


def test_a_pod_whose_first_look_is_hours_later_is_reported_and_not_ended(
    agreements: Agreements, clock: Clock
) -> None:
    clock.now_s = 7200.0
    with pytest.warns(
        UserWarning, match=r"\$2\.60/h, above the \$2\.39/h .* not terminated.* '%pods rm train'"
    ):
        agreements.check([DEARER])
    agreements.check([DEARER])


def test_a_pod_that_has_just_come_up_is_held_however_long_that_took(
    agreements: Agreements, clock: Clock
) -> None:
    for clock.now_s in (0.0, 600.0, 1200.0):
        coming = READY.model_copy(update={"status": "PROVISIONING", "price_hr": None})
        assert agreements.enforce([coming], set()) == {}
    clock.now_s = 1205.0
    assert list(agreements.enforce([DEARER], {"a"})) == ["a"]


def test_a_pod_that_was_ready_is_not_ended_because_it_is_restarting(
    agreements: Agreements, clock: Clock
) -> None:
    for clock.now_s in (0.0, 200.0):
        assert agreements.enforce([READY], set()) == {}, "its price was not read"
    clock.now_s = 400.0
    assert agreements.enforce([DEARER.model_copy(update={"status": "PENDING"})], {"a"}) == {}
    assert "was not terminated" in agreements.take_reports()["a"]


def test_a_price_above_the_agreed_one_is_shown_to_who_watches() -> None:
    service = Service("a")
    with connected(service, free=True) as connection:
        connection.agreements.add("a", 2.39, lambda *_: PodsError("ended"), launched_s_ago=7200.0)
        (pod,) = service.details
        service.make_ready()
        service.put("a", priceHr=2.60)
        with pytest.warns(UserWarning, match=r"\$2\.60/h, above the \$2\.39/h .* not terminated"):
            assert wait_for(connection, [pod]).pods[0].is_ready


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_launch_that_is_run_again_a_day_later_reports_a_price_and_ends_nothing(
    connection: Connection, through: Through, sandbox: SandboxControl, moment: dict[str, Any]
) -> None:
    http, told = Repricing(), list[str]()
    pod_id = rent(through(http, live=True))
    sandbox.advance(86_400)
    http.fields = {"priceHr": 25.0, **moment}
    assert rent(through(http, live=True), told) == pod_id
    assert [
        notice for notice in told if "$25.00/h, above the $0.69/h" in notice and "not terminated" in notice
    ]
    assert names(connection) == ["train"]


@pytest.mark.parametrize("is_other_kernel", [False, True], ids=["same kernel", "other kernel"])
def test_a_pod_that_was_seen_ready_at_its_price_is_not_ended_by_a_later_run(
    connection: Connection, through: Through, sandbox: SandboxControl, is_other_kernel: bool
) -> None:
    http = Repricing()
    first = through(http, live=True)
    pod_id = rent(first)
    sandbox.advance(1200)
    http.fields = {"priceHr": 0.69}
    seeing = through(http, live=True) if is_other_kernel else first
    assert seeing.user_id
    with launching(seeing, "train"):
        seeing.client.list_all_pods()
    record = note_of(connection, "train").read()
    assert record is not None
    assert not record.is_price_kept, "the name is held by a launch"
    seeing.client.list_all_pods()
    http.fields = {"priceHr": 25.0, "status": "PENDING"}
    assert rent(through(http, live=True)) == pod_id
    assert names(connection) == ["train"]


def test_a_pod_that_was_never_seen_at_its_price_is_held_by_a_later_run(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    http = Repricing()
    first = through(http, live=True)
    rent(first)
    sandbox.advance(1200)
    http.fields = {"priceHr": 25.0}
    first.client.list_all_pods()
    http.fields = {"priceHr": 25.0, "status": "PENDING"}
    with pytest.raises(BudgetExceeded, match="was terminated"):
        rent(through(http, live=True))
    assert names(connection) == []


OTHER = {"gpu": "L4_24GB", "name": "other"}
COMING_UP = {"status": "PENDING", "sshConnection": None, "installationStatus": "PENDING"}


@pytest.mark.parametrize(
    "read",
    [list_pod_details, overview, lambda live: find_pod(live, "train"), rent],
    ids=["list", "overview", "find", "launch"],
)
def test_another_kernel_holds_a_pod_that_comes_up_to_its_agreed_price(
    connection: Connection, through: Through, read: Callable[[Connection], object]
) -> None:
    http = Repricing()
    http.fields = {"priceHr": 0.69, **COMING_UP}
    rent(through(http, live=True))
    http.fields = {"priceHr": 25.0, **COMING_UP}
    with pytest.raises(BudgetExceeded, match=r"\$25\.00/h, above the \$0\.69/h .* was terminated"):
        read(through(http, live=True))
    assert names(connection) == []


@pytest.mark.parametrize("is_other_kernel", [False, True], ids=["same kernel", "other kernel"])
@pytest.mark.parametrize("fields", [{"name": "other"}, {"name": "train", "new": True}], ids=["other", "new"])
def test_holds_other_pods_to_their_agreed_prices_before_a_launch(
    connection: Connection, through: Through, fields: dict[str, Any], is_other_kernel: bool
) -> None:
    http = Repricing()
    http.fields = {"priceHr": 0.69, **COMING_UP}
    first = through(http, live=True)
    rent(first)
    http.fields = {"priceHr": 25.0, **COMING_UP}
    there = through(http, live=True) if is_other_kernel else first
    with pytest.raises(
        BudgetExceeded,
        match=r"'train' .* \$25\.00/h, above the \$0\.69/h .* was terminated\. Nothing was created\. "
        f"Run this again to launch '{fields['name']}'",
    ):
        launch(gpu="L4_24GB", yes=True, connection=there, **fields)
    assert names(connection) == []


def test_holds_other_pods_to_their_agreed_prices_after_consent(
    connection: Connection, through: Through
) -> None:
    http = Repricing()
    http.fields = {"priceHr": 0.69, **COMING_UP}
    there = through(http, live=True)
    rent(there)

    def agree(_: LaunchPlan) -> bool:
        http.fields = {"priceHr": 25.0, **COMING_UP}
        return True

    with pytest.raises(BudgetExceeded, match=r"'train' .* was terminated\. Nothing was created"):
        launch(gpu="L4_24GB", name="other", confirm=agree, connection=there)
    assert names(connection) == []


def test_reports_other_pods_above_their_agreed_prices_that_may_be_in_use(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    http, told = Repricing(), list[str]()
    http.fields = {"priceHr": 0.69, **COMING_UP}
    rent(through(http, live=True))
    sandbox.advance(1200)
    http.fields = {"priceHr": 25.0}
    plan_many(through(http, live=True), {"gpu": "L4_24GB", "name": "other"}, tell=told.append)
    (notice,) = told
    assert "'train'" in notice
    assert "$25.00/h, above the $0.69/h" in notice
    assert "was not terminated" in notice
    assert names(connection) == ["train"]


@pytest.mark.parametrize("specs", [OTHER, [OTHER, {**OTHER, "name": "third"}]], ids=["one", "two"])
def test_a_dry_run_reports_pods_above_their_agreed_prices_once_and_ends_none(
    connection: Connection, through: Through, specs: Any
) -> None:
    http, told = Repricing(), list[str]()
    http.fields = {"priceHr": 0.69, **COMING_UP}
    rent(through(http, live=True))
    http.fields = {"priceHr": 25.0, **COMING_UP}
    plan_many(through(http, live=True), specs, tell=told.append, is_dry_run=True)
    (notice,) = told
    assert "$25.00/h, above the $0.69/h that you agreed to. A dry run terminates nothing" in notice
    assert names(connection) == ["train"]


def test_a_dry_run_of_what_would_be_refused_ends_no_pod(connection: Connection, through: Through) -> None:
    http, told = Repricing(), list[str]()
    http.fields = {"priceHr": 0.69, **COMING_UP}
    rent(through(http, live=True))
    http.fields = {"priceHr": 25.0, **COMING_UP}
    there, spec = through(http, live=True), {"gpu": "H100_80GB", "name": "train"}
    with pytest.raises(NameInUse, match="differs"):
        plan_many(there, spec, tell=told.append, is_dry_run=True)
    assert [notice for notice in told if "$25.00/h" in notice and "terminates nothing" in notice]
    assert names(connection) == ["train"]
    with pytest.raises(BudgetExceeded, match=r"was terminated\. Nothing was created"):
        plan_many(there, spec)
    assert names(connection) == []


@pytest.mark.parametrize("list_price", [{"priceHr": 0.69}, {"priceHr": None}], ids=["agreed", "none"])
def test_a_status_without_installation_is_read_for_its_price(
    connection: Connection, through: Through, list_price: dict[str, Any]
) -> None:
    """The list never has the higher price; the status has it once the pod is ready, at the latest."""
    http = SpecStatus(list_price)
    there = through(http, live=True)
    rent(there)
    (pod,) = there.client.list_all_pods()
    http.is_ready, http.is_dearer = list_price["priceHr"] is None, True
    with pytest.raises(BudgetExceeded, match=r"\$9\.00/h, above the \$0\.69/h .* was terminated"):
        wait_for(there, [pod])
    assert names(connection) == []


def test_another_kernel_that_watches_holds_a_pod_to_its_agreed_price(
    connection: Connection, through: Through
) -> None:
    http = Repricing()
    http.fields = {"priceHr": 0.69, **COMING_UP}
    rent(through(http, live=True))
    other = through(http, live=True)
    (pod,) = other.client.list_all_pods()
    http.fields = {"priceHr": 25.0, **COMING_UP}
    with pytest.raises(BudgetExceeded, match="was terminated"):
        wait_for(other, [pod])
    assert names(connection) == []


def test_reports_a_termination_after_an_interrupt_with_the_next_command(
    connection: Connection, through: Through
) -> None:
    http = Held()
    http.fields = {"priceHr": 25.0, **COMING_UP}
    there = through(http, live=True)
    interrupter = interrupt_when(http.arrived)
    with pytest.raises(OutcomeUnknown, match="Interrupted"):
        rent(there)
    interrupter.join()
    http.let_go.set()
    eventually(lambda: there.agreements._reports, "the launch has ended")
    with pytest.warns(UserWarning, match=r"After an interrupt: 'train' .* \$25\.00/h.* was terminated"):
        list_pod_details(there)
    assert list_pod_details(there) == []


def test_holds_a_pod_to_a_price_that_only_its_status_says(connection: Connection, through: Through) -> None:
    http = Repricing()
    http.fields = {"priceHr": 0.69, **COMING_UP}
    there = through(http, live=True)
    rent(there)
    pods = list_pod_details(there)
    http.fields = {"priceHr": 25.0, **COMING_UP}
    with pytest.raises(BudgetExceeded, match=r"'train' .* \$25\.00/h, above the \$0\.69/h .* was terminated"):
        pod_status(there, pods)
    assert names(connection) == []


def test_another_kernel_ends_no_pod_of_a_launch_an_hour_ago(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    http = Repricing()
    http.fields = {"priceHr": 0.69, **COMING_UP}
    rent(through(http, live=True))
    sandbox.advance(3600)
    http.fields = {"priceHr": 25.0, **COMING_UP}
    assert [pod.price_hr for pod in list_pod_details(through(http, live=True))] == [25.0]


def test_another_kernel_reports_once_and_ends_no_pod_that_may_be_in_use(
    connection: Connection, through: Through, sandbox: SandboxControl
) -> None:
    http = Repricing()
    http.fields = {"priceHr": 0.69, **COMING_UP}
    rent(through(http, live=True))
    sandbox.advance(1200)
    http.fields = {"priceHr": 25.0}
    other = through(http, live=True)
    with pytest.warns(UserWarning, match=r"\$25\.00/h, above the \$0\.69/h .* not terminated"):
        list_pod_details(other)
    http.fields = {"priceHr": 25.0, "status": "PENDING"}
    assert [pod.name for _ in range(2) for pod in list_pod_details(other)] == ["train", "train"]


def test_retries_to_end_a_pod_if_that_failed_at_the_create(connection: Connection, through: Through) -> None:
    class Refusing(Repricing):
        refuses = True

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "DELETE" and self.refuses:
                return httpx.Response(403, json={"detail": "not now"})
            return super().handle_request(request)

    http = Refusing()
    http.fields = {"priceHr": 25.0, **COMING_UP}
    live = through(http, live=True)
    for read in (rent, list_pod_details):
        with pytest.raises(BudgetExceeded, match="could not be terminated"):
            read(live)
    http.refuses = False
    with pytest.raises(BudgetExceeded, match="was terminated"):
        list_pod_details(live)
    assert names(connection) == []


def test_says_of_a_pod_that_is_ended_by_a_later_run_nothing_else(
    connection: Connection, through: Through
) -> None:
    http, told = Repricing(), list[str]()
    http.fields = {"priceHr": 0.69, **COMING_UP}
    rent(through(http, live=True))
    http.fields = {"priceHr": 25.0, **COMING_UP}
    with pytest.raises(BudgetExceeded, match="was terminated"):
        launch_many({"gpu": "L4_24GB", "name": "train"}, yes=True, connection=through(http), tell=told.append)
    assert told == []


def test_a_date_that_the_service_gets_wrong_makes_no_launch_old() -> None:
    now = datetime.now(timezone.utc)
    service = Service()
    service.answer = lambda request: httpx.Response(
        200, headers={"Date": format_datetime(now + timedelta(days=2), usegmt=True)}, json={"data": []}
    )
    with connected(service) as connection:
        clock = ServiceClock(connection.client.session)
        connection.client.list_all_pods()
        assert clock.now() - now > timedelta(days=1)
        assert clock.age_s(now, now.timestamp()) < 60
        assert clock.age_s(now, None) > 86_400

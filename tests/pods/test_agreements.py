"""What was agreed to is a ceiling: a pod that costs more is terminated and reported."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from primepods_magic.api.enums import PodStatus
from primepods_magic.api.errors import BudgetExceeded, InvalidRequest, PodsError
from primepods_magic.api.models import PodDetails, PodStatusEntry
from primepods_magic.notebook.progress.rows import format_pod
from primepods_magic.pods.account.overview import overview
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.find import find_pod, find_pods
from primepods_magic.pods.launching.agreed_prices import Agreements, is_above
from primepods_magic.pods.launching.launch import launch
from primepods_magic.pods.launching.limits import Limits
from primepods_magic.pods.listing import list_pod_details
from primepods_magic.pods.support.background import join_background
from primepods_magic.pods.support.clock import ServiceClock
from primepods_magic.pods.wait import wait_for
from tests.pods.conftest import Changing, Through
from tests.pods.test_one_pod import is_create, names
from tests.support.watching import START, Service, connected

QUOTE_USD_HR = 0.69


def priced(*prices: dict[str, Any]) -> Changing:
    """The network to a sandbox on which a pod tells these prices one by one, then the last one for ever."""
    told = list(prices)

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        path = request.url.path.rstrip("/")
        if is_create(request) and response.is_success:
            return httpx.Response(
                200, json={**response.json(), **(told.pop(0) if len(told) > 1 else told[0])}
            )
        if request.method != "GET" or path not in ("/api/v1/pods", "/api/v1/pods/status"):
            return response
        answer = response.json()
        if not answer.get("data"):
            return response
        fields = told.pop(0) if len(told) > 1 else told[0]
        return httpx.Response(200, json={**answer, "data": [{**row, **fields} for row in answer["data"]]})

    return Changing(change)


UNTOLD = {"priceHr": None}


@pytest.mark.parametrize(
    "prices",
    [
        [{"priceHr": 25.0}],
        [{"priceHr": QUOTE_USD_HR + 0.02}],
        [UNTOLD, {"priceHr": 25.0}],
        [{"priceHr": None, "costPerHr": 25.0}],
        [{"priceHr": QUOTE_USD_HR, "costPerHr": 25.0}],
        [{"priceHr": 0, "costPerHr": "25"}],
        [{"priceHr": QUOTE_USD_HR, "provisioningPriceHr": 25.0, "status": "PROVISIONING"}],
        [{"priceHr": QUOTE_USD_HR}, {"priceHr": 25.0}],
    ],
    ids=[
        "ten times",
        "two cents",
        "told later",
        "another field",
        "two fields",
        "a placeholder",
        "while it comes up",
        "risen",
    ],
)
def test_a_pod_above_what_was_agreed_to_is_terminated_and_reported(
    connection: Connection, through: Through, prices: list[dict[str, Any]]
) -> None:
    live = through(priced(*prices), live=True)
    with pytest.raises(
        BudgetExceeded, match=r"turned out to cost \$.*above the \$0\.69/h that you agreed to"
    ):
        launch(gpu="L4_24GB", name="train", yes=True, connection=live)
    assert names(connection) == []


@pytest.mark.parametrize(
    "prices",
    [
        [{"priceHr": QUOTE_USD_HR}],
        [{"priceHr": QUOTE_USD_HR + 0.01}],
        [{"priceHr": 0.1}],
        [UNTOLD],
        [{"priceHr": QUOTE_USD_HR, "provisioningPriceHr": 0.0}],
    ],
    ids=["the same", "a cent more", "less", "untold", "free while it comes up"],
)
def test_a_pod_within_what_was_agreed_to_stays(
    connection: Connection, through: Through, prices: list[dict[str, Any]]
) -> None:
    live = through(priced(*prices), live=True)
    for _ in range(2):
        launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=lambda _: None)
    assert names(connection) == ["train"]


def test_a_price_limit_in_the_spec_is_what_was_agreed_to(connection: Connection, through: Through) -> None:
    with pytest.raises(BudgetExceeded, match=r"above its max_price of \$3\.00/h"):
        launch(gpu="L4_24GB", name="b", max_price=3, connection=through(priced({"priceHr": 3.1}), live=True))
    near = through(priced({"priceHr": 3.009}), live=True)
    launch(gpu="L4_24GB", name="c", max_price=3, connection=near, tell=lambda _: None)
    launch(gpu="L4_24GB", name="a", max_price=3, connection=through(priced({"priceHr": 2.9}), live=True))
    assert sorted(map(str, names(connection))) == ["a", "c"], "to the cent"


def test_a_price_that_is_told_after_the_launch_is_held_by_the_next_run(
    connection: Connection, through: Through
) -> None:
    live = through(priced(UNTOLD, UNTOLD, UNTOLD, {"priceHr": 25.0}), live=True)
    launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=lambda _: None)
    assert names(connection) == ["train"]
    # The list says nothing of the price at the first look either.
    live.client.list_all_pods()
    with pytest.raises(BudgetExceeded, match="agreed to"):
        launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=lambda _: None)
    assert names(connection) == []


def test_a_price_that_rises_hours_later_does_not_take_the_work_away(
    connection: Connection, through: Through, sandbox: Any
) -> None:
    pod = launch(gpu="L4_24GB", name="train")
    sandbox.advance(2 * 3600)
    dearer = through(priced({"priceHr": 25.0}), live=True)
    assert launch(gpu="L4_24GB", name="train", yes=True, connection=dearer).id == pod.id


@pytest.mark.parametrize("goal", ["ready", "active"])
def test_waiting_holds_a_pod_to_its_price(connection: Connection, through: Through, goal: Any) -> None:
    live = through(priced(UNTOLD, UNTOLD, UNTOLD, {"priceHr": 25.0}), live=True)
    pod = launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=lambda _: None)
    with pytest.raises(BudgetExceeded, match="agreed to"):
        pod.wait(goal)
    assert names(connection) == []


def test_a_price_that_only_the_list_states_is_held_while_waiting(
    connection: Connection, through: Through
) -> None:
    listed = {"priceHr": QUOTE_USD_HR}

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        path = request.url.path.rstrip("/")
        if request.method != "GET" or path not in ("/api/v1/pods", "/api/v1/pods/status"):
            return response
        untold = {"priceHr": None, "costPerHr": None}
        told, fields = response.json(), untold if path.endswith("/status") else listed
        return httpx.Response(200, json={**told, "data": [{**row, **fields} for row in told["data"]]})

    live = through(Changing(change), live=True)
    pod = launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=lambda _: None)
    listed["priceHr"] = 25.0
    with pytest.raises(BudgetExceeded, match="agreed to"):
        pod.wait()
    assert names(connection) == []


def test_a_wait_that_ends_while_a_pod_is_being_terminated_says_so(
    connection: Connection, through: Through
) -> None:
    has_waited, prices = threading.Event(), priced(UNTOLD, UNTOLD, {"priceHr": 25.0})

    class Slow(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "DELETE":
                clock.is_over = True
                assert has_waited.wait(10)
            return prices.handle_request(request)

        def close(self) -> None:
            prices.close()

    class Clock(ServiceClock):
        is_over, passed_s = False, 0.0

        def wait(self, event: threading.Event, seconds: float | None) -> bool:
            while not event.wait(0.001):
                if self.is_over and threading.current_thread() is threading.main_thread():
                    return False
            return True

        def monotonic(self) -> float:
            # Neither the wait nor the verification after it goes on.
            self.passed_s += 1e6 if self.is_over else 0.0
            return self.passed_s

    live = through(Slow(), live=True)
    live.clock = clock = Clock(live.client.session)
    pod = launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=lambda _: None)
    with pytest.raises(
        BudgetExceeded, match=r"^Not ready within .*\$25\.00/h, above the .* is being terminated"
    ):
        pod.wait()
    has_waited.set()
    join_background(live)


@pytest.mark.parametrize(
    "read",
    [list_pod_details, overview, lambda live: find_pod(live, "train")],
    ids=["list", "overview", "find"],
)
def test_any_read_holds_a_pod_to_its_price(
    connection: Connection, through: Through, read: Callable[[Connection], object]
) -> None:
    live = through(priced(UNTOLD, UNTOLD, UNTOLD, {"priceHr": 25.0}), live=True)
    launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=lambda _: None)
    assert [pod.price_hr for pod in list_pod_details(live)] == [None]
    with pytest.raises(BudgetExceeded, match=r"'train' .* that you agreed to, and was terminated"):
        read(live)
    assert names(connection) == []


def test_refreshing_a_pod_holds_it_to_its_price(connection: Connection, through: Through) -> None:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        is_by_id = request.method == "GET" and response.is_success and response.json().get("name") == "train"
        return httpx.Response(200, json={**response.json(), "priceHr": 25}) if is_by_id else response

    live = through(Changing(change), live=True)
    pod = launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=lambda _: None)
    with pytest.raises(BudgetExceeded, match="agreed to"):
        pod.refresh()
    assert names(connection) == []


def test_a_pod_that_has_failed_is_held_to_its_price_when_its_launch_is_run_again(
    connection: Connection, through: Through
) -> None:
    live = through(priced(UNTOLD, UNTOLD, {"priceHr": 25.0, "status": "ERROR"}), live=True)
    launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=lambda _: None)
    with pytest.raises(BudgetExceeded, match="agreed to"):
        launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=lambda _: None)
    assert names(connection) == []


def test_a_pod_that_is_dear_can_be_named_to_remove_it(connection: Connection, through: Through) -> None:
    live = through(priced(UNTOLD, UNTOLD, {"priceHr": 25.0}), live=True)
    pod = launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=lambda _: None)
    assert find_pods(live, ["train"], to_change=True)[0].id == pod.id
    assert names(connection) == ["train"]


def test_more_that_is_agreed_to_in_another_kernel_counts(connection: Connection, through: Through) -> None:
    first = through(priced(UNTOLD, UNTOLD, UNTOLD, {"priceHr": 25.0}, {"priceHr": 40.0}), live=True)
    launch(gpu="L4_24GB", name="train", max_price=3, connection=first, tell=lambda _: None)
    second = through(priced(UNTOLD), live=True)
    for max_price in (30, 5, None):
        again = {"gpu": "L4_24GB", "name": "train", "max_price": max_price}
        assert not launch(**again, connection=second).is_new
    assert [pod.price_hr for _ in range(2) for pod in list_pod_details(first)] == [None, 25.0]
    with pytest.raises(BudgetExceeded, match=r"\$40\.00/h, above the \$30\.00/h that you agreed to"):
        list_pod_details(first)
    assert names(connection) == []


def test_a_ceiling_bounds_what_another_kernel_agrees_to(connection: Connection, through: Through) -> None:
    first = through(priced(UNTOLD, UNTOLD, {"priceHr": 25.0}), live=True)
    launch(gpu="L4_24GB", name="train", max_price=3, connection=first, tell=lambda _: None)
    limits = Limits(max_price_usd_hr=4)
    launch(gpu="L4_24GB", name="train", max_price=30, limits=limits, connection=through(priced(UNTOLD)))
    with pytest.raises(BudgetExceeded, match=r"above the \$4\.00/h that you agreed to"):
        list_pod_details(first)


UNREAD = [
    ({"priceHr": "EUR 25.00"}, "EUR 25.00"),
    ({"priceHr": "Infinity"}, "Infinity"),
    ({"priceHr": "1e999"}, "1e999"),
    ({"priceHr": "free"}, "free"),
    ({"priceHr": QUOTE_USD_HR, "costPerHr": "<b>25\x1b[31m EUR</b>"}, "<b>25\ufffd[31m EUR</b>"),
    ({"priceHr": {"amount": 25}}, "{'amount': 25}"),
    ({"provisioningPriceHr": "EUR 25", "status": "PROVISIONING"}, "EUR 25"),
]


@pytest.mark.parametrize(("price", "text"), UNREAD, ids=[text for _, text in UNREAD])
@pytest.mark.parametrize("max_price", [None, 3])
def test_a_price_that_cannot_be_read_is_reported_and_ends_no_pod(
    connection: Connection, through: Through, price: dict[str, Any], text: str, max_price: float | None
) -> None:
    live, told = through(priced(price), live=True), list[str]()
    agreed = re.escape(f"you agreed to ${max_price or QUOTE_USD_HR:.2f}/h")
    for _ in range(2):
        fields = {"gpu": "L4_24GB", "name": "train", "max_price": max_price, "yes": True}
        launch(**fields, limits=Limits(max_price_usd_hr=4), connection=live, tell=told.append)
        assert re.search(
            rf"'{re.escape(text)}', and {agreed}\. .* '%pods rm train' terminates it", told.pop()
        )
    assert names(connection) == ["train"]


@pytest.mark.parametrize("price", [None, "", "null", "N/A", "NaN", 0, "0", -5, "$-1", [], {}], ids=str)
def test_a_price_that_is_missing_is_not_reported(price: Any) -> None:
    assert PodDetails.model_validate({"name": "train", "priceHr": price}).unread_price is None


def test_a_price_that_is_told_while_waiting_and_cannot_be_read_is_warned_of() -> None:
    service, ended = Service("a"), PodsError("terminated")
    with connected(service, free=True) as connection:
        connection.agreements.add("a", 2.5, lambda *_: ended)
        (pod,) = service.details
        service.make_ready()
        service.put("a", priceHr="EUR 25")
        with pytest.warns(
            UserWarning, match=r"'EUR 25', and you agreed to \$2\.50/h.* '%pods rm a'"
        ) as warned:
            (ready,) = wait_for(connection, [pod]).pods
        assert (len(warned), ready.is_ready, format_pod(ready, START).price) == (
            1,
            True,
            "price 'EUR 25' cannot be read",
        )
        assert connection.agreements.has_pod("a"), "it is held until its price is known"


@pytest.mark.parametrize("price", [None, 0, -5, {}, "NaN"], ids=str)
def test_reports_a_ready_pod_whose_price_is_missing(
    connection: Connection, through: Through, price: Any
) -> None:
    ready = {"status": "ACTIVE", "installationStatus": "FINISHED", "sshConnection": "root@203.0.113.9 -p 22"}
    missing = {"priceHr": price, "provisioningPriceHr": price, **ready}
    live, told = through(priced(missing), live=True), list[str]()
    for _ in range(2):
        launch(gpu="L4_24GB", name="train", yes=True, connection=live, tell=told.append)
        (notice,) = [text for text in told if "price of 'train'" in text]
        assert notice.startswith(
            "Cannot read the price of 'train': the service states none, and you agreed to $0.69/h"
        )
        told.clear()
    assert names(connection) == ["train"]


def test_warns_once_of_a_pod_that_comes_up_without_a_price() -> None:
    service = Service("a")
    with connected(service, free=True) as connection:
        connection.agreements.add("a", 2.5, lambda *_: PodsError("terminated"))
        service.put("a", priceHr=None)
        (pod,) = service.details
        assert connection.agreements.describe_unread(pod) is None, "its price may come later"
        service.make_ready()
        with pytest.warns(UserWarning, match=r"states none, and you agreed to \$2\.50/h") as warned:
            # With a display, as every cell has one.
            wait_for(connection, [pod], on_snapshot=lambda _: None)
        assert len(warned) == 1


def test_a_newer_price_that_can_be_read_takes_the_place_of_one_that_cannot() -> None:
    pod = PodDetails.model_validate({"id": "a", "priceHr": "EUR 25"})
    silent, entry = PodStatusEntry(id="a"), PodStatusEntry(id="a", price_hr=2.5)
    assert (pod.updated(silent).unread_price, pod.updated(entry).unread_price) == ("EUR 25", None)


def test_a_live_pod_whose_price_cannot_be_read_does_not_slip_through_the_ceiling_for_all(
    connection: Connection, through: Through
) -> None:
    launch(gpu="L4_24GB", name="mystery")
    unread = through(priced({"priceHr": 0.5, "costPerHr": "EUR 25"}))
    with pytest.raises(BudgetExceeded, match=r"'mystery' has a price that cannot be read \('EUR 25'\)"):
        launch(gpu="L4_24GB", name="train", limits=Limits(max_burn_usd_hr=9), connection=unread)


@pytest.mark.parametrize("ceiling", [float("nan"), float("inf"), -1, True, "4"])
@pytest.mark.parametrize("which", ["max_price_usd_hr", "max_burn_usd_hr"])
def test_rejects_a_ceiling_that_is_no_number(which: str, ceiling: Any) -> None:
    with pytest.raises(InvalidRequest, match=which):
        Limits(**{which: ceiling})


@pytest.mark.parametrize("price", [0, -5, None, "-"], ids=str)
def test_a_live_pod_without_a_price_does_not_slip_through_the_ceiling_for_all(
    connection: Connection, through: Through, price: Any
) -> None:
    launch(gpu="L4_24GB", name="mystery")
    unpriced = through(priced({"priceHr": price, "provisioningPriceHr": price, "costPerHr": price}))
    with pytest.raises(BudgetExceeded, match="'mystery' has no price"):
        launch(gpu="L4_24GB", name="train", limits=Limits(max_burn_usd_hr=9), connection=unpriced)


def test_a_pod_is_held_until_it_is_ready_at_its_price() -> None:
    agreements, ended = Agreements(), PodsError("terminated")
    agreements.add("a", 2.5, lambda *_: ended)
    coming = PodDetails(id="a", status="PROVISIONING", price_hr=2.5)
    ready = PodDetails(id="a", status="ACTIVE", price_hr=2.5, ssh_connection="root@203.0.113.9 -p 22")
    dear = ready.model_copy(update={"price_hr": 9.0})
    assert agreements.enforce([coming, PodDetails(id="b", price_hr=99)], {"a", "b"}) == {}
    for _ in range(2):
        assert agreements.enforce([dear], {"a"}) == {"a": ended}, "until it is gone"
    assert agreements.enforce([dear.model_copy(update={"status": PodStatus.DELETING})], {"a"}) == {}
    assert agreements.enforce([dear], {"a"}) == {}
    agreements.add("a", 2.5, lambda *_: ended)
    assert agreements.enforce([ready], {"a"}) == {}
    assert agreements.enforce([dear], {"a"}) == {}


def test_a_price_that_was_not_read_does_not_end_an_agreement() -> None:
    agreements, ended = Agreements(), PodsError("terminated")
    agreements.add("a", 2.5, lambda *_: ended)
    ready = PodDetails(id="a", status="ACTIVE", price_hr=2.5, ssh_connection="root@203.0.113.9 -p 22")
    assert agreements.enforce([ready], set()) == {}
    assert agreements.has_pod("a")
    assert agreements.enforce([ready.model_copy(update={"price_hr": 9.0})], {"a"}) == {"a": ended}
    assert agreements.has_pod("a"), "until it is gone"


def test_a_cent_is_tolerated_and_no_more() -> None:
    assert [is_above(PodDetails(price_hr=price), 2.5) for price in (2.5, 2.51, 2.511, None)] == [
        False,
        False,
        True,
        False,
    ]


def test_pods_above_their_prices_are_ended_side_by_side_while_others_are_watched() -> None:
    service, both = Service("a", "b", "c"), threading.Barrier(2, timeout=10)

    def end(pod: PodDetails, _: float) -> PodsError:
        both.wait()
        return PodsError(f"{pod.name} was terminated")

    with connected(service, free=True) as connection:
        pods = service.details
        for pod in pods[:2]:
            connection.agreements.add(str(pod.id), 2.5, end)
        service.make_ready()
        service.put("a", priceHr=25.0)
        service.put("b", priceHr=25.0)
        watch = connection.poller.watch(pods[:2])
        assert wait_for(connection, pods[2:]).pods[0].is_ready
        with pytest.raises(PodsError, match="was terminated"):
            for _ in watch:
                pass


class Interrupted:
    """Runs work on a thread, and raises what Ctrl-C does: before the work has begun, or after."""

    def __init__(self, *, is_begun: bool) -> None:
        self._is_begun = is_begun
        self.threads: list[threading.Thread] = []

    def __call__(self, work: Callable[[], object]) -> None:
        if self._is_begun:
            self.threads.append(threading.Thread(target=work))
            self.threads[-1].start()
        raise KeyboardInterrupt


@pytest.mark.parametrize("is_begun", [False, True])
def test_ends_and_reports_a_dear_pod_although_ctrl_c_came_meanwhile(is_begun: bool) -> None:
    run = Interrupted(is_begun=is_begun)
    agreements = Agreements(run)
    agreements.add("a", 2.50, lambda pod, usd_hr: PodsError(f"{pod.name} was terminated"))
    dear = PodDetails(id="a", name="train", price_hr=25)
    with pytest.raises(KeyboardInterrupt):
        agreements.check([dear])
    for thread in run.threads:
        thread.join()
    told: list[str] = []
    if is_begun:
        agreements.check([], told.append)
        assert told == ["After an interrupt: train was terminated"]
    else:
        agreements._run = lambda work: work()
        with pytest.raises(PodsError, match="train was terminated"):
            agreements.check([dear], told.append)

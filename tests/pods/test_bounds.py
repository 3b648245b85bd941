"""What a command refuses, the Python call behind it refuses as well, before anything is asked or done."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from primepods_magic import Limits, Pod, Settings, connect, costs, launch, launch_many
from primepods_magic.api.client import Client
from primepods_magic.api.errors import InvalidRequest, NotFound
from primepods_magic.api.models import PodDetails
from primepods_magic.api.requests import create_request
from primepods_magic.api.validation.bounds import (
    MAX_COUNT,
    MAX_SECONDS,
    check_count,
    check_price,
    check_seconds,
)
from primepods_magic.pods.account.teams import find_team
from primepods_magic.pods.account.wallet import read_wallet
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.connection.current import current
from primepods_magic.pods.doctor import diagnose
from primepods_magic.pods.find import find_pod, find_pods
from primepods_magic.pods.history import read_history
from primepods_magic.pods.listing import list_fitting_offers, list_history, list_pod_details
from primepods_magic.pods.logs import follow_logs
from primepods_magic.pods.spec.spec import spec_from_mapping
from primepods_magic.pods.terminate import terminate_pods
from primepods_magic.pods.wait import begin_waiting, wait_for

DETAILS = PodDetails(id="24b59b", name="train", status="ACTIVE")
LEDGER = pd.DataFrame(
    {"name": ["a"], "cost_usd": [1.0], "begin_at": ["2026-09-01T00:00Z"], "end_at": ["2026-09-02T00:00Z"]}
)
DAYS = pd.DataFrame(
    {"period": pd.to_datetime(["2026-09-01", "2026-09-02"], utc=True), "cost_usd": [1.0, 2.0]}
)

Call = Callable[[Connection, Any], object]

COUNTS: dict[str, Call] = {
    "Pod.logs(tail)": lambda c, n: Pod(c, DETAILS).logs(tail=n),
    "Client.pod_logs(tail)": lambda c, n: c.client.pod_logs("24b59b", tail=n),
    "follow_logs(tail)": lambda c, n: follow_logs(c, DETAILS, print, tail=n),
    "costs.dearest(n)": lambda c, n: costs.dearest(LEDGER, n),
    "list_history(limit)": lambda c, n: list_history(c, limit=n),
    "Client.list_pods(limit)": lambda c, n: c.client.list_pods(limit=n),
    "Client.pod_history(limit)": lambda c, n: c.client.pod_history(limit=n),
    "Client.all_history(limit)": lambda c, n: c.client.all_history(limit=n),
    "Client.history_rows(limit)": lambda c, n: c.client.history_rows(limit=n, offset=0),
    "Client.wallet(limit)": lambda c, n: c.client.wallet(limit=n),
    "read_wallet(limit)": lambda c, n: read_wallet(c, limit=n),
    "Client.list_offers(gpu_count)": lambda c, n: c.client.list_offers(gpu_count=n),
    "list_fitting_offers(count)": lambda c, n: list_fitting_offers(
        c, spec_from_mapping({}, needs_gpu=False), count=n
    ),
    "read_history(in_flight)": lambda c, n: read_history(c, in_flight=n),
}
SPECS: dict[str, Call] = {
    "launch(count)": lambda c, n: launch(connection=c, gpu="L4_24GB", count=n),
    "launch(disk)": lambda c, n: launch(connection=c, gpu="L4_24GB", disk=n),
    "launch(max_price)": lambda c, x: launch(connection=c, gpu="L4_24GB", max_price=x),
}
OFFSETS: dict[str, Call] = {
    "list_history(offset)": lambda c, n: list_history(c, offset=n),
    "Client.list_pods(offset)": lambda c, n: c.client.list_pods(offset=n),
    "Client.pod_history(offset)": lambda c, n: c.client.pod_history(offset=n),
    "Client.all_history(offset)": lambda c, n: c.client.all_history(offset=n),
    "Client.history_rows(offset)": lambda c, n: c.client.history_rows(limit=1, offset=n),
    "Client.wallet(offset)": lambda c, n: c.client.wallet(offset=n),
}
TIMES: dict[str, Call] = {
    "Pod.wait(timeout_s)": lambda c, t: Pod(c, DETAILS).wait(timeout_s=t),
    "Pod.wait_async(timeout_s)": lambda c, t: asyncio.run(Pod(c, DETAILS).wait_async(timeout_s=t)),
    "wait_for(timeout_s)": lambda c, t: wait_for(c, [DETAILS], timeout_s=t),
    "begin_waiting(timeout_s)": lambda c, t: begin_waiting(c, [DETAILS], timeout_s=t, answer=str),
    "follow_logs(timeout_s)": lambda c, t: follow_logs(c, DETAILS, print, timeout_s=t),
    "remove_pods(timeout_s)": lambda c, t: terminate_pods(c, [DETAILS], timeout_s=t),
    "diagnose(timeout_s)": lambda c, t: diagnose(c, timeout_s=t),
    "Client(read_timeout_s)": lambda c, t: Client(c.settings, read_timeout_s=t),
    "Connection.poll_interval_s": lambda c, t: wait_for(
        Connection(c.client, c.clock, True, poll_interval_s=t), [DETAILS]
    ),
}
SETTLING: dict[str, Call] = {
    "launch(settle_s)": lambda c, t: launch(connection=c, gpu="L4_24GB", settle_s=t),
    "launch_many(settle_s)": lambda c, t: launch_many([{"gpu": "L4_24GB"}], connection=c, settle_s=t),
}
PRICES: dict[str, Call] = {
    "plot_budget(budget_usd)": lambda c, x: costs.plot_budget(DAYS, x),
}
AMOUNTS: dict[str, Call] = {
    "waste(never_ready_min)": lambda c, x: costs.waste(LEDGER, never_ready_min=x),
    "waste(short_min)": lambda c, x: costs.waste(LEDGER, short_min=x),
    "waste(idle_min)": lambda c, x: costs.waste(LEDGER, idle_min=x),
    "waste(forgotten_days)": lambda c, x: costs.waste(LEDGER, forgotten_days=x),
}
LIMITS: dict[str, Call] = {
    "Limits(max_price_usd_hr)": lambda c, x: Limits(max_price_usd_hr=x),
    "Limits(max_burn_usd_hr)": lambda c, x: Limits(max_burn_usd_hr=x),
}
WORDS: dict[str, Call] = {
    "wait_for(goal)": lambda c, w: wait_for(c, [DETAILS], goal=w),
    "begin_waiting(goal)": lambda c, w: begin_waiting(c, [DETAILS], goal=w, answer=str),
    "Pod.wait(goal)": lambda c, w: Pod(c, DETAILS).wait(w),
    "list_history(sort_by)": lambda c, w: list_history(c, sort_by=w),
    "list_history(sort_order)": lambda c, w: list_history(c, sort_order=w),
    "Client.pod_history(sort_by)": lambda c, w: c.client.pod_history(sort_by=w),
    "list_pod_details(statuses)": lambda c, w: list_pod_details(c, statuses=[w]),
}
FLAGS: dict[str, Call] = {
    "launch(yes)": lambda c, b: launch(connection=c, gpu="L4_24GB", yes=b),
    "launch(new)": lambda c, b: launch(connection=c, gpu="L4_24GB", new=b),
    "launch(replace_existing)": lambda c, b: launch(connection=c, gpu="L4_24GB", replace_existing=b),
    "launch_many(yes)": lambda c, b: launch_many([{"gpu": "L4_24GB"}], connection=c, yes=b),
    "launch_many(new)": lambda c, b: launch_many([{"gpu": "L4_24GB"}], connection=c, new=b),
    "launch_many(replace_existing)": lambda c, b: launch_many(
        [{"gpu": "L4_24GB"}], connection=c, replace_existing=b
    ),
    "connect(sandbox)": lambda c, b: connect(sandbox=b),
    "connect(live)": lambda c, b: connect(live=b),
    "current(sandbox_without_key)": lambda c, b: current(sandbox_without_key=b),
    "list_pod_details(everyone)": lambda c, b: list_pod_details(c, everyone=b),
    "list_fitting_offers(spot)": lambda c, b: list_fitting_offers(
        c, spec_from_mapping({}, needs_gpu=False), spot=b
    ),
    "read_history(refresh)": lambda c, b: read_history(c, refresh=b),
    "read_ledger(refresh)": lambda c, b: costs.read_ledger(c, refresh=b),
    "find_pods(to_change)": lambda c, b: find_pods(c, ["train"], to_change=b),
    "find_pod(to_change)": lambda c, b: find_pod(c, "train", to_change=b),
    "Settings(shares_with_team)": lambda c, b: Settings("http://a", "k", shares_with_team=b),
    "create_request(strict)": lambda c, b: create_request({}, strict=b),
}

BELOW = [-1, math.nan, -math.inf, np.float64("nan")]
NO_NUMBERS = [*BELOW, 10**400, "3", [], True]
CASES: list[tuple[dict[str, Call], list[Any]]] = [
    (COUNTS, [0, 1.5, *NO_NUMBERS]),
    (OFFSETS, [1.5, *NO_NUMBERS]),
    (TIMES, [0, math.inf, 1e300, *NO_NUMBERS]),
    (SETTLING, [math.inf, 1e300, *NO_NUMBERS]),
    (PRICES, [0, math.inf, *NO_NUMBERS]),
    (AMOUNTS, [math.inf, *NO_NUMBERS]),
    (LIMITS, [math.inf, "3", [], True, *BELOW]),
    # A spec is text as often as not.
    (SPECS, [0, math.inf, "three", [], *BELOW]),
    (WORDS, ["", "nonsense", "READYY"]),
    (FLAGS, ["false", "", 0, 1, None, np.True_, []]),
]
TABLE = {name: (call, values) for calls, values in CASES for name, call in calls.items()}


@pytest.fixture(scope="module")
def closed() -> Connection:
    """A connection to nowhere: whatever asks the service fails otherwise than by being refused."""
    from primepods_magic.pods.support.clock import ServiceClock

    client = Client(Settings("http://127.0.0.1:9", "sandbox-user"))
    return Connection(client, ServiceClock(client.session), True)


@pytest.mark.parametrize("name", TABLE)
def test_a_python_call_refuses_what_its_command_refuses(closed: Connection, name: str) -> None:
    call, values = TABLE[name]
    for value in values:
        with pytest.raises(InvalidRequest) as caught:
            call(closed, value)
        assert "Nothing was" in str(caught.value) or "There is no status" in str(caught.value)


MISTAKES: dict[str, tuple[str, Callable[[Any], object]]] = {
    "bytes": (r"launch\(gpu=", lambda c: launch(b"gpu: L4_24GB", connection=c)),
    "a text without a GPU": ("'gpu' is required", lambda c: launch("name: a", connection=c)),
    "an empty text": ("gpu is empty", lambda c: launch("", connection=c)),
    "a text for several": ("launch_many", lambda c: launch("gpu: L4_24GB\npods: 2", connection=c)),
    "a text with fields": ("not both", lambda c: launch("gpu: L4_24GB", name="a", connection=c)),
    "a GPU type twice": ("given twice", lambda c: launch("L4_24GB", gpu="A10_24GB", connection=c)),
    "a GPU type with a wrong field": ("'nmae' is not", lambda c: launch("L4_24GB", nmae="a", connection=c)),
    "a list": (r"launch\(gpu=", lambda c: launch([{"gpu": "L4_24GB"}], connection=c)),
    "a mapping with a key that is no text": ("must be text", lambda c: launch({1: 2}, connection=c)),
    "an empty mapping": ("'gpu' is required", lambda c: launch({}, connection=c)),
    "many of bytes": (r"\[{'gpu'", lambda c: launch_many(b"gpu: L4_24GB", connection=c)),
    "many of None": (r"\[{'gpu'", lambda c: launch_many(None, connection=c)),
    "many with None": (r"\[{'gpu'", lambda c: launch_many([None], connection=c)),
    "many with bytes": (r"\[{'gpu'", lambda c: launch_many([b"L4_24GB"], connection=c)),
    "limits": (r"Limits\(max", lambda c: launch(gpu="A", limits={"max_price_usd_hr": 4}, connection=c)),
    "no limits": (r"Limits\(max", lambda c: launch(gpu="A", limits={}, connection=c)),
    "limits of many": (r"Limits\(max", lambda c: launch_many([{"gpu": "A"}], limits=4, connection=c)),
    "confirm": ("a function", lambda c: launch(gpu="A", confirm="y", connection=c)),
    "confirm of many": ("a function", lambda c: launch_many([{"gpu": "A"}], confirm="y", connection=c)),
    "tell": ("such as print", lambda c: launch(gpu="A", tell="x", connection=c)),
    "connection": (r"connect\(sandbox=True\)", lambda c: launch(gpu="A", connection="x")),
    "connection of many": (r"connect\(sandbox=True\)", lambda c: launch_many([{"gpu": "A"}], connection="")),
    "connect with settings": (r"Settings\(url", lambda c: connect(settings=3)),
    "connect with a context": ("the name of a context", lambda c: connect(context=3)),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_an_argument_of_another_kind_is_refused_with_the_right_form(closed: Any, name: str) -> None:
    form, call = MISTAKES[name]
    with pytest.raises(InvalidRequest, match=f"{form}.*Nothing was sent$"):
        call(closed)


def test_the_fields_of_one_pod_are_taken_in_every_form(connection: Any) -> None:
    fields = {"gpu": "L4_24GB", "name": "train"}
    first = launch(fields, connection=connection)
    many = [launch_many(one, connection=connection) for one in (fields, spec_from_mapping(fields))]
    assert [[pod.id for pod in pods] for pods in many] == [[first.id]] * 2


@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_an_empty_text_names_nothing(text: str, connection: Connection) -> None:
    launch(connection=connection, gpu="L4_24GB", name="train")
    for call in (
        lambda: find_pod(connection, text),
        lambda: find_pods(connection, ["train", text], to_change=True),
        lambda: find_team(connection, text),
    ):
        with pytest.raises(NotFound, match=r"Cannot find a (pod|team) without a name or an id"):
            call()


def test_numbers_within_their_bounds_are_returned() -> None:
    assert check_count("n", 1) == check_count("n", np.int64(1)) == 1
    assert check_count("n", MAX_COUNT) == MAX_COUNT
    assert check_count("n", 0, 0) == 0
    assert check_count("n", None) is None
    assert check_seconds("s", MAX_SECONDS) == timedelta(days=30).total_seconds()
    assert check_seconds("s", np.float32(0.5)) == 0.5
    assert check_seconds("s", 0, may_be_zero=True) == 0
    assert check_price("p", 0.01) == 0.01
    assert check_price("p", None) is None

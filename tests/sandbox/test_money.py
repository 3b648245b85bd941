"""What things cost: the integral of the rates of their states, and what happens when nothing is left."""

from __future__ import annotations

from typing import Any

import pytest

from primepods_magic.sandbox import start
from primepods_magic.sandbox.domain.users import ADA

from .conftest import Caller

DISK_USD_HR = 0.035


def balance_usd(caller: Caller, **parameters: str) -> float:
    balance: float = caller.call("GET", "billing/wallet", params=parameters)["balance_usd"]
    return balance


def last_row(caller: Caller) -> dict[str, Any]:
    row: dict[str, Any] = caller.call("GET", "pods/history", params={"limit": 1})["data"][0]
    return row


def settled(caller: Caller) -> dict[str, Any]:
    """The newest row of the history when everything is billed."""
    caller.advance(86_400)
    return last_row(caller)


def test_a_pod_that_is_repriced_costs_the_new_price_from_then_on(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    caller.advance(2 + 3600)
    answer = caller.post(f"/sandbox/pods/{pod_id}/events", json={"event": "reprice", "price_usd_hr": 5.0})
    assert (answer.status_code, answer.json()["priceHr"]) == (200, 5.0)
    assert caller.call("GET", f"pods/{pod_id}")["priceHr"] == 5.0
    caller.advance(1800)
    assert caller.happen(pod_id, "reclaim").status_code == 200
    row = settled(caller)
    assert row["totalBilledPrice"] == pytest.approx(2.69 + 2.5, abs=1e-6)
    # The average over its life, the free seconds included.
    assert row["priceHr"] == pytest.approx((2.69 * 3602 + 5.0 * 1800) / 5402, abs=1e-4)


@pytest.mark.parametrize(
    "body",
    [
        {"event": "reprice"},
        {"event": "stop", "price_usd_hr": 1.0},
        {"event": "reprice", "price_usd_hr": -1.0},
    ],
)
def test_only_a_repricing_has_a_price(caller: Caller, body: dict[str, object]) -> None:
    pod_id = caller.order()["id"]
    assert caller.post(f"/sandbox/pods/{pod_id}/events", json=body).status_code == 422


def test_a_spot_pod_changes_its_price_and_is_taken_back_within_a_day(caller: Caller) -> None:
    pod = caller.order("NVIDIA H100 spot")
    before = pod["priceHr"]
    caller.advance(2 * 3600 - 1)
    (row,) = caller.status(pod["id"])
    assert row["status"] == "ACTIVE"
    assert row["priceHr"] != before
    assert caller.call("GET", "pods/history", params={"limit": 1})["data"][0]["id"] != pod["id"]
    caller.advance(22 * 3600 + 1)
    assert caller.status(pod["id"])[0]["status"] == "TERMINATED"
    assert caller.call("GET", "pods")["total_count"] == 0
    assert last_row(caller)["id"] == pod["id"]


def test_prepaid_hours_are_charged_with_the_order_and_free_afterwards(caller: Caller) -> None:
    offer = prepaid_offer(caller)
    hours = offer["prepaidTime"]
    assert caller.put("/sandbox/wallet", json={"balance_usd": 1e6}).status_code == 200
    pod = order_of(caller, offer)
    at_once_usd = 1e6 - balance_usd(caller)
    assert at_once_usd == pytest.approx(pod["priceHr"] * hours, abs=1e-3)
    caller.advance(hours * 3600)
    assert 1e6 - balance_usd(caller) == pytest.approx(at_once_usd + DISK_USD_HR * hours, abs=1e-3)
    caller.advance(3600)
    spent_usd = at_once_usd + pod["priceHr"] + DISK_USD_HR * (hours + 1)
    assert 1e6 - balance_usd(caller) == pytest.approx(spent_usd, abs=1e-3)


def test_prepaid_hours_are_charged_even_if_the_pod_ends_at_once(caller: Caller) -> None:
    offer = prepaid_offer(caller)
    assert caller.put("/sandbox/wallet", json={"balance_usd": 1e6}).status_code == 200
    pod = order_of(caller, offer)
    caller.call("DELETE", f"pods/{pod['id']}")
    row = settled(caller)
    assert row["totalBilledPrice"] == pytest.approx(pod["priceHr"] * offer["prepaidTime"], abs=1e-4)


def test_prepaid_hours_that_cannot_be_paid_buy_nothing(caller: Caller) -> None:
    offer = prepaid_offer(caller)
    assert caller.put("/sandbox/wallet", json={"balance_usd": 20.0}).status_code == 200
    answer = caller.post("/api/v1/pods", json=body_of(offer))
    assert (answer.status_code, "prepaid hours" in answer.text) == (402, True)


def test_fewer_prepaid_hours_than_the_offers_are_refused(caller: Caller) -> None:
    body = body_of(prepaid_offer(caller))
    body["pod"]["prepaidForHr"] = 1
    answer = caller.post("/api/v1/pods", json=body)
    assert (answer.status_code, "prepaidForHr must be" in answer.text) == (400, True)


def prepaid_offer(caller: Caller) -> dict[str, Any]:
    items = caller.call("GET", "availability/gpus", params={"page": 1})["items"]
    items += caller.call("GET", "availability/gpus", params={"page": 2})["items"]
    return next(row for row in items if row["prepaidTime"] and row["stockStatus"] != "Unavailable")


def body_of(offer: dict[str, Any]) -> dict[str, Any]:
    pod = {
        "name": "reserved",
        "cloudId": offer["cloudId"],
        "gpuType": offer["gpuType"],
        "socket": offer["socket"],
        "gpuCount": offer["gpuCount"],
        "dataCenterId": offer["dataCenter"],
        "maxPrice": 1e4,
    }
    return {"pod": pod, "provider": {"type": offer["provider"]}}


def order_of(caller: Caller, offer: dict[str, Any]) -> dict[str, Any]:
    return caller.call("POST", "pods", json=body_of(offer))


def test_an_empty_wallet_takes_its_pods_back_when_it_ran_dry(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    assert caller.put("/sandbox/wallet", json={"balance_usd": 2.725}).status_code == 200
    # Nobody looks for a week. One hour and two free seconds were paid for.
    caller.advance(7 * 86_400)
    row = last_row(caller)
    assert (row["id"], row["terminatedAt"][:18]) == (pod_id, "2026-09-14T09:00:0")
    assert caller.call("GET", "pods")["total_count"] == 0
    assert caller.status(pod_id)[0]["status"] == "TERMINATED"
    refused = caller.post("/api/v1/pods", json=body_of(caller.offer("n3-H100x1")))
    assert refused.status_code == 402


def test_an_empty_wallet_takes_nobody_elses_pods_back(caller: Caller) -> None:
    mine = caller.order()["id"]
    body = body_of(caller.offer("n3-H100x2"))
    body["team"] = {"teamId": "team_id"}
    teams = caller.call("POST", "pods", json=body)["id"]
    caller.advance(1234.567)
    answer = caller.put("/sandbox/wallet", json={"balance_usd": 0, "wallet_id": ADA.wallet_id})
    assert "-0.0" not in answer.text
    assert answer.json() == [{"wallet_id": ADA.wallet_id, "balance_usd": 0.0}]
    assert [pod["id"] for pod in caller.call("GET", "pods")["data"]] == [teams]
    assert caller.status(mine)[0]["status"] == "TERMINATED"
    assert balance_usd(caller, teamId="team_id") > 0


def test_money_that_is_paid_in_lets_pods_live_on(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    caller.put("/sandbox/wallet", json={"balance_usd": 1.0})
    caller.put("/sandbox/wallet", json={"balance_usd": 100.0})
    caller.advance(20 * 3600)
    assert caller.status(pod_id)[0]["status"] == "ACTIVE"
    caller.advance(20 * 3600)
    assert caller.status(pod_id)[0]["status"] == "TERMINATED"


def test_who_pays_is_who_was_named(caller: Caller) -> None:
    body = body_of(caller.offer("n3-H100x1"))
    body["team"] = {"teamId": "team_id"}
    pod = caller.call("POST", "pods", json=body)
    caller.advance(2 + 3600)
    assert balance_usd(caller, teamId="team_id") == pytest.approx(1000 - 2.69, abs=1e-4)
    assert balance_usd(caller) == pytest.approx(1000 - DISK_USD_HR * 3602 / 3600, abs=1e-4)
    wallet = caller.call("GET", "billing/wallet", params={"teamId": "team_id"})
    assert wallet["recent_billings"][0]["resource_id"] == pod["id"]
    assert (wallet["wallet_id"], wallet["team_id"]) == (pod["walletId"], "team_id")
    assert caller.get("/api/v1/billing/wallet", params={"teamId": "no"}).status_code == 404


def test_some_pods_are_billed_late_and_all_within_a_day(caller: Caller) -> None:
    pods = [caller.order(name=f"pod-{number}")["id"] for number in range(40)]
    caller.advance(1800)
    for pod_id in pods:
        caller.call("DELETE", f"pods/{pod_id}")
    caller.advance(2)

    def billed() -> dict[str, float]:
        rows = caller.call("GET", "pods/history", params={"limit": 40})["data"]
        return {row["id"]: row["totalBilledPrice"] for row in rows}

    at_first = billed()
    assert set(at_first) == set(pods)
    late = [pod_id for pod_id in pods if not at_first[pod_id]]
    assert 1 <= len(late) <= 15
    caller.advance(86_400)
    in_the_end = billed()
    assert all(usd == pytest.approx(in_the_end[pods[0]]) for usd in in_the_end.values())
    assert in_the_end[pods[0]] > 1


def test_the_history_differs_from_rate_times_duration_in_a_tenth_of_its_rows() -> None:
    from datetime import datetime

    with start(clock="stepped", history=1000) as sandbox, Caller(sandbox.url) as caller:
        caller.advance(86_400)
        rows = caller.call("GET", "pods/history", params={"limit": 1000})["data"]
    differing = 0
    for row in rows:
        begin, end = (
            datetime.fromisoformat(row[key].replace("Z", "+00:00")) for key in ("createdAt", "terminatedAt")
        )
        naive_usd = row["priceHr"] * (end - begin).total_seconds() / 3600
        differing += abs(naive_usd - row["totalBilledPrice"]) > 0.05 * row["totalBilledPrice"]
    assert differing >= 100

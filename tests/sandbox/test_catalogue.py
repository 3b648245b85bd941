"""What can be rented, who rents it, and what the past holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from primepods_magic.sandbox import start

from .conftest import Caller

SPEC_KEYS = {
    "minCount",
    "defaultCount",
    "maxCount",
    "pricePerUnit",
    "step",
    "defaultIncludedInPrice",
    "additionalInfo",
}


def all_offers(caller: Caller) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while items := caller.call("GET", f"availability/gpus?page={1 + len(rows) // 100}")["items"]:
        rows += items
        if len(items) < 100:
            break
    return rows


def test_there_is_a_choice(caller: Caller) -> None:
    rows = all_offers(caller)
    assert len(rows) >= 120
    assert len({row["gpuType"] for row in rows}) >= 20
    assert len({row["provider"] for row in rows}) >= 12
    assert len({row["region"] for row in rows} - {None}) >= 8
    assert {row["security"] for row in rows} == {"secure_cloud", "community_cloud"}
    assert {row["prices"]["currency"] for row in rows} == {"USD", "EUR"}
    assert {row["stockStatus"] for row in rows} == {"Available", "Low", "Medium", "High", "Unavailable"}
    assert any(row["isSpot"] for row in rows)
    assert any(row["dataCenter"] is None for row in rows)
    assert any(row["prepaidTime"] for row in rows)
    assert any(row["region"] is None for row in rows)
    assert any(row["vcpu"]["step"] for row in rows)
    unpriced = [row for row in rows if not (row["prices"]["onDemand"] or row["prices"]["communityPrice"])]
    assert len(unpriced) == 1
    for row in rows:
        for amount in ("disk", "sharedDisk", "vcpu", "memory"):
            assert set(row[amount]) == SPEC_KEYS


def test_the_pages_offer_is_there(caller: Caller) -> None:
    row = caller.offer("n3-H100x1")
    assert row["prices"] == {"onDemand": 2.69, "communityPrice": None, "isVariable": False, "currency": "USD"}
    documented = {
        "gpuType": "H100_80GB",
        "socket": "PCIe",
        "gpuCount": 1,
        "provider": "hyperstack",
        "dataCenter": "CANADA-1",
        "country": "CA",
        "security": "secure_cloud",
    }
    assert {key: row[key] for key in documented} == documented
    assert {"ubuntu_22_cuda_12", "custom_template"} <= set(row["images"])


def test_every_offer_in_stock_can_be_rented(caller: Caller) -> None:
    rows = all_offers(caller) + caller.call("GET", "availability/multi-node")["items"]
    assert caller.put("/sandbox/wallet", json={"balance_usd": 1e6}).status_code == 200
    for row in rows:
        prices = row["prices"]
        pod = {"name": "x", "maxPrice": 1000.0, "image": row["images"][0]}
        pod |= {key: row[key] for key in ("cloudId", "gpuType", "socket", "gpuCount", "security", "country")}
        pod |= {"dataCenterId": row["dataCenter"], "diskSize": row["disk"]["defaultCount"]}
        pod |= {"vcpus": row["vcpu"]["defaultCount"], "memory": row["memory"]["defaultCount"]}
        answer = caller.post("/api/v1/pods", json={"pod": pod, "provider": {"type": row["provider"]}})
        if prices["communityPrice"] is prices["onDemand"] is None:
            assert (answer.status_code, "has no price" in answer.text) == (400, True)
            continue
        if row["stockStatus"] == "Unavailable":
            assert answer.status_code == 409
            continue
        assert answer.status_code == 200, answer.text
        if prices["currency"] == "USD":
            price = prices["communityPrice"] or prices["onDemand"]
            assert answer.json()["priceHr"] == pytest.approx(price, abs=1e-4)
        assert answer.json()["isSpot"] is row["isSpot"]


def test_more_of_a_machine_costs_more(caller: Caller) -> None:
    row = caller.offer("cudo-A4000x1")
    pod = caller.order("cudo-A4000x1", vcpus=row["vcpu"]["defaultCount"] + 4, memory=44)
    assert pod["priceHr"] == pytest.approx(0.17 + 4 * 0.005 + 12 * 0.0025)
    assert pod["resources"]["memory"] == "44"


def test_a_bigger_disk_costs_more(caller: Caller) -> None:
    assert caller.order(diskSize=300)["priceHr"] == pytest.approx(2.69 + 100 * 0.00014)


@pytest.mark.parametrize(
    ("query", "field", "values"),
    [
        ("gpu_type=H100_80GB", "gpuType", {"H100_80GB"}),
        ("gpu_count=8", "gpuCount", {8}),
        ("regions=canada&regions=eu_east", "region", {"canada", "eu_east"}),
        ("socket=SXM4", "socket", {"SXM4"}),
        ("security=community_cloud", "security", {"community_cloud"}),
        ("data_center_id=FIN-01", "dataCenter", {"FIN-01"}),
        ("cloud_id=NVIDIA RTX4090", "cloudId", {"NVIDIA RTX4090"}),
        ("disks=disk_id_1", "dataCenter", {"CANADA-1"}),
    ],
)
def test_filters(caller: Caller, query: str, field: str, values: set[object]) -> None:
    answer = caller.call("GET", f"availability/gpus?{query}")
    assert {row[field] for row in answer["items"]} == values
    assert answer["totalCount"] == len(answer["items"]) < len(all_offers(caller))


def test_pages_of_offers_add_up(caller: Caller) -> None:
    rows = []
    page = 1
    while found := caller.call("GET", f"availability/gpus?page_size=30&page={page}")["items"]:
        rows += found
        page += 1
    assert rows == all_offers(caller)
    assert caller.call("GET", f"availability/gpus?page={page}")["totalCount"] == len(rows)


def test_the_summary_agrees_with_the_offers(caller: Caller) -> None:
    summary = caller.call("GET", "availability/gpu-summary")
    rows = all_offers(caller)
    assert set(summary) == {row["gpuType"] for row in rows}
    bought = [
        row["prices"]["onDemand"]
        for row in rows
        if row["gpuType"] == "H100_80GB"
        and row["gpuCount"] == 1
        and not row["isSpot"]
        and row["prices"]["currency"] == "USD"
    ]
    assert summary["H100_80GB"]["1"]["cheapest"]["onDemand"] == min(bought)
    assert summary["A100_40GB"]["8"]["cheapest"] is None


def test_the_account(caller: Caller) -> None:
    assert caller.call("GET", "user/whoami")["data"]["name"] == "Ada Lovelace"
    assert caller.call("GET", "user/teams")["data"][0]["teamId"] == "team_id"
    assert caller.call("GET", "ssh_keys")["data"][0]["isPrimary"] is True
    pod = caller.call("POST", "pods", json={**order_body(), "disks": ["disk_id_1"]})
    (disk,) = caller.call("GET", "disks")["data"]
    assert (disk["id"], disk["pods"]) == ("disk_id_1", [pod["id"]])


def order_body() -> dict[str, Any]:
    pod = {"cloudId": "n3-H100x1", "gpuType": "H100_80GB", "socket": "PCIe", "gpuCount": 1}
    return {"pod": {**pod, "dataCenterId": "CANADA-1"}, "provider": {"type": "hyperstack"}}


def test_the_wallet_lists_live_pods_before_ended_ones(caller: Caller) -> None:
    pod_id = caller.order()["id"]
    caller.advance(3602)
    wallet = caller.call("GET", "billing/wallet", params={"limit": 2})
    assert wallet["balance_usd"] == pytest.approx(1000 - 2.69 - 0.035 * 3602 / 3600, abs=1e-4)
    pod, disk = wallet["recent_billings"]
    assert (pod["resource_id"], pod["amount_usd"]) == (pod_id, 2.69)
    assert (disk["resource_id"], disk["resource_type"]) == ("disk_id_1", "disks")
    (ended,) = caller.call("GET", "billing/wallet", params={"limit": 1, "offset": 2})["recent_billings"]
    assert ended["last_billed_at"] < "2026-09-14T08:00:00"
    team = caller.call("GET", "billing/wallet", params={"teamId": "team_id", "limit": 100})
    assert team["balance_usd"] == 1000
    assert 0 < team["total_billings"] == len(team["recent_billings"]) < 180


def history(caller: Caller, **parameters: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = caller.call("GET", "pods/history", params=parameters)["data"]
    return rows


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_the_past_is_worth_analysing(caller: Caller) -> None:
    rows = history(caller, limit=1000)
    # What others rented for themselves is in it nowhere.
    assert len(rows) == 180
    assert {row["type"] for row in rows} == {"Instance", "Disk"}
    assert len({row["provisionedBy"] for row in rows}) == 3
    assert len({row["teamId"] for row in rows}) == 3
    assert len({row["gpuName"] for row in rows}) > 8
    uneven = 0
    for row in rows:
        start_at, end_at = instant(row["createdAt"]), instant(row["terminatedAt"])
        assert start_at < end_at <= instant("2026-09-14T08:00:00Z")
        hours = (end_at - start_at).total_seconds() / 3600
        uneven += abs(row["priceHr"] * hours - row["totalBilledPrice"]) > 0.01 * row["totalBilledPrice"]
    assert 18 <= uneven < 180


@pytest.mark.parametrize("sort_by", ["terminatedAt", "createdAt"])
def test_history_is_sorted_and_paged(caller: Caller, sort_by: str) -> None:
    ascending = history(caller, limit=1000, sort_by=sort_by, sort_order="asc")
    assert [row[sort_by] for row in ascending] == sorted(row[sort_by] for row in ascending)
    assert history(caller, limit=1000, sort_by=sort_by, sort_order="desc") == ascending[::-1]
    paged = []
    for offset in range(0, 210, 50):
        paged += history(caller, limit=50, offset=offset, sort_by=sort_by, sort_order="asc")
    assert paged == ascending


def test_history_is_newest_first_by_default(caller: Caller) -> None:
    assert history(caller) == history(caller, sort_by="terminatedAt", sort_order="desc", limit=100)


def test_pages_are_capped(caller: Caller) -> None:
    with start(clock="stepped", page_cap=25, history=60) as sandbox, Caller(sandbox.url) as capped:
        answer = capped.call("GET", "pods/history", params={"limit": 100})
        assert (answer["limit"], len(answer["data"]), answer["total_count"]) == (25, 25, 60)
        assert len(capped.call("GET", "availability/gpus")["items"]) == 25


@pytest.mark.soak
def test_any_page_of_a_long_history_is_quick() -> None:
    with start(clock="stepped", history=100_000) as sandbox, Caller(sandbox.url) as client:
        for sort_by in ("terminatedAt", "createdAt"):
            answer = client.get(
                "/api/v1/pods/history", params={"offset": 99_900, "limit": 100, "sort_by": sort_by}
            )
            assert len(answer.json()["data"]) == 100
            assert answer.elapsed.total_seconds() < 1

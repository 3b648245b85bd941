"""Disks: bought, renamed, attached and ended; they bill all the while and survive their pods."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Caller


def buy(caller: Caller, provider: str = "hyperstack", **changes: Any) -> dict[str, Any]:
    disk = {"size": 100, "name": "scratch", "dataCenterId": "CANADA-1", **changes}
    return caller.call("POST", "disks", json={"disk": disk, "provider": {"type": provider}})


def pod_with(caller: Caller, *disk_ids: str, cloud_id: str = "n3-H100x1") -> dict[str, Any]:
    offer = caller.offer(cloud_id)
    pod = {key: offer[key] for key in ("cloudId", "gpuType", "socket", "gpuCount")}
    pod |= {"dataCenterId": offer["dataCenter"]}
    body = {"pod": pod, "provider": {"type": offer["provider"]}, "disks": list(disk_ids)}
    answer = caller.post("/api/v1/pods", json=body)
    return {"status_code": answer.status_code, **answer.json()}


def test_a_disk_comes_up_is_renamed_and_ends(caller: Caller) -> None:
    disk = buy(caller)
    assert (disk["status"], disk["size"], disk["name"]) == ("PROVISIONING", 100, "scratch")
    assert disk["info"]["dataCenterId"] == "CANADA-1"
    caller.advance(2)
    assert caller.call("GET", f"disks/{disk['id']}")["status"] == "ACTIVE"
    caller.call("PATCH", f"disks/{disk['id']}", json={"name": "corpus"})
    names = [row["name"] for row in caller.call("GET", "disks")["data"]]
    assert names == ["datasets", "corpus"]
    assert caller.call("DELETE", f"disks/{disk['id']}") == {"status": "DELETING"}
    assert caller.call("DELETE", f"disks/{disk['id']}") == {"status": "DELETING"}
    caller.advance(2)
    assert caller.get(f"/api/v1/disks/{disk['id']}").status_code == 404
    assert caller.call("GET", "disks")["total_count"] == 1


def test_a_disk_bills_while_it_is_attached_to_nothing(caller: Caller) -> None:
    disk = buy(caller, size=1000)
    before = caller.call("GET", "billing/wallet")["balance_usd"]
    caller.advance(2 + 3600)
    spent = before - caller.call("GET", "billing/wallet")["balance_usd"]
    assert spent == pytest.approx(0.07 + 0.035 * 3602 / 3600, abs=1e-4)
    caller.call("DELETE", f"disks/{disk['id']}")
    caller.advance(2)
    (row,) = caller.call("GET", "pods/history", params={"limit": 1})["data"]
    assert (row["id"], row["type"], row["gpuCount"]) == (disk["id"], "Disk", 0)
    assert row["totalBilledPrice"] == pytest.approx(0.07 + 0.07 * 2 / 3600, abs=1e-6)


def test_an_attached_disk_survives_its_pod(caller: Caller) -> None:
    disk = buy(caller)
    caller.advance(2)
    pod = pod_with(caller, disk["id"])
    assert pod["attachedResources"][0]["id"] == disk["id"]
    assert caller.call("GET", f"disks/{disk['id']}")["pods"] == [pod["id"]]
    refused = caller.delete(f"/api/v1/disks/{disk['id']}")
    assert (refused.status_code, pod["id"] in refused.text) == (409, True)
    caller.call("DELETE", f"pods/{pod['id']}")
    caller.advance(2)
    found = caller.call("GET", f"disks/{disk['id']}")
    assert (found["status"], found["pods"]) == ("ACTIVE", [])
    assert caller.call("DELETE", f"disks/{disk['id']}") == {"status": "DELETING"}


def test_only_an_active_disk_is_attached_or_deleted(caller: Caller) -> None:
    disk = buy(caller)
    assert "PROVISIONING" in pod_with(caller, disk["id"])["detail"]
    assert caller.delete(f"/api/v1/disks/{disk['id']}").status_code == 409
    caller.advance(2)
    caller.call("DELETE", f"disks/{disk['id']}")
    assert "DELETING" in pod_with(caller, disk["id"])["detail"]


def test_a_disk_of_one_machine_serves_one_pod(caller: Caller) -> None:
    assert pod_with(caller, "disk_id_1")["status_code"] == 200
    second = pod_with(caller, "disk_id_1")
    assert (second["status_code"], "serves one pod" in second["detail"]) == (400, True)


def test_a_disk_is_attached_where_it_is(caller: Caller) -> None:
    answer = pod_with(caller, "disk_id_1", cloud_id="dc1-H100x1")
    assert (answer["status_code"], "hyperstack CANADA-1" in answer["detail"]) == (400, True)
    missing = pod_with(caller, "nothing")
    assert missing["status_code"] == 404


def test_a_shared_disk_serves_several_pods_and_a_cluster(caller: Caller) -> None:
    disk = buy(caller, "primecompute", dataCenterId="us-west-2")
    assert disk["info"]["isMultinode"] is True
    caller.advance(2)
    pod = pod_with(caller, disk["id"], cloud_id="pc-H100x1")
    cluster = pod_with(caller, disk["id"], cloud_id="pc-H200x16")
    found = caller.call("GET", f"disks/{disk['id']}")
    assert (found["pods"], found["clusters"]) == ([pod["id"]], [cluster["clusterId"]])


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"size": 5}, 400, "size must be between"),
        ({"size": 105}, 400, "multiple of 10"),
        ({"size": 0}, 422, "size"),
        ({"size": "100"}, 422, "size"),
        ({"size": 100, "colour": "red"}, 422, "colour"),
        ({"dataCenterId": "MOON-1"}, 400, "CANADA-1"),
        ({"country": "FR"}, 400, "country FR"),
        ({"name": "x" * 256}, 422, "name"),
    ],
)
def test_what_no_disk_can_be_is_refused(
    caller: Caller, changes: dict[str, Any], status: int, said: str
) -> None:
    disk = {"size": 100, **changes}
    answer = caller.post("/api/v1/disks", json={"disk": disk, "provider": {"type": "hyperstack"}})
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert caller.call("GET", "disks")["total_count"] == 1


def test_a_sold_out_and_a_missing_provider_of_disks(caller: Caller) -> None:
    sold_out = {"disk": {"size": 100, "dataCenterId": "ap-south-1"}, "provider": {"type": "primecompute"}}
    assert caller.post("/api/v1/disks", json=sold_out).status_code == 409
    nobody = {"disk": {"size": 100}, "provider": {"type": "lambdalabs"}}
    assert caller.post("/api/v1/disks", json=nobody).status_code == 400


def test_a_teams_disk_is_paid_by_the_team(caller: Caller) -> None:
    body = {"disk": {"size": 100}, "provider": {"type": "hyperstack"}, "team": {"teamId": "team_id"}}
    disk = caller.call("POST", "disks", json=body)
    assert disk["teamId"] == "team_id"
    with Caller(str(caller.base_url), "sandbox-teammate") as mate:
        assert [row["id"] for row in mate.call("GET", "disks")["data"]] == [disk["id"]]
        assert mate.get("/api/v1/disks/disk_id_1").status_code == 404
    caller.put("/sandbox/wallet", json={"balance_usd": 0})
    assert caller.post("/api/v1/disks", json=body).status_code == 402

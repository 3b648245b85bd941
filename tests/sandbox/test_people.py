"""Who sees what: one's own pods, those of one's teams, and one's own keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .conftest import Caller

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGKPFjsb5CzxwFXvX4nQZvXYhCQeSVyR1o2XJZt0y8bN"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHfPFjsb5CzxwFXvX4nQZvXYhCQeSVyR1o2XJZt0y8bN"


@pytest.fixture
def mate(caller: Caller) -> Iterator[Caller]:
    """A team-mate's client of the caller's sandbox."""
    with Caller(str(caller.base_url), "sandbox-teammate") as client:
        yield client


def team_pod(caller: Caller) -> dict[str, Any]:
    offer = caller.offer("n3-H100x1")
    pod = {key: offer[key] for key in ("cloudId", "gpuType", "socket", "gpuCount")}
    body = {"pod": pod, "provider": {"type": "hyperstack"}, "team": {"teamId": "team_id"}}
    return caller.call("POST", "pods", json=body)


def test_a_team_mates_pod_is_seen_and_his_own_is_not(caller: Caller, mate: Caller) -> None:
    own, shared = mate.order(), team_pod(mate)
    (listed,) = caller.call("GET", "pods")["data"]
    assert listed["id"] == shared["id"]
    assert listed["userId"] == mate.call("GET", "user/whoami")["data"]["id"]
    assert listed["userId"] != caller.call("GET", "user/whoami")["data"]["id"]
    assert [row["podId"] for row in caller.status(own["id"], shared["id"])] == [shared["id"]]
    for path in (f"pods/{own['id']}", f"pods/{own['id']}/logs"):
        assert caller.get(f"/api/v1/{path}").status_code == 404
    assert caller.delete(f"/api/v1/pods/{own['id']}").status_code == 404
    assert mate.call("GET", f"pods/{own['id']}")["id"] == own["id"]


def test_the_history_is_that_of_what_one_sees(caller: Caller, mate: Caller) -> None:
    own, shared = mate.order()["id"], team_pod(mate)["id"]
    for pod_id in (own, shared):
        mate.call("DELETE", f"pods/{pod_id}")
    mate.advance(5)
    mine = caller.call("GET", "pods/history", params={"limit": 1000})
    his = mate.call("GET", "pods/history", params={"limit": 1000})
    assert {own, shared} <= {row["id"] for row in his["data"]}
    assert own not in {row["id"] for row in mine["data"]}
    assert mine["total_count"] == len(mine["data"])
    assert his["total_count"] == len(his["data"]) < mine["total_count"]
    assert {row["teamId"] for row in his["data"] if row["id"] != own} == {
        "team_id",
        "cmc1t3a2b0001q7w9e8r6y5ui",
    }


def test_a_key_that_may_not_touch_disks(caller: Caller) -> None:
    with Caller(str(caller.base_url), "sandbox-pods") as client:
        scope = client.call("GET", "user/whoami")["data"]["scope"]
        assert scope["instances"] == {"read": True, "write": True}
        assert scope["disks"] == {"read": False, "write": False}
        assert client.order()["id"]


def test_keys_come_and_go_and_one_is_primary(caller: Caller) -> None:
    first = caller.call("GET", "ssh_keys")["data"][0]
    added = caller.call("POST", "ssh_keys", json={"name": "desk", "publicKey": f"{KEY} ada@desk"})
    assert (added["isPrimary"], added["publicKey"]) == (False, f"{KEY} ada@desk")
    changed = caller.call("PATCH", f"ssh_keys/{added['id']}", json={"isPrimary": True})
    assert changed["updated_fields"] == {"isPrimary": True}
    rows = caller.call("GET", "ssh_keys")["data"]
    assert [(row["id"], row["isPrimary"]) for row in rows] == [(first["id"], False), (added["id"], True)]
    again = caller.call("PATCH", f"ssh_keys/{added['id']}", json={"isPrimary": None})
    assert again["updated_fields"] == {}
    caller.call("DELETE", f"ssh_keys/{added['id']}")
    (left,) = caller.call("GET", "ssh_keys")["data"]
    assert (left["id"], left["isPrimary"]) == (first["id"], True)
    assert caller.delete(f"/api/v1/ssh_keys/{added['id']}").status_code == 404


def test_keys_are_each_persons_own(caller: Caller, mate: Caller) -> None:
    assert mate.call("GET", "ssh_keys")["data"] == []
    his = mate.call("POST", "ssh_keys", json={"name": "his", "publicKey": KEY})
    assert his["isPrimary"] is True
    assert caller.delete(f"/api/v1/ssh_keys/{his['id']}").status_code == 404
    assert caller.call("POST", "ssh_keys", json={"name": "mine too", "publicKey": KEY})["name"] == "mine too"


@pytest.mark.parametrize(
    "public_key", ["", "hello", "ssh-ed25519", "ssh-ed25519 %%%", "ssh-rsa " + KEY.split()[1], f"x{KEY}"]
)
def test_what_is_no_public_key_is_refused(caller: Caller, public_key: str) -> None:
    answer = caller.post("/api/v1/ssh_keys", json={"name": "desk", "publicKey": public_key})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "publicKey"])


def test_the_same_key_is_not_added_twice(caller: Caller) -> None:
    caller.call("POST", "ssh_keys", json={"name": "desk", "publicKey": KEY})
    again = caller.post("/api/v1/ssh_keys", json={"name": "desk again", "publicKey": f"{KEY} comment"})
    assert (again.status_code, "'desk'" in again.text) == (409, True)
    assert caller.post("/api/v1/ssh_keys", json={"name": "other", "publicKey": OTHER}).status_code == 200
    assert caller.patch("/api/v1/ssh_keys/x", json={"isPrimary": False}).status_code == 422


def test_a_pod_can_name_its_key(caller: Caller) -> None:
    (key,) = caller.call("GET", "ssh_keys")["data"]
    assert caller.order(sshKeyId=key["id"])["id"]
    offer = caller.offer("n3-H100x1")
    pod = {name: offer[name] for name in ("cloudId", "gpuType", "socket", "gpuCount")}
    answer = caller.post(
        "/api/v1/pods", json={"pod": {**pod, "sshKeyId": "no"}, "provider": {"type": "hyperstack"}}
    )
    assert (answer.status_code, "sshKeyId" in answer.text) == (400, True)


def test_a_slug_is_one_persons(caller: Caller, mate: Caller) -> None:
    assert caller.call("PATCH", "user/slug", json={"slug": "countess"})["data"]["slug"] == "countess"
    assert caller.call("GET", "user/whoami")["data"]["slug"] == "countess"
    assert mate.patch("/api/v1/user/slug", json={"slug": "countess"}).status_code == 409
    for slug in ("ab", "A-B", "x" * 31, "a b"):
        assert caller.patch("/api/v1/user/slug", json={"slug": slug}).status_code == 422


@pytest.mark.parametrize(
    ("image", "is_valid"),
    [
        ("ubuntu", True),
        ("ghcr.io/org/name:tag", True),
        ("localhost:5000/a/b@sha256:" + "0" * 64, True),
        ("UPPER/case", False),
        ("a b", False),
        ("name:", False),
        ("/name", False),
    ],
)
def test_images_are_checked_by_their_names(caller: Caller, image: str, is_valid: bool) -> None:
    assert caller.call("POST", "template/check-docker-image", json={"image": image})["valid"] is is_valid


def test_registry_credentials_are_named_and_nothing_else(caller: Caller) -> None:
    (credentials,) = caller.call("GET", "template/registry-credentials")["credentials"]
    assert set(credentials) == {"id", "name", "server", "createdAt", "updatedAt", "userId", "teamId"}
    body = {"image": "ubuntu", "registry_credentials_id": credentials["id"]}
    assert caller.call("POST", "template/check-docker-image", json=body)["valid"] is True
    body["registry_credentials_id"] = "no"
    assert caller.post("/api/v1/template/check-docker-image", json=body).status_code == 404


def test_an_offer_can_be_taken_out_of_stock(caller: Caller) -> None:
    answer = caller.put("/sandbox/offers", json={"cloud_id": "n3-H100x1", "stock": "Unavailable"})
    assert answer.json() == {"changed": 2}
    assert caller.offer("n3-H100x1")["stockStatus"] == "Unavailable"
    offer = caller.offer("n3-H100x1")
    pod = {name: offer[name] for name in ("cloudId", "gpuType", "socket", "gpuCount")}
    sold_out = caller.post("/api/v1/pods", json={"pod": pod, "provider": {"type": "hyperstack"}})
    assert (sold_out.status_code, "no capacity" in sold_out.text) == (409, True)
    back = {"cloud_id": "n3-H100x1", "data_center": "NORWAY-1", "stock": "Low"}
    assert caller.put("/sandbox/offers", json=back).json() == {"changed": 1}
    assert caller.order(dataCenterId="NORWAY-1", country="NO")["id"]
    assert caller.put("/sandbox/offers", json={"cloud_id": "no", "stock": "Low"}).status_code == 404

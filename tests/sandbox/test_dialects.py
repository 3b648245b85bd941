"""The two ways in which the API is described, and what each says."""

from __future__ import annotations

import pytest

from .conftest import Caller

CLI_NEEDS = {
    "id",
    "name",
    "type",
    "providerType",
    "status",
    "createdAt",
    "gpuName",
    "gpuCount",
    "socket",
    "ip",
    "resources",
}


def installation_words(caller: Caller) -> list[str]:
    well, badly = caller.order(), caller.order("td-RTX4090x1")
    words = [well["installationStatus"]]
    caller.advance(5)
    words.append(caller.status(well["id"])[0]["installationStatus"])
    caller.advance(10)
    words += [row["installationStatus"] for row in caller.status(well["id"], badly["id"])]
    return words


def test_the_installation_words(caller: Caller, published: Caller) -> None:
    assert installation_words(caller) == ["PENDING", "IN_PROGRESS", "COMPLETE", "FAILED"]
    assert installation_words(published) == ["PENDING", "ACTIVE", "FINISHED", "ERROR"]


def test_resources_are_strings_or_integers(caller: Caller, published: Caller) -> None:
    assert caller.order()["resources"] == {"memory": "128", "disk": "200", "vcpus": "16"}
    assert published.order()["resources"] == {"memory": 128, "disk": 200, "shared_disk": None, "vcpus": 16}


def test_the_published_status_is_always_a_list(published: Caller) -> None:
    pod_id = published.order()["id"]
    answer = published.call("GET", "pods/status", params={"pod_ids": pod_id})
    assert set(answer) == {"data", "status"}
    assert answer["status"] is None
    (row,) = answer["data"]
    assert row["podId"] == pod_id
    assert "costPerHr" not in row


def test_the_specified_status_names_the_price_twice(caller: Caller) -> None:
    (row,) = caller.status(caller.order()["id"])
    assert row["costPerHr"] == row["priceHr"] == 2.69


@pytest.mark.parametrize("dialect", ["caller", "published"])
def test_both_dialects_have_every_key_that_clients_need(dialect: str, request: pytest.FixtureRequest) -> None:
    caller: Caller = request.getfixturevalue(dialect)
    pod_id = caller.order(image="cuda_12_6_pytorch_2_7")["id"]
    caller.advance(20)
    pod = caller.call("GET", f"pods/{pod_id}")
    assert set(pod) >= CLI_NEEDS
    assert [row["usedBy"] for row in pod["primePortMapping"]] == ["SSH", "JUPYTER_NOTEBOOK"]
    assert all("description" in row for row in pod["primePortMapping"])


@pytest.mark.parametrize("dialect", ["caller", "published"])
def test_nobody_is_unknown_to_status(dialect: str, request: pytest.FixtureRequest) -> None:
    caller: Caller = request.getfixturevalue(dialect)
    nothing: dict[str, object] = {"data": [], "status": None}
    assert caller.call("GET", "pods/status", params={"pod_ids": "unknown"}) == nothing
    assert caller.call("GET", "pods/status") == nothing

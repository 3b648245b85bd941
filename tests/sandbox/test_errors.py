"""What is refused, and in which words. No answer shows a traceback or repeats a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Caller
from .test_contract import CREATE_BODY

REMOVED = object()


def changed(**changes: Any) -> dict[str, Any]:
    """The page's body with other members of ``pod``."""
    body: dict[str, Any] = json.loads(CREATE_BODY)
    body["pod"] = {key: value for key, value in {**body["pod"], **changes}.items() if value is not REMOVED}
    return body


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gpuCount": 0}, "gpuCount"),
        ({"gpuCount": "1"}, "gpuCount"),
        ({"gpuCount": 1.5}, "gpuCount"),
        ({"gpuCount": True}, "gpuCount"),
        ({"gpuCount": REMOVED}, "gpuCount"),
        ({"cloudId": REMOVED}, "cloudId"),
        ({"gpuType": REMOVED}, "gpuType"),
        ({"gpuType": "H100"}, "gpuType"),
        ({"socket": REMOVED}, "socket"),
        ({"socket": "PCI"}, "socket"),
        ({"name": None}, "name"),
        ({"image": None}, "image"),
        ({"image": "windows_11"}, "image"),
        ({"diskSize": -5}, "diskSize"),
        ({"diskSize": "200"}, "diskSize"),
        ({"maxPrice": "3"}, "maxPrice"),
        ({"security": "private"}, "security"),
        ({"envVars": [{"key": "FOO"}]}, "value"),
        ({"envVars": {"FOO": "hush-hush"}}, "envVars"),
        ({"jupyterPassword": ["hush-hush"]}, "jupyterPassword"),
        ({"autoRestart": "no"}, "autoRestart"),
        ({"prepaidForHr": 0}, "prepaidForHr"),
        ({"colour": "hush-hush"}, "colour"),
        ({"gpu_count": 1}, "gpu_count"),
    ],
)
def test_what_is_malformed_is_422_and_names_the_field(
    caller: Caller, published: Caller, changes: dict[str, Any], field: str
) -> None:
    answer = caller.post("/api/v1/pods", json=changed(**changes))
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert set(problem) == {"loc", "msg", "type"}
    assert problem["loc"][:2] == ["body", "pod"]
    assert problem["loc"][-1] == field
    assert "hush-hush" not in answer.text

    answer = published.post("/api/v1/pods", json=changed(**changes))
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert set(problem) == {"param", "details"}
    assert problem["param"].startswith("body.pod.")
    assert problem["param"].endswith(f".{field}")
    assert "hush-hush" not in answer.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image": "custom_template"}, "customTemplateId"),
        ({"customTemplateId": "cm2szl4a20001tl3pyq7ua6o7"}, "custom_template"),
    ],
)
def test_a_template_and_its_image_belong_together(caller: Caller, changes: dict[str, Any], said: str) -> None:
    answer = caller.post("/api/v1/pods", json=changed(**changes))
    assert answer.status_code == 422
    assert said in answer.json()["detail"][0]["msg"]


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"cloudId": "nowhere"}, 404, "nowhere"),
        ({"gpuType": "A100_80GB"}, 400, "gpuType A100_80GB"),
        ({"gpuCount": 3}, 400, "gpuCount 3"),
        ({"dataCenterId": "MOON-1"}, 400, "MOON-1"),
        ({"country": "US"}, 400, "country US"),
        ({"security": "community_cloud"}, 400, "security community_cloud"),
        ({"image": "bittensor"}, 400, "image bittensor"),
        ({"diskSize": 5000}, 400, "diskSize"),
        ({"diskSize": 205}, 400, "multiple of 10"),
        ({"vcpus": 64}, 400, "vcpus"),
        ({"memory": 1}, 400, "memory"),
        ({"maxPrice": 2.68}, 400, "above maxPrice"),
        ({"prepaidForHr": 24}, 400, "prepaid"),
    ],
)
def test_what_cannot_be_provided_says_why(
    caller: Caller, changes: dict[str, Any], status: int, said: str
) -> None:
    answer = caller.post("/api/v1/pods", json=changed(**changes))
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert caller.call("GET", "pods")["total_count"] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"disks": ["nowhere"]}, "nowhere"), ({"team": {"teamId": "nobody"}}, "nobody")],
)
def test_unknown_disks_and_teams_are_404(caller: Caller, changes: dict[str, Any], said: str) -> None:
    answer = caller.post("/api/v1/pods", json={**changed(), **changes})
    assert answer.status_code == 404
    assert said in answer.json()["detail"]


def test_a_disk_cannot_be_attached_elsewhere(caller: Caller) -> None:
    body = {**changed(dataCenterId="NORWAY-1", country="NO"), "disks": ["disk_id_1"]}
    answer = caller.post("/api/v1/pods", json=body)
    assert answer.status_code == 400
    assert "disk_id_1" in answer.json()["detail"]


def provider_body(cloud_id: str, gpu_type: str, provider: str, **pod: Any) -> dict[str, Any]:
    required = {"cloudId": cloud_id, "gpuType": gpu_type, "socket": "PCIe", "gpuCount": 1}
    return {"pod": {**required, **pod}, "provider": {"type": provider}}


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (
            provider_body("mc-A6000x1", "A6000_48GB", "massedcompute"),
            400,
            "Missing field: max_price not specified",
        ),
        (
            provider_body("gpu-A6000x1", "A6000_48GB", "lambdalabs", maxPrice=9),
            400,
            "Missing field: data_center_id not specified",
        ),
        (
            provider_body("cr-A100x1", "A100_80GB", "crusoecloud", maxPrice=9),
            409,
            "provider returned no capacity for cr-A100x1",
        ),
        (
            provider_body("n3-H100x1", "H100_80GB", "runpod"),
            400,
            "provider.type runpod does not fit n3-H100x1, which offers hyperstack",
        ),
    ],
)
def test_providers_have_their_own_demands(
    caller: Caller, body: dict[str, Any], status: int, detail: str
) -> None:
    answer = caller.post("/api/v1/pods", json=body)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


def test_an_empty_wallet_buys_nothing(caller: Caller) -> None:
    caller.order("pc-B200x8")
    caller.advance(30 * 3600)
    # The pod was taken back when the money was gone; the disk goes on billing.
    assert -1 < caller.call("GET", "billing/wallet")["balance_usd"] < 0
    own = changed()
    del own["team"]
    answer = caller.post("/api/v1/pods", json=own)
    assert answer.status_code == 402
    assert "Insufficient balance" in answer.json()["detail"]
    assert caller.post("/api/v1/pods", json=changed()).status_code == 200, "the team has money"


def test_nulls_are_accepted_where_the_service_accepts_them(caller: Caller) -> None:
    unset: tuple[str, ...] = (
        "diskSize",
        "vcpus",
        "memory",
        "maxPrice",
        "customTemplateId",
        "dataCenterId",
        "country",
    )
    unset += ("security", "envVars", "jupyterPassword", "sshKeyId", "autoRestart", "prepaidForHr")
    sharing = {"sharedWithTeam": False, "teamMemberIds": None, "shared_with_team": True, "extra": 1}
    body = {**changed(**dict.fromkeys(unset)), "disks": None, "team": None, **sharing}
    assert caller.call("POST", "pods", json=body)["priceHr"] == 2.69


@pytest.mark.parametrize(
    ("key", "method", "path", "status", "said"),
    [
        (None, "GET", "/api/v1/pods", 403, "Not authenticated"),
        (None, "GET", "/api/v1/no/such/path", 403, "Not authenticated"),
        ("wrong", "GET", "/api/v1/pods", 401, "Invalid token"),
        ("wrong", "POST", "/api/v1/pods", 401, "Invalid token"),
        ("sandbox-read", "POST", "/api/v1/pods", 403, "Instances -> Read and Write"),
        ("sandbox-read", "DELETE", "/api/v1/pods/x", 403, "Instances -> Read and Write"),
        ("sandbox", "GET", "/api/v1/pods/x", 404, "Pod not found"),
        ("sandbox", "GET", "/api/v1/pods/x/logs", 404, "Pod not found"),
        ("sandbox", "DELETE", "/api/v1/pods/x", 404, "Pod not found"),
        ("sandbox", "GET", "/api/v1/no/such/path", 404, "Not Found"),
        ("sandbox", "PUT", "/api/v1/pods", 405, "Method Not Allowed"),
        ("sandbox", "GET", "/api/v1/pods?limit=-1", 422, "limit"),
        ("sandbox", "GET", "/api/v1/pods?offset=many", 422, "offset"),
        ("sandbox", "GET", "/api/v1/pods/history?sort_by=name", 422, "sort_by"),
        ("sandbox", "GET", "/api/v1/pods/history?offset=99999999999999999999", 422, "offset"),
        ("sandbox", "GET", "/api/v1/availability/gpus?regions=europe_west", 422, "regions"),
        ("sandbox", "GET", "/api/v1/availability/gpus?page_size=101", 422, "page_size"),
        ("sandbox", "POST", "/sandbox/clock", 422, "body"),
        ("sandbox", "POST", "/sandbox/pods/x/events", 422, "body"),
    ],
)
def test_the_table_of_refusals(
    caller: Caller, key: str | None, method: str, path: str, status: int, said: str
) -> None:
    with Caller(str(caller.base_url), key) as client:
        answer = client.request(method, path)
    assert answer.status_code == status
    assert said in json.dumps(answer.json()["detail"])


def test_the_reading_key_reads(caller: Caller) -> None:
    with Caller(str(caller.base_url), "sandbox-read") as reader:
        assert reader.call("GET", "pods")["data"] == []
        assert reader.call("GET", "user/whoami")["data"]["scope"]["instances"] == {
            "read": True,
            "write": False,
        }


def test_broken_json_is_422(caller: Caller) -> None:
    answer = caller.post(
        "/api/v1/pods",
        content='{"pod": {"jupyterPassword": "hush-hush"',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert "hush-hush" not in answer.text


@pytest.mark.parametrize("path", ["/sandbox", "/api/v1/pods", "/no/such/path"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "192.168.1.7:8000"},
        {"Host": "[bad"},
    ],
)
def test_web_pages_are_kept_out(caller: Caller, headers: dict[str, str], path: str) -> None:
    answer = caller.get(path, headers=headers)
    assert answer.status_code == 403
    assert "sandbox" in answer.json()["detail"].lower()


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "[::1]:80", "127.0.0.1"])
def test_loopback_names_are_let_in(caller: Caller, host: str) -> None:
    assert caller.get("/sandbox", headers={"Host": host}).status_code == 200

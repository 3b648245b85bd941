"""The specification's page, word for word: its bodies, its curl command, its answers."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from .conftest import Caller

CREATE_BODY = """{
  "pod": {
    "name": "My pod",
    "cloudId": "n3-H100x1",
    "gpuType": "H100_80GB",
    "socket": "PCIe",
    "gpuCount": 1,
    "image": "ubuntu_22_cuda_12",
    "dataCenterId": "CANADA-1",
    "country": "CA",
    "security": "secure_cloud",
    "diskSize": 200,
    "vcpus": 16,
    "memory": 128,
    "maxPrice": 3.00,
    "envVars": [{"key": "FOO", "value": "bar"}],
    "jupyterPassword": "secret",
    "autoRestart": false
  },
  "provider": {
    "type": "hyperstack"
  },
  "disks": ["disk_id_1"],
  "team": {
    "teamId": "team_id"
  }
}"""

CURL = r"""curl -X POST 'https://api.primeintellect.ai/api/v1/pods/' \
  -H 'Authorization: Bearer $API_KEY' \
  -H 'Content-Type: application/json' \
  -d '{
    "pod": {
      "name": "My H100",
      "cloudId": "n3-H100x1",
      "gpuType": "H100_80GB",
      "socket": "PCIe",
      "gpuCount": 1,
      "image": "ubuntu_22_cuda_12",
      "dataCenterId": "CANADA-1",
      "security": "secure_cloud"
    },
    "provider": {"type": "hyperstack"}
  }'"""

LIST_ANSWER = """{
  "data": [{
    "id": "pod_id",
    "userId": "user_id",
    "name": "My pod",
    "providerType": "hyperstack",
    "gpuName": "H100_80GB",
    "gpuCount": 1,
    "socket": "PCIe",
    "priceHr": 2.69,
    "status": "ACTIVE",
    "installationStatus": "COMPLETE",
    "installationProgress": 100,
    "sshConnection": "root@135.23.125.123 -p 22",
    "ip": "135.23.125.123",
    "environmentType": "ubuntu_22_cuda_12",
    "resources": {
      "memory": "128",
      "disk": "200",
      "vcpus": "16"
    },
    "isSpot": false,
    "autoRestart": true,
    "primePortMapping": [
      {"internal": "22", "external": "22", "protocol": "TCP", "usedBy": "SSH"}
    ]
  }],
  "total_count": 1,
  "offset": 0,
  "limit": 100
}"""

STATUS_ANSWER = """{
  "podId": "pod_id",
  "providerType": "primecompute",
  "status": "ACTIVE",
  "sshConnection": "root@135.23.125.123 -p 22",
  "costPerHr": 3.52,
  "ip": "135.23.125.123",
  "installationProgress": 100
}"""

# What the page can only make up: who asks, where the pod came up, what was ordered.
INVENTED = {"id", "userId", "podId", "sshConnection", "ip", "autoRestart"}
READY_S = 20
both_slashes = pytest.mark.parametrize("slash", ["", "/"])


def assert_documented(answer: Any, documented: Any, *, invented: set[str]) -> None:
    """Every documented key is there with the documented type, and with its value unless that is invented."""
    assert type(answer) is type(documented)
    if isinstance(documented, dict):
        for key, value in documented.items():
            assert key in answer
            if key in invented:
                assert type(answer[key]) is type(value), key
            else:
                assert_documented(answer[key], value, invented=invented)
    elif isinstance(documented, list):
        assert len(answer) == len(documented)
        for row, value in zip(answer, documented, strict=True):
            assert_documented(row, value, invented=invented)
    else:
        assert answer == documented


def created(caller: Caller) -> str:
    pod_id: str = caller.call("POST", "pods", json=json.loads(CREATE_BODY))["id"]
    caller.advance(READY_S)
    return pod_id


@both_slashes
def test_the_pages_body_creates_a_pod(caller: Caller, slash: str) -> None:
    answer = caller.post(
        f"/api/v1/pods{slash}", content=CREATE_BODY, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    pod = answer.json()
    assert pod["status"] == "PROVISIONING"
    assert pod["installationStatus"] == "PENDING"
    assert pod["teamId"] == "team_id"
    assert [disk["id"] for disk in pod["attachedResources"]] == ["disk_id_1"]
    assert "secret" not in answer.text
    assert "bar" not in answer.text


@both_slashes
def test_the_list_is_the_pages(caller: Caller, slash: str) -> None:
    created(caller)
    answer = caller.call("GET", f"pods{slash}")
    assert_documented(answer, json.loads(LIST_ANSWER), invented=INVENTED)
    (pod,) = answer["data"]
    assert pod["sshConnection"] == f"root@{pod['ip']} -p 22"


@both_slashes
def test_the_details_are_a_row_of_the_list(caller: Caller, slash: str) -> None:
    pod_id = created(caller)
    assert caller.call("GET", f"pods/{pod_id}{slash}") == caller.call("GET", "pods")["data"][0]


@both_slashes
def test_the_status_of_one_pod_is_the_pages_object(caller: Caller, slash: str) -> None:
    pod_id = created(caller)
    answer = caller.call("GET", f"pods/status{slash}", params={"pod_ids": pod_id})
    documented = {**json.loads(STATUS_ANSWER), "providerType": "hyperstack", "costPerHr": 2.69}
    assert_documented(answer, documented, invented=INVENTED)
    assert answer["podId"] == pod_id
    (row,) = answer["data"]
    assert_documented(row, documented, invented=INVENTED)


@both_slashes
def test_the_status_of_two_pods_is_a_list(caller: Caller, slash: str) -> None:
    # The disk of the page's example serves one pod.
    first, second = created(caller), caller.order()["id"]
    answer = caller.call("GET", f"pods/status{slash}?pod_ids={second}&pod_ids=unknown&pod_ids={first}")
    assert [row["podId"] for row in answer["data"]] == [second, first]
    assert answer["status"] is None


@both_slashes
def test_history_takes_the_pages_parameters(caller: Caller, slash: str) -> None:
    pod_id = created(caller)
    caller.call("DELETE", f"pods/{pod_id}")
    caller.advance(5)
    answer = caller.call(
        "GET",
        f"pods/history{slash}",
        params={"limit": 1, "offset": 0, "sort_by": "terminatedAt", "sort_order": "desc"},
    )
    assert {key: type(answer[key]) for key in ("total_count", "offset", "limit", "data")} == {
        "total_count": int,
        "offset": int,
        "limit": int,
        "data": list,
    }
    (row,) = answer["data"]
    assert row["id"] == pod_id
    assert row["totalBilledPrice"] > 0


@both_slashes
@pytest.mark.parametrize("path", ["logs", "log"])
def test_logs_are_text(caller: Caller, path: str, slash: str) -> None:
    answer = caller.call("GET", f"pods/{created(caller)}/{path}{slash}")
    assert "ready" in answer["logs"]


@both_slashes
def test_delete_answers_the_state(caller: Caller, slash: str) -> None:
    assert caller.call("DELETE", f"pods/{created(caller)}{slash}") == {"status": "DELETING"}


def test_a_custom_template_needs_its_id_and_keeps_it(caller: Caller) -> None:
    pod = caller.order(image="custom_template", customTemplateId="cm2szl4a20001tl3pyq7ua6o7")
    assert (pod["environmentType"], pod["customTemplateId"]) == (
        "custom_template",
        "cm2szl4a20001tl3pyq7ua6o7",
    )


def test_the_pages_curl_command_creates_a_pod(caller: Caller) -> None:
    command = CURL.replace("https://api.primeintellect.ai", str(caller.base_url).rstrip("/"))
    command = command.replace("$API_KEY", "sandbox").replace("curl ", "curl -sS --noproxy '*' ", 1)
    run = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    pod = json.loads(run.stdout)
    assert (pod["name"], pod["priceHr"], pod["status"]) == ("My H100", 2.69, "PROVISIONING")
    assert [row["id"] for row in caller.call("GET", "pods")["data"]] == [pod["id"]]


@pytest.mark.parametrize(
    "path",
    [
        "availability/gpus",
        "availability/multi-node",
        "availability/gpu-summary",
        "availability/disks",
        "user/whoami",
        "user/teams",
        "teams/team_id/members",
        "ssh_keys",
        "disks",
        "disks/disk_id_1",
        "billing/wallet",
        "pods",
        "pods/history",
        "pods/status",
    ],
)
def test_every_path_has_two_spellings_and_no_redirect(caller: Caller, path: str) -> None:
    assert caller.call("GET", path) == caller.call("GET", f"{path}/")

"""What JSON can hold and no field may: text that is not Unicode, and numbers that are not finite."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from .conftest import Caller
from .test_errors import changed

LONE = "\ud800"


def send(caller: Caller, path: str, body: object) -> httpx.Response:
    """Post as a careless client writes it: httpx itself would refuse NaN."""
    return caller.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})


def assert_refused(
    caller: Caller, published: Caller, path: str, body: object, *, at: list[str | int]
) -> None:
    answer = send(caller, path, body)
    assert answer.status_code == 422
    (problem,) = answer.json()["detail"]
    assert set(problem) == {"loc", "msg", "type"}
    assert problem["loc"] == at

    answer = send(published, path, body)
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert set(problem) == {"param", "details"}
    assert problem["param"] == ".".join(map(str, at))
    assert caller.call("GET", "pods")["total_count"] == 0


@pytest.mark.parametrize(
    ("pod", "at"),
    [
        *(
            ({field: LONE}, [field])
            for field in (
                "name",
                "cloudId",
                "gpuType",
                "socket",
                "image",
                "customTemplateId",
                "dataCenterId",
                "country",
                "security",
                "jupyterPassword",
                "sshKeyId",
            )
        ),
        ({"envVars": [{"key": "A", "value": "b"}, {"key": LONE, "value": "b"}]}, ["envVars", 1, "key"]),
        ({"envVars": [{"key": "A", "value": f"hush{LONE}"}]}, ["envVars", 0, "value"]),
        # The name cannot be said.
        ({LONE: "hush"}, []),
    ],
)
def test_text_that_is_not_unicode_is_422(
    caller: Caller, published: Caller, pod: dict[str, Any], at: list[str | int]
) -> None:
    assert_refused(caller, published, "/api/v1/pods", changed(**pod), at=["body", "pod", *at])


@pytest.mark.parametrize(
    ("more", "at"),
    [
        ({"disks": ["disk_id_1", LONE]}, ["disks", 1]),
        ({"team": {"teamId": LONE}}, ["team", "teamId"]),
        ({"provider": {"type": LONE}}, ["provider", "type"]),
        ({"teamMemberIds": [LONE]}, ["teamMemberIds", 0]),
        ({"colour": {"deep": [LONE]}}, ["colour", "deep", 0]),
        ({LONE: 1}, []),
        ({"colour": float("nan")}, ["colour"]),
    ],
)
def test_it_is_422_beside_the_pod_too(
    caller: Caller, published: Caller, more: dict[str, Any], at: list[str | int]
) -> None:
    assert_refused(caller, published, "/api/v1/pods", {**changed(), **more}, at=["body", *at])


def test_a_surrogate_may_come_as_bytes(caller: Caller) -> None:
    body = json.dumps(changed(country="##")).encode().replace(b"##", b"\xed\xa0\x80")
    answer = caller.post("/api/v1/pods", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_a_pair_of_surrogates_is_a_letter(caller: Caller) -> None:
    # json.dumps writes it as two escapes.
    body = send(caller, "/api/v1/pods", changed(name="\U0001f680")).json()
    assert body["name"] == "\U0001f680"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("field", ["maxPrice", "prepaidForHr", "gpuCount", "diskSize"])
def test_numbers_are_finite(caller: Caller, published: Caller, field: str, number: float) -> None:
    body = changed(**{field: number})
    assert_refused(caller, published, "/api/v1/pods", body, at=["body", "pod", field])


def test_a_number_may_be_too_large_to_be_finite(caller: Caller) -> None:
    body = json.dumps(changed(maxPrice="##")).replace('"##"', "1e400")
    answer = caller.post("/api/v1/pods", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"] == "Input should be a finite number"


@pytest.mark.parametrize("path", ["/sandbox/clock", "/sandbox/pods/x/events"])
def test_the_sandboxs_own_surface_refuses_them_too(caller: Caller, published: Caller, path: str) -> None:
    field = "advance_s" if "clock" in path else "event"
    assert_refused(caller, published, path, {field: LONE}, at=["body", field])
    assert_refused(caller, published, path, {field: float("nan")}, at=["body", field])


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"pod": "\xff"}', b"1" * 5000])
def test_what_is_no_json_is_no_fault_of_ours(caller: Caller, body: bytes) -> None:
    for kind in ("application/json", "text/plain"):
        answer = caller.post("/api/v1/pods", content=body, headers={"Content-Type": kind})
        assert answer.status_code in (400, 422)


@pytest.mark.parametrize(
    "path",
    [
        "pods/{}",
        "pods/{}/logs",
        "pods/status?pod_ids={}",
        "pods/history?sort_by={}",
        "pods?limit={}",
        "teams/{}/members",
        "disks/{}",
        "availability/gpus?cloud_id={}&data_center_id={}&disks={}&gpu_type={}&regions={}",
        "billing/wallet?teamId={}",
    ],
)
@pytest.mark.parametrize("text", ["%ed%a0%80", "%ff", "%00"])
def test_no_address_is_a_fault_of_ours(caller: Caller, path: str, text: str) -> None:
    assert caller.get(f"/api/v1/{path.replace('{}', text)}").status_code in (200, 404, 422)

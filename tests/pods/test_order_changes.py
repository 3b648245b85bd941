"""What the service has made of an order is compared with what was sent."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from primepods_magic.api.models import PodDetails
from primepods_magic.api.requests import CreateRequest
from primepods_magic.pods.identity import list_changes
from primepods_magic.pods.intents import Intent

INTENT = Intent(
    name="train",
    team_id=None,
    gpu_type="H100_80GB",
    gpu_count=1,
    digest="d",
    known_ids=(),
    sent_at=datetime(2026, 11, 29, tzinfo=timezone.utc),
)
REQUEST = CreateRequest.model_validate(
    {
        "pod": {
            "name": "train",
            "cloudId": "c1",
            "gpuType": "H100_80GB",
            "socket": "PCIe",
            "gpuCount": 1,
            "image": "ubuntu_22_cuda_12",
            "diskSize": 200,
        },
        "provider": {"type": "runpod"},
    }
)


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ({"isSpot": True}, "it is a spot pod, which may be reclaimed at any time, not on demand"),
        ({"providerType": "akash"}, "its provider is akash, not runpod"),
        ({"socket": "SXM5"}, "its socket is SXM5, not PCIe"),
        ({"environmentType": "axolotl"}, "its image is axolotl, not ubuntu_22_cuda_12"),
        ({"resources": {"disk": 20}}, "its disk has 20 GB, not 200 GB"),
    ],
    ids=str,
)
def test_lists_what_differs_from_the_order(said: dict[str, Any], change: str) -> None:
    pod = PodDetails.model_validate(said)
    assert list_changes(pod, INTENT, REQUEST) == [change]
    assert list_changes(pod, INTENT) == []


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"isSpot": None, "providerType": "", "socket": None, "resources": {"memory": 16}},
        {
            "isSpot": False,
            "providerType": "RunPod",
            "socket": "PCIE",
            "environmentType": "Ubuntu-22-CUDA-12",
            "resources": {"disk": 200.0},
        },
    ],
    ids=str,
)
def test_what_is_left_out_or_spelled_otherwise_does_not_differ(said: dict[str, Any]) -> None:
    assert list_changes(PodDetails.model_validate(said), INTENT, REQUEST) == []


def test_a_spot_pod_that_was_ordered_does_not_differ() -> None:
    assert list_changes(PodDetails(is_spot=True), INTENT, REQUEST, is_spot=True) == []
    (change,) = list_changes(PodDetails(is_spot=False), INTENT, REQUEST, is_spot=True)
    assert change == "it is on demand, not a spot pod"

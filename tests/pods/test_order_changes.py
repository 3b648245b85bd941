"""What the service has made of an order is compared with what was sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from primepods_magic.api.models import PodDetails
from primepods_magic.pods.launching.differences import list_changes, list_doubts
from primepods_magic.pods.launching.journal.journal import LaunchRecord, Order

INTENT = LaunchRecord(
    name="train",
    team_id=None,
    gpu_type="H100_80GB",
    gpu_count=1,
    digest="d",
    known_ids=(),
    sent_at=datetime(2026, 11, 29, tzinfo=timezone.utc),
)
ORDER = Order(provider="runpod", socket="PCIe", image="ubuntu_22_cuda_12", disk_gb=200)
ORDERED = replace(INTENT, order=ORDER)


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
    assert list_changes(pod, ORDERED) == [change]
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
    assert list_changes(PodDetails.model_validate(said), ORDERED) == []


def test_a_spot_pod_that_was_ordered_does_not_differ() -> None:
    spot = replace(INTENT, order=Order(is_spot=True))
    assert list_changes(PodDetails(is_spot=True), spot) == []
    (change,) = list_changes(PodDetails(is_spot=False), spot)
    assert change == "it is on demand, not a spot pod"


def test_only_a_pod_that_was_found_by_looking_is_doubted() -> None:
    found = replace(ORDERED, is_found=True)
    other = PodDetails(provider_type="akash", name="Train", gpu_count=2)
    assert list_doubts(other, ORDERED) == []
    assert list_doubts(other, found) == ["its provider is akash, not runpod"]
    assert list_doubts(PodDetails(name="Train", gpu_count=2), found) == []


@pytest.mark.parametrize(("before_s", "is_doubted"), [(30, False), (90, True)])
def test_a_pod_that_was_created_before_it_was_ordered_is_doubted(before_s: float, is_doubted: bool) -> None:
    found = replace(INTENT, is_found=True)
    pod = PodDetails(created_at=INTENT.sent_at - timedelta(seconds=before_s))
    assert bool(list_doubts(pod, found)) is is_doubted
    # The clock of the service has jumped.
    assert not list_doubts(pod, replace(found, noted_at_s=pod.created_at.timestamp()))

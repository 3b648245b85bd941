"""Offers of a hostile service: true ones, and beside them what must never be ordered."""

from __future__ import annotations

import math
from typing import Any

from tests.support.hostile_service.world import GPU, World

__all__ = ["CAPACITY_SENTENCES", "list_offers"]

CAPACITY_SENTENCES = (
    "no capacity for this GPU",
    "Insufficient capacity in the data center",
    "There are no longer any instances available with the requested specifications",
    "The requested GPU is out of stock",
    "Resources unavailable",
)

_NO_PRICES: dict[str, tuple[Any, str]] = {
    "zero": (0, "USD"),
    "negative": (-1.5, "USD"),
    "nan": (math.nan, "USD"),
    "none": (None, "USD"),
    "infinity": (math.inf, "USD"),
    "euro": (0.5, "EUR"),
    "text": ("free", "USD"),
}


def list_offers(world: World) -> list[dict[str, Any]]:
    """Return the offers of a world: two that are true, and those that its plan puts beside them."""
    offers = [
        _make_offer("true-1", world.price),
        _make_offer("true-2", round(world.price + 0.31, 2)),
    ]
    if world.plan.offers:
        price, currency = _NO_PRICES[world.plan.offers]
        offers.append(_make_offer(f"decoy-{world.plan.offers}", price, currency=currency))
    if world.plan.stock:
        offers.append(_make_offer("decoy-sold", round(world.price / 2, 2), stock=world.plan.stock))
    world.chance.shuffle(offers)
    return offers


def _make_offer(cloud_id: str, price: Any, *, currency: str = "USD", stock: str = "High") -> dict[str, Any]:
    fixed = {"minCount": None, "maxCount": None, "step": None, "pricePerUnit": None}
    return {
        "cloudId": cloud_id,
        "gpuType": GPU,
        "socket": "PCIe",
        "provider": "runpod",
        "region": "united_states",
        "dataCenter": "dc1",
        "country": "US",
        "gpuCount": 1,
        "gpuMemory": 80,
        "disk": {**fixed, "defaultCount": 100},
        "sharedDisk": {},
        "vcpu": {**fixed, "defaultCount": 16},
        "memory": {**fixed, "defaultCount": 128},
        "stockStatus": stock,
        "security": "secure_cloud",
        "prices": {"onDemand": price, "communityPrice": None, "isVariable": False, "currency": currency},
        "images": ["ubuntu_22_cuda_12"],
        "isSpot": False,
        "prepaidTime": None,
    }

"""Orders of a list of offers; loads nothing heavy."""

from __future__ import annotations

__all__ = ["OFFER_ORDERS"]

OFFER_ORDERS = {
    "price_hr": "cheapest first",
    "price_gpu_hr": "cheapest per GPU first",
    "usd_gb_vram": "cheapest per GB of GPU memory first",
    "start": "soonest to start first",
}
"""The orders by name, and as a caption says them."""

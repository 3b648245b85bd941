"""Offers of pods: limits and prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from primepods_magic.sandbox.schemas.enums import (
    GpuType,
    Image,
    ProviderType,
    Region,
    SecurityType,
    Socket,
    StockStatus,
)
from primepods_magic.sandbox.schemas.responses import Adjustable, Currency, GpuOffer, OfferSummary

__all__ = ["Offer", "QuantityRange", "summary"]

EUR_IN_USD = 1.08
"""A fixed exchange rate, so that prices do not depend on the day."""


@dataclass(frozen=True)
class QuantityRange:
    """The included amount of a resource and its limits; without `min` and `max` it is fixed."""

    default: int | None
    min: int | None = None
    max: int | None = None
    step: int | None = None
    usd_unit_hr: float | None = None
    note: str | None = None

    def refusal(self, what: str, amount: int) -> str | None:
        """Explain why `amount` cannot be ordered, or return None."""
        if amount == self.default:
            return None
        if self.min is None or self.max is None:
            return f"{what} of this offer cannot be changed: leave it out or send {self.default}"
        if not self.min <= amount <= self.max:
            return f"{what} must be between {self.min} and {self.max} for this offer, not {amount}"
        if self.step and (amount - self.min) % self.step:
            return f"{what} must be {self.min} plus a multiple of {self.step} for this offer, not {amount}"
        return None

    def extra_usd_hr(self, amount: int) -> float:
        """Return the price per hour of the units above the default."""
        return max(0, amount - (self.default or 0)) * (self.usd_unit_hr or 0.0)

    def to_json(self) -> Adjustable:
        return {
            "minCount": self.min,
            "defaultCount": self.default,
            "maxCount": self.max,
            "pricePerUnit": self.usd_unit_hr,
            "step": self.step,
            "defaultIncludedInPrice": True if self.default is not None else None,
            "additionalInfo": self.note,
        }


@dataclass(frozen=True)
class Offer:
    """A row of `/availability/gpus`, or of `/availability/multi-node` if it has several `nodes`."""

    cloud_id: str
    gpu_type: GpuType
    socket: Socket
    gpu_count: int
    gpu_memory_gb: int
    provider: ProviderType
    region: Region | None
    data_center: str | None
    country: str | None
    security: SecurityType
    stock: StockStatus
    price_hr: float | None
    """In `currency`, for the whole offer; None means unknown, and the offer cannot be ordered."""
    currency: Currency
    is_spot: bool
    images: tuple[Image, ...]
    disk_gb: QuantityRange
    vcpus: QuantityRange
    memory_gb: QuantityRange
    internet_mbps: int
    interconnect_gbps: int | None
    provisioning_min: int
    nodes: int = 1
    prepaid_hours: int | None = None
    """Hours charged with the order."""
    interconnect_type: str | None = None

    @property
    def is_variable(self) -> bool:
        """True if the price may change during the life of the pod."""
        return self.is_spot

    @property
    def price_usd_hr(self) -> float:
        """The price of the whole offer in USD; it must have a price."""
        assert self.price_hr is not None
        return self.price_hr if self.currency == "USD" else round(self.price_hr * EUR_IN_USD, 4)

    def price_with(self, *, disk_gb: int, vcpus: int, memory_gb: int) -> float:
        """Return the price in USD per hour with these amounts."""
        extra_usd_hr = (
            self.disk_gb.extra_usd_hr(disk_gb)
            + self.vcpus.extra_usd_hr(vcpus)
            + self.memory_gb.extra_usd_hr(memory_gb)
        )
        return round(self.price_usd_hr + extra_usd_hr, 4)

    def to_json(self) -> GpuOffer:
        is_community = self.security == "community_cloud"
        return {
            "cloudId": self.cloud_id,
            "gpuType": self.gpu_type,
            "socket": self.socket,
            "provider": self.provider,
            "region": self.region,
            "dataCenter": self.data_center,
            "country": self.country,
            "gpuCount": self.gpu_count,
            "gpuMemory": self.gpu_memory_gb,
            "disk": self.disk_gb.to_json(),
            "sharedDisk": QuantityRange(None).to_json(),
            "vcpu": self.vcpus.to_json(),
            "memory": self.memory_gb.to_json(),
            "internetSpeed": self.internet_mbps,
            "interconnect": self.interconnect_gbps,
            "interconnectType": self.interconnect_type,
            "provisioningTime": self.provisioning_min,
            "stockStatus": self.stock,
            "security": self.security,
            "prices": {
                "onDemand": None if is_community else self.price_hr,
                "communityPrice": self.price_hr if is_community else None,
                "isVariable": self.is_variable,
                "currency": self.currency,
            },
            "images": list(self.images),
            "isSpot": self.is_spot,
            "prepaidTime": self.prepaid_hours,
        }


def summary(offers: Iterable[Offer]) -> OfferSummary:
    """Return the cheapest USD prices by GPU type, count and region."""
    table: OfferSummary = {}
    for offer in offers:
        regions = table.setdefault(offer.gpu_type, {}).setdefault(str(offer.gpu_count), {"cheapest": None})
        if offer.price_hr is None or offer.stock == "Unavailable" or offer.currency != "USD":
            continue
        kind = _classify_price(offer)
        for region in ("cheapest", offer.region):
            if region is None:
                continue
            prices = regions.get(region) or {"onDemand": None, "communityPrice": None, "spotPrice": None}
            lowest = prices[kind]
            prices[kind] = offer.price_hr if lowest is None else min(lowest, offer.price_hr)
            regions[region] = prices
    return table


def _classify_price(offer: Offer) -> Literal["onDemand", "communityPrice", "spotPrice"]:
    if offer.is_spot:
        return "spotPrice"
    return "communityPrice" if offer.security == "community_cloud" else "onDemand"

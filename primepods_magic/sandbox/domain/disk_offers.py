"""Offers of disks."""

from __future__ import annotations

from dataclasses import dataclass

from primepods_magic.sandbox.schemas.enums import ProviderType, Region, SecurityType, StockStatus
from primepods_magic.sandbox.schemas.responses import DiskOffer as DiskOfferShape

from .catalog import SITES
from .offers import QuantityRange

__all__ = ["DiskOffer", "disk_offers"]


@dataclass(frozen=True)
class DiskOffer:
    provider: ProviderType
    data_center: str | None
    country: str
    region: Region | None
    usd_gb_hr: float
    size_gb: QuantityRange
    stock: StockStatus = "Available"
    is_multinode: bool = False
    security: SecurityType = "secure_cloud"

    def to_json(self) -> DiskOfferShape:
        return {
            "provider": self.provider,
            # The service never sets it.
            "cloudId": None,
            "dataCenter": self.data_center,
            "country": self.country,
            "region": self.region,
            "security": self.security,
            "spec": self.size_gb.to_json(),
            "stockStatus": self.stock,
            "isMultinode": self.is_multinode,
        }


def _make_offer(
    provider: ProviderType,
    site_name: str,
    usd_gb_hr: float,
    *,
    stock: StockStatus = "Available",
    is_multinode: bool = False,
) -> DiskOffer:
    site = SITES[site_name]
    size_gb = QuantityRange(None, min=10, max=10_000, step=10, usd_unit_hr=usd_gb_hr)
    return DiskOffer(
        provider, site.data_center, site.country, site.region, usd_gb_hr, size_gb, stock, is_multinode
    )


_OFFERS = (
    _make_offer("hyperstack", "CANADA-1", 7e-05),
    _make_offer("hyperstack", "NORWAY-1", 7e-05, stock="High"),
    _make_offer("runpod", "EU-RO-1", 9.7e-05),
    _make_offer("runpod", "us-east-1", 9.7e-05, stock="High"),
    _make_offer("datacrunch", "FIN-01", 0.0001, is_multinode=True),
    _make_offer("nebius", "FIN-01", 0.00011, stock="Medium", is_multinode=True),
    _make_offer("primecompute", "us-west-2", 0.00012, is_multinode=True),
    _make_offer("primecompute", "ap-south-1", 0.00012, stock="Unavailable", is_multinode=True),
    _make_offer("scaleway", "fr-par-2", 0.0001, stock="Low"),
    _make_offer("crusoecloud", "us-east-1", 8e-05),
    _make_offer("vultr", "ap-northeast-1", 0.00012),
    _make_offer("vultr", "syd", 0.00012, stock="Low"),
)


def disk_offers() -> tuple[DiskOffer, ...]:
    return _OFFERS

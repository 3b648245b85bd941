"""What disks can be had, and where."""

from __future__ import annotations

from dataclasses import dataclass

from primepods_magic.sandbox.schemas.enums import ProviderType, Region, SecurityType, StockStatus
from primepods_magic.sandbox.schemas.responses import DiskOffer as DiskOfferShape

from .catalog import SITES
from .offers import QuantityRange


@dataclass(frozen=True)
class DiskOffer:
    """One row of ``/availability/disks``."""

    provider: ProviderType
    data_center: str | None
    country: str
    region: Region | None
    usd_gb_hr: float
    size_gb: QuantityRange
    stock: StockStatus = "Available"
    is_multinode: bool = False
    security: SecurityType = "secure_cloud"

    def wire(self) -> DiskOfferShape:
        """As the API writes it."""
        return {
            "provider": self.provider,
            # The service never tells one.
            "cloudId": None,
            "dataCenter": self.data_center,
            "country": self.country,
            "region": self.region,
            "security": self.security,
            "spec": self.size_gb.wire(),
            "stockStatus": self.stock,
            "isMultinode": self.is_multinode,
        }


def _offer(
    provider: ProviderType,
    site: str,
    usd_gb_hr: float,
    *,
    stock: StockStatus = "Available",
    is_multinode: bool = False,
) -> DiskOffer:
    place = SITES[site]
    size_gb = QuantityRange(None, min=10, max=10_000, step=10, usd_unit_hr=usd_gb_hr)
    return DiskOffer(
        provider, place.data_center, place.country, place.region, usd_gb_hr, size_gb, stock, is_multinode
    )


_OFFERS = (
    _offer("hyperstack", "CANADA-1", 7e-05),
    _offer("hyperstack", "NORWAY-1", 7e-05, stock="High"),
    _offer("runpod", "EU-RO-1", 9.7e-05),
    _offer("runpod", "us-east-1", 9.7e-05, stock="High"),
    _offer("datacrunch", "FIN-01", 0.0001, is_multinode=True),
    _offer("nebius", "FIN-01", 0.00011, stock="Medium", is_multinode=True),
    _offer("primecompute", "us-west-2", 0.00012, is_multinode=True),
    _offer("primecompute", "ap-south-1", 0.00012, stock="Unavailable", is_multinode=True),
    _offer("scaleway", "fr-par-2", 0.0001, stock="Low"),
    _offer("crusoecloud", "us-east-1", 8e-05),
    _offer("vultr", "ap-northeast-1", 0.00012),
    _offer("vultr", "syd", 0.00012, stock="Low"),
)


def disk_offers() -> tuple[DiskOffer, ...]:
    """Every offer of a disk, always the same ones in the same order."""
    return _OFFERS

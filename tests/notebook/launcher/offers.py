"""Offers as a service sends them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from primepods_magic.api.models import Offer
from primepods_magic.notebook.launcher.state.offers import OfferList, PricedOffer

NOW = datetime(2026, 11, 24, 9, tzinfo=timezone.utc)


def offer(usd_hr: float | None = 1.0, **said: Any) -> Offer:
    """One GPU machine, of which anything can be said otherwise."""
    plain = {
        "cloudId": "c-1",
        "gpuType": "L4_24GB",
        "gpuCount": 1,
        "socket": "PCIe",
        "provider": "p",
        "region": "eu_north",
        "country": "NO",
        "dataCenter": "NORWAY-1",
        "security": "secure_cloud",
        "stockStatus": "High",
        "prices": {"onDemand": usd_hr, "currency": "USD"},
    }
    return Offer.model_validate({**plain, **said})


def offer_list(*offers: Offer) -> OfferList:
    return OfferList.read(offers, NOW)


def listed(*offers: Offer) -> tuple[PricedOffer, ...]:
    return offer_list(*offers).listed

"""Offers of disks: which fit, and what a disk there costs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from primepods_magic.api.disks import DiskOffer
from primepods_magic.api.errors import InvalidRequest, OutOfStock
from primepods_magic.api.requests import list_names
from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.pods.connection.connection import Connection
from primepods_magic.pods.offers import join_any
from primepods_magic.pods.support.name_matching import fold_letters

__all__ = [
    "MONTH_HR",
    "DiskPlace",
    "choose_disk_offer",
    "describe_rate",
    "list_fitting_disk_offers",
    "price_disk_usd_hr",
]

MONTH_HR = 730.0


@dataclass(frozen=True)
class DiskPlace:
    """Where a disk may be: of several values any will do, and None is anywhere."""

    provider: str | tuple[str, ...] | None = None
    country: str | tuple[str, ...] | None = None
    region: str | tuple[str, ...] | None = None
    data_center: str | tuple[str, ...] | None = None

    def fits(self, offer: DiskOffer) -> bool:
        """Return whether an offer is there."""
        return all(
            wanted is None or fold_letters(getattr(offer, name)) in map(fold_letters, list_names(wanted))
            for name, wanted in vars(self).items()
        )

    def __str__(self) -> str:
        return ", ".join(join_any(value) for value in vars(self).values() if value is not None)


def price_disk_usd_hr(offer: DiskOffer, size_gb: float) -> float | None:
    """Return what a disk of this size costs there in USD per hour, or None if that is not said."""
    # Some say 0 for what they do not know.
    each = offer.spec.price_per_unit
    return each * size_gb if each else None


def describe_rate(usd_hr: float | None) -> str:
    """Return a price per hour and per month in words.

    >>> describe_rate(0.035)
    '$0.04/h, about $25.55 a month'
    """
    if usd_hr is None:
        return "a price that the service does not say"
    return f"{format_usd_hr(usd_hr)}, about {format_usd(usd_hr * MONTH_HR)} a month"


def list_fitting_disk_offers(
    connection: Connection, place: DiskPlace, *, size_gb: float | None = None
) -> list[DiskOffer]:
    """Return the offers of a place, the cheapest first; those that have no stock or no price come last.

    Raises InvalidRequest if there is no such place.
    """
    offers = connection.client.list_disk_offers()
    there = [offer for offer in offers if place.fits(offer)]
    if offers and not there:
        raise InvalidRequest(
            f"No disks are offered at {place}{_suggest_place(offers, place)}. Nothing was created. "
            "'%pods disks offers' lists the places"
        )
    fitting = [offer for offer in there if size_gb is None or not _refuse_size(offer, size_gb)]
    return sorted(fitting, key=_rank_offer)


def choose_disk_offer(connection: Connection, place: DiskPlace, size_gb: int) -> DiskOffer:
    """Return the cheapest offer for a disk.

    Raises InvalidRequest if no place takes this size, and OutOfStock if none has room now.
    """
    there = list_fitting_disk_offers(connection, place)
    reasons = [_refuse_size(offer, size_gb) for offer in there]
    fitting = [offer for offer, reason in zip(there, reasons, strict=True) if not reason]
    if there and not fitting:
        raise InvalidRequest(f"No place takes a disk of {size_gb:,} GB: {reasons[0]}. Nothing was created")
    # Without a provider, nothing can be ordered.
    offer = next((offer for offer in fitting if offer.in_stock and offer.provider), None)
    if offer is None:
        raise OutOfStock("No place has room for such a disk now. Nothing was created")
    return offer


def _rank_offer(offer: DiskOffer) -> tuple[bool, float, str]:
    return not offer.in_stock, offer.spec.price_per_unit or math.inf, str(offer.provider)


def _refuse_size(offer: DiskOffer, size_gb: float) -> str:
    spec = offer.spec
    if spec.min_count is not None and size_gb < spec.min_count:
        return f"at least {spec.min_count:,.0f} GB at {sanitize(offer.provider)}"
    if spec.max_count is not None and size_gb > spec.max_count:
        return f"at most {spec.max_count:,.0f} GB at {sanitize(offer.provider)}"
    if spec.step and (size_gb - (spec.min_count or 0)) % spec.step:
        return f"only in steps of {spec.step:,.0f} GB at {sanitize(offer.provider)}"
    return ""


def _suggest_place(offers: Iterable[DiskOffer], place: DiskPlace) -> str:
    for name, wanted in vars(place).items():
        known = {value for offer in offers if (value := getattr(offer, name))}
        for word in list_names(wanted):
            if word not in known and (hint := suggest(word[:60], sorted(known))):
                return hint
    return ""

"""The available offers, and the filters that select some of them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from primepods_magic.api.enums import GPU_TYPES, REGIONS
from primepods_magic.api.models import Offer
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.validation.bounds import plain_number
from primepods_magic.api.validation.suggest import suggest
from primepods_magic.pods.offers import NO_USD_PRICE, SOLD_OUT, mismatches, quote
from primepods_magic.pods.spec.requirements import read_total_vram_gb
from primepods_magic.pods.spec.spec import PodSpec

__all__ = [
    "MAX_SHOWN",
    "FilterResult",
    "Filters",
    "OfferKey",
    "OfferList",
    "OfferOrder",
    "PricedOffer",
    "filter_offers",
]

MAX_SHOWN = 1000
"""The number of rows shown; more would make every change slow."""

_NO_REQUIREMENTS = PodSpec()
_STOCK_ORDER = {"HIGH": 0, "MEDIUM": 1, "AVAILABLE": 2, "LOW": 3}
_FILTER_FIELDS = ("gpu_type", "region", "country", "provider", "security", "socket")

# Longer text is cut before matching, so that the cache stays small.
_MAX_TEXT_LENGTH = 200


class OfferKey(NamedTuple):
    """The identity of an offer across lists; a cloud id alone is not unique."""

    provider: str | None
    cloud_id: str | None
    data_center: str | None
    gpu_type: str | None
    gpu_count: int | None
    socket: str | None
    country: str | None
    security: str | None
    is_spot: bool

    @classmethod
    def of(cls, offer: Offer) -> OfferKey:
        """Return the key of an offer."""
        return cls(
            offer.provider,
            offer.cloud_id,
            offer.data_center,
            offer.gpu_type,
            offer.gpu_count,
            offer.socket,
            offer.country,
            offer.security,
            bool(offer.is_spot),
        )


@dataclass(frozen=True)
class PricedOffer:
    """An available offer, and its price with default sizes, in USD per hour."""

    offer: Offer
    price_usd_hr: float

    @property
    def price_gpu_usd_hr(self) -> float:
        """The price in USD per hour and GPU."""
        return self.price_usd_hr / (self.offer.gpu_count or 1)


class OfferOrder(Enum):
    """Orders of the list; offers that are equal in one are by price."""

    PRICE = "cheapest first"
    GPU_PRICE = "cheapest GPU first"
    GPU_MEMORY = "most GPU memory first"
    MEMORY = "most memory first"
    GPU_TYPE = "by GPU type"
    STOCK = "most in stock first"

    def sort_key(self, row: PricedOffer) -> Any:
        """Return a key that sorts a row in this order."""
        offer = row.offer
        if self is OfferOrder.GPU_PRICE:
            return row.price_gpu_usd_hr
        if self is OfferOrder.GPU_MEMORY:
            return -_read_gpu_memory_gb(offer)
        if self is OfferOrder.MEMORY:
            return -(offer.memory.default_count or 0)
        if self is OfferOrder.GPU_TYPE:
            return offer.gpu_type or ""
        if self is OfferOrder.STOCK:
            return _STOCK_ORDER.get((offer.stock_status or "").upper(), len(_STOCK_ORDER))
        return row.price_usd_hr


@dataclass(frozen=True)
class Filters:
    """The filters as entered; empty ones match every offer.

    `gpu` is a part of a GPU type, `location` a country or a part of a region or data center, and `max_price`
    USD per hour. Without `is_spot` only on-demand offers match.
    """

    gpu: str = ""
    count: int = 0
    location: str = ""
    provider: str = ""
    security: str = ""
    socket: str = ""
    is_spot: bool = False
    max_price: str = ""


@dataclass(frozen=True)
class OfferList:
    """Available offers with a price in USD, cheapest first, and those that were left out, with the reasons.

    `taken_at` is the time of the list by the service's clock, or None before the first one.
    """

    listed: tuple[PricedOffer, ...] = ()
    left_out: tuple[tuple[str, Offer], ...] = ()
    taken_at: datetime | None = None

    @classmethod
    def read(cls, offers: Iterable[Offer], taken_at: datetime) -> OfferList:
        """Price and sort the offers of a response."""
        listed: list[PricedOffer] = []
        left_out: list[tuple[str, Offer]] = []
        for offer in offers:
            # Requesting the offer by its id also allows spot offers.
            reasons = mismatches(offer, _NO_REQUIREMENTS.model_copy(update={"cloud_id": offer.cloud_id}))
            if SOLD_OUT in reasons:
                left_out.append(("sold out", offer))
            elif NO_USD_PRICE in reasons:
                left_out.append(("not priced in USD", offer))
            elif reasons:
                left_out.append(("not fully described", offer))
            elif (price_usd_hr := quote(offer, _NO_REQUIREMENTS).price_usd_hr) > 0:
                listed.append(PricedOffer(offer, price_usd_hr))
            else:
                # A price of 0 is a mistake, and would leave no ceiling.
                left_out.append(("not priced in USD", offer))
        listed.sort(key=lambda row: (row.price_usd_hr, row.offer.provider or "", row.offer.cloud_id or ""))
        return cls(tuple(listed), tuple(left_out), taken_at)

    def get(self, key: OfferKey) -> PricedOffer | None:
        """Return the offer with this key, if it is listed."""
        return next((row for row in self.listed if OfferKey.of(row.offer) == key), None)

    def values(self, name: str) -> tuple[str, ...]:
        """Return the distinct values of a field, sorted."""
        return self._values_by_field[name]

    @cached_property
    def _values_by_field(self) -> dict[str, tuple[str, ...]]:
        fields = {name: {getattr(row.offer, name) for row in self.listed} for name in _FILTER_FIELDS}
        return {
            name: tuple(sorted(value for value in values if value and value == sanitize(value)))
            for name, values in fields.items()
        }

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """The distinct numbers of GPUs, sorted."""
        return tuple(sorted({row.offer.gpu_count for row in self.listed if row.offer.gpu_count}))


@dataclass(frozen=True)
class FilterResult:
    """The first `MAX_SHOWN` matches, their total and order, and messages about invalid filters.

    `left_out` counts, by reason, the offers that match but cannot be rented.
    """

    rows: tuple[PricedOffer, ...] = ()
    total: int = 0
    order: OfferOrder = OfferOrder.PRICE
    problems: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


def filter_offers(
    offer_list: OfferList, filters: Filters, order: OfferOrder = OfferOrder.PRICE
) -> FilterResult:
    """Return the offers that match all filters, or none if a filter is invalid.

    >>> filter_offers(OfferList(), Filters(max_price="cheap")).problems
    {'max_price': 'Enter a number, such as 2.50.'}
    """
    problems = {}
    gpu_types = set(_match_gpu_types(offer_list, filters.gpu))
    if filters.gpu.strip() and not gpu_types and offer_list.listed:
        known = (*offer_list.values("gpu_type"), *GPU_TYPES)
        known = (*map(_strip_memory, known), *known)
        problems["gpu"] = f"No offers for '{filters.gpu.strip()}' now{suggest(filters.gpu, known)}"
    max_usd_hr = _parse_max_price(filters.max_price)
    if max_usd_hr is None:
        problems["max_price"] = "Enter a number, such as 2.50."
    is_there = _make_location_test(offer_list, filters.location)
    if is_there is None:
        known = (*offer_list.values("region"), *offer_list.values("country"), *REGIONS)
        location = filters.location.strip()
        problems["location"] = f"Unknown region or country '{location}'{suggest(location, known)}"
    if problems or max_usd_hr is None or is_there is None:
        return FilterResult(order=order, problems=problems)

    def matches(offer: Offer) -> bool:
        return (
            (not filters.gpu.strip() or offer.gpu_type in gpu_types)
            and bool(offer.is_spot) == filters.is_spot
            and filters.count in (0, offer.gpu_count)
            and filters.provider in ("", offer.provider)
            and filters.security in ("", offer.security)
            and filters.socket in ("", offer.socket)
            and is_there(offer)
        )

    rows = [row for row in offer_list.listed if row.price_usd_hr <= max_usd_hr and matches(row.offer)]
    rows.sort(key=order.sort_key)
    left_out = Counter(reason for reason, offer in offer_list.left_out if matches(offer))
    return FilterResult(tuple(rows[:MAX_SHOWN]), len(rows), order, left_out=left_out)


def _read_gpu_memory_gb(offer: Offer) -> float:
    """Return the memory of one GPU; its name says it, but some providers send that of all GPUs."""
    return (read_total_vram_gb(offer) or 0.0) / (offer.gpu_count or 1)


def _match_gpu_types(offer_list: OfferList, text: str) -> tuple[str, ...]:
    wanted = _fold_text(text)
    known = offer_list.values("gpu_type")
    # A complete model or type, such as A40, does not match longer names, such as A4000.
    exact = tuple(
        gpu_type
        for gpu_type in known
        if wanted in (_fold_text(gpu_type), _fold_text(_strip_memory(gpu_type)))
    )
    return exact or tuple(gpu_type for gpu_type in known if wanted in _fold_text(gpu_type))


def _strip_memory(gpu_type: str) -> str:
    """Return a GPU type without its memory."""
    return re.sub(r"_\d+GB$", "", gpu_type)


def _make_location_test(offer_list: OfferList, text: str) -> Callable[[Offer], bool] | None:
    """Return a test of an offer's location, or None if the location is unknown."""
    wanted = _fold_text(text)
    if not wanted:
        return lambda offer: True
    if wanted in map(_fold_text, offer_list.values("country")):
        return lambda offer: _fold_text(offer.country) == wanted

    def is_there(offer: Offer) -> bool:
        return wanted in _fold_text(offer.region) or wanted in _fold_text(offer.data_center)

    is_known = any(is_there(row.offer) for row in offer_list.listed) or any(
        wanted in _fold_text(region) for region in REGIONS
    )
    return is_there if is_known or not offer_list.listed else None


def _parse_max_price(text: str) -> float | None:
    """Return a price in USD per hour: infinite for empty text, None if invalid."""
    number = text.strip().removeprefix("$").removesuffix("/h").strip()
    if not number:
        return math.inf
    price = plain_number(number)
    return price if price is not None and 0 < price < math.inf else None


def _fold_text(text: str | None) -> str:
    return _fold_short((text or "")[:_MAX_TEXT_LENGTH])


@lru_cache(maxsize=4096)
def _fold_short(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()

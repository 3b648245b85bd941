"""Finding: all offers that can be rented, as they were when the list was taken, and those that are wanted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import NamedTuple

from primepods_magic.api.enums import GPU_TYPES, REGIONS
from primepods_magic.api.models import Offer
from primepods_magic.api.requests import did_you_mean
from primepods_magic.api.text.sanitize import sanitize
from primepods_magic.api.validation.bounds import plain_number
from primepods_magic.pods.offers import NO_USD_PRICE, SOLD_OUT, mismatches, quote
from primepods_magic.pods.spec.spec import PodSpec

__all__ = ["SHOWN", "FilterResult", "Filters", "OfferKey", "OfferList", "PricedOffer", "find"]

SHOWN = 50
"""More rows are not read; a filter is better for that."""

_AS_IT_IS = PodSpec()
_TOLD = ("gpu_type", "region", "country", "provider", "security", "socket")

# No word is as long as that; longer text is not kept.
_LONGEST_WORD = 200


class OfferKey(NamedTuple):
    """What tells offers apart, also in another list; a cloud id alone does not."""

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
        """The key of an offer."""
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
    """An offer that can be rented, and what it costs an hour as it is, in USD."""

    offer: Offer
    price_usd_hr: float

    @property
    def price_gpu_usd_hr(self) -> float:
        """USD per hour for each GPU."""
        return self.price_usd_hr / (self.offer.gpu_count or 1)


@dataclass(frozen=True)
class Filters:
    """What is wanted, as it was typed or chosen; what is empty is not asked for.

    Parameters
    ----------
    gpu : str
        A part of a GPU type: ``h100`` finds ``H100_80GB``.
    count : int
        GPUs in the machine.
    place : str
        A country such as ``NO``, or a part of a region or data center.
    provider, security, socket : str
        Exactly these.
    is_spot : bool
        Spot machines only, else those that nobody can reclaim.
    max_price : str
        At most so many USD per hour.
    """

    gpu: str = ""
    count: int = 0
    place: str = ""
    provider: str = ""
    security: str = ""
    socket: str = ""
    is_spot: bool = False
    max_price: str = ""


@dataclass(frozen=True)
class OfferList:
    """Offers, cheapest first.

    Parameters
    ----------
    listed : tuple of Listed
        What can be rented for USD.
    sold_out, unpriced, undescribed : int
        How many cannot: no machine left, no price in USD, not described well enough.
    taken_at : datetime, optional
        When the list was taken, by the service's clock; ``None`` before there is one.
    """

    listed: tuple[PricedOffer, ...] = ()
    sold_out: int = 0
    unpriced: int = 0
    undescribed: int = 0
    taken_at: datetime | None = None

    @classmethod
    def read(cls, offers: Iterable[Offer], taken_at: datetime) -> OfferList:
        """The market that a list of offers is."""
        listed: list[PricedOffer] = []
        sold_out = unpriced = undescribed = 0
        for offer in offers:
            # As if it was asked for by its id: spot offers are chosen so, too.
            hindrances = mismatches(offer, _AS_IT_IS.model_copy(update={"cloud_id": offer.cloud_id}))
            if SOLD_OUT in hindrances:
                sold_out += 1
            elif NO_USD_PRICE in hindrances:
                unpriced += 1
            elif hindrances:
                undescribed += 1
            elif (price_usd_hr := quote(offer, _AS_IT_IS).price_usd_hr) > 0:
                listed.append(PricedOffer(offer, price_usd_hr))
            else:
                # Nobody gives machines away, and nothing would be a ceiling for it.
                unpriced += 1
        listed.sort(key=lambda row: (row.price_usd_hr, row.offer.provider or "", row.offer.cloud_id or ""))
        return cls(tuple(listed), sold_out, unpriced, undescribed, taken_at)

    def get(self, key: OfferKey) -> PricedOffer | None:
        """The offer of this key, where there is one."""
        return next((row for row in self.listed if OfferKey.of(row.offer) == key), None)

    def words(self, name: str) -> tuple[str, ...]:
        """What the offers say in a field, each word once, in order."""
        return self._words[name]

    @cached_property
    def _words(self) -> dict[str, tuple[str, ...]]:
        said = {name: {getattr(row.offer, name) for row in self.listed} for name in _TOLD}
        return {
            name: tuple(sorted(word for word in words if word and word == sanitize(word)))
            for name, words in said.items()
        }

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """The numbers of GPUs that there are."""
        return tuple(sorted({row.offer.gpu_count for row in self.listed if row.offer.gpu_count}))


@dataclass(frozen=True)
class FilterResult:
    """What the filters leave.

    Parameters
    ----------
    rows : tuple of Listed
        The first `SHOWN` of them, cheapest first.
    total : int
        How many there are.
    problems : mapping of str to str
        What is wrong with a filter, in words, by its name.
    """

    rows: tuple[PricedOffer, ...] = ()
    total: int = 0
    problems: Mapping[str, str] = field(default_factory=dict)


def find(market: OfferList, filters: Filters) -> FilterResult:
    """The offers that are wanted.

    Parameters
    ----------
    market : Market
        What there is.
    filters : Filters
        What is wanted. One that cannot be read leaves nothing.

    Examples
    --------
    >>> find(OfferList(), Filters(max_price="cheap")).problems
    {'max_price': 'a price is a number, such as 2.50'}
    """
    problems = {}
    wanted = set(_gpu_types(market, filters.gpu))
    if filters.gpu.strip() and not wanted and market.listed:
        known = (*market.words("gpu_type"), *GPU_TYPES)
        known = (*map(_model_of, known), *known)
        problems["gpu"] = f"nobody offers '{filters.gpu.strip()}' now{did_you_mean(filters.gpu, known)}"
    most = _price(filters.max_price)
    if most is None:
        problems["max_price"] = "a price is a number, such as 2.50"
    is_there = _place_test(market, filters.place)
    if is_there is None:
        known = (*market.words("region"), *market.words("country"), *REGIONS)
        problems["place"] = (
            f"there is no region or country '{filters.place.strip()}'{did_you_mean(filters.place, known)}"
        )
    if problems or most is None or is_there is None:
        return FilterResult(problems=problems)
    rows = [
        row
        for row in market.listed
        if row.offer.gpu_type in wanted
        and bool(row.offer.is_spot) == filters.is_spot
        and row.price_usd_hr <= most
        and filters.count in (0, row.offer.gpu_count)
        and filters.provider in ("", row.offer.provider)
        and filters.security in ("", row.offer.security)
        and filters.socket in ("", row.offer.socket)
        and is_there(row.offer)
    ]
    return FilterResult(tuple(rows[:SHOWN]), len(rows))


def _gpu_types(market: OfferList, text: str) -> tuple[str, ...]:
    wanted = _folded(text)
    known = market.words("gpu_type")
    # Whoever names a model or a type in full, as in A40, does not want those whose names go on, as A4000.
    named = tuple(
        gpu_type for gpu_type in known if wanted in (_folded(gpu_type), _folded(_model_of(gpu_type)))
    )
    return named or tuple(gpu_type for gpu_type in known if wanted in _folded(gpu_type))


def _model_of(gpu_type: str) -> str:
    """A GPU type without its memory, which few type."""
    return re.sub(r"_\d+GB$", "", gpu_type)


def _place_test(market: OfferList, text: str) -> Callable[[Offer], bool] | None:
    """Whether an offer is where it is wanted; ``None`` where there is no such place."""
    wanted = _folded(text)
    if not wanted:
        return lambda offer: True
    if wanted in map(_folded, market.words("country")):
        return lambda offer: _folded(offer.country) == wanted

    def is_there(offer: Offer) -> bool:
        return wanted in _folded(offer.region) or wanted in _folded(offer.data_center)

    is_known = any(is_there(row.offer) for row in market.listed) or any(
        wanted in _folded(region) for region in REGIONS
    )
    return is_there if is_known or not market.listed else None


def _price(text: str) -> float | None:
    """The price in a text; infinite where there is no text, ``None`` where it is no price."""
    said = text.strip().removeprefix("$").removesuffix("/h").strip()
    if not said:
        return math.inf
    price = plain_number(said)
    return price if price is not None and 0 < price < math.inf else None


def _folded(text: str | None) -> str:
    return _fold_short((text or "")[:_LONGEST_WORD])


@lru_cache(maxsize=4096)
def _fold_short(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()

"""Matching of an offer to a spec: whether it fits, what it costs, and why it does not fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from primepods_magic.api.errors import InvalidRequest
from primepods_magic.api.fields.stock import Stock
from primepods_magic.api.models import Offer, ResourceLimits
from primepods_magic.api.requests import LONGEST_NAME, TEMPLATE_IMAGE, list_names
from primepods_magic.api.text.money import format_usd, format_usd_hr
from primepods_magic.api.text.sanitize import brief, sanitize
from primepods_magic.api.text.short_repr import shorten_repr
from primepods_magic.pods.spec.spec import PodSpec
from primepods_magic.pods.support.name_matching import fold_letters

from .spec.requirements import list_shortfalls, read_total_vram_gb

__all__ = [
    "NO_USD_PRICE",
    "SOLD_OUT",
    "Quote",
    "cheapest_first",
    "describe_nodes",
    "ignored_mismatches",
    "join_any",
    "mismatches",
    "quote",
    "range_errors",
    "sort_offers",
    "usd_gb_vram",
]

_MAX_USD_HR = 1e6
_MAX_PREPAID_HR = 10 * 365 * 24.0
DEFAULT_IMAGE = "ubuntu_22_cuda_12"
SOLD_OUT = "out of stock"
_STOCK_LEVELS = ("HIGH", "MEDIUM", "AVAILABLE", "LOW")
NO_USD_PRICE = "no price in USD"


@dataclass(frozen=True, repr=False)
class Quote:
    """Estimated price of a pod from an offer.

    `price_usd_hr` is the upper estimate: the offer's price and resources beyond those included, whose parts
    are `disk_usd_hr`, `vcpus_usd_hr` and `memory_usd_hr`. `prepaid_hr` hours are charged up front, used or
    not. `fitting` counts the offers that fit, and `next_best` are the cheapest others.
    """

    offer: Offer
    price_usd_hr: float
    disk_usd_hr: float = 0.0
    vcpus_usd_hr: float = 0.0
    memory_usd_hr: float = 0.0
    prepaid_hr: float = 0.0
    fitting: int = 1
    next_best: tuple[Quote, ...] = ()

    @property
    def reason(self) -> str:
        """Reason for choosing this offer, with close alternatives."""
        if not self.next_best:
            return "the only offer that fits"
        others = ", ".join(f"{other.place} {format_usd_hr(other.price_usd_hr)}" for other in self.next_best)
        # A cheaper offer with unknown stock comes after those in stock.
        is_cheapest = all(other.price_usd_hr >= self.price_usd_hr for other in self.next_best)
        which = "cheapest" if is_cheapest else "cheapest that is known to be in stock"
        return f"the {which} of {self.fitting} offers that fit; next: {others}"

    @property
    def place(self) -> str:
        """Provider, data center and country."""
        offer = self.offer
        where = ", ".join(part for part in (offer.data_center, offer.country) if part)
        return sanitize(f"{offer.provider} ({where})" if where else offer.provider)

    @property
    def price_usd_day(self) -> float:
        """USD per day."""
        return self.price_usd_hr * 24

    @property
    def machine_usd_hr(self) -> float:
        """The machine's part of the price."""
        return self.price_usd_hr - self.disk_usd_hr - self.vcpus_usd_hr - self.memory_usd_hr

    @property
    def prepaid_usd(self) -> float:
        """USD that are charged up front."""
        return self.price_usd_hr * self.prepaid_hr

    def __repr__(self) -> str:
        return shorten_repr(f"Quote: {self}")

    def __str__(self) -> str:
        offer = self.offer
        parts = f" (disk {format_usd_hr(self.disk_usd_hr)} included)" if self.disk_usd_hr else ""
        parts += "; spot, so it may be reclaimed at any time" if offer.is_spot else ""
        if offer.unread_spot is not None:
            parts += f"; it may be spot: cannot read '{brief(offer.unread_spot)}'"
        if offer.stock is Stock.UNKNOWN:
            parts += f"; its stock is '{sanitize(offer.stock_status)}', so it may be sold out"
        if self.prepaid_hr:
            parts += (
                f"; prepaid: {format_usd(self.prepaid_usd)} for {self.prepaid_hr:g} h are charged up front"
            )
        per_gpu = ""
        if offer.is_multinode:
            per_gpu = f" for all nodes ({format_usd_hr(self.price_usd_hr / (offer.gpu_count or 1))} per GPU)"
        return (
            f"{offer.gpu_count} × {sanitize(offer.gpu_type)}{describe_nodes(offer)} at {self.place}: "
            f"{format_usd_hr(self.price_usd_hr)}{per_gpu}, {format_usd(self.price_usd_day)}/day{parts}"
        )


def describe_nodes(offer: Offer) -> str:
    """Return the words about the nodes of a multi-node offer, which does not state their number.

    >>> describe_nodes(Offer(gpu_type="H100_80GB", gpu_count=16, is_multinode=True))
    ' on several nodes (usually 2 with 8 GPUs each)'
    """
    if not offer.is_multinode:
        return ""
    nodes, gpus = offer.nodes, offer.gpu_count
    usual = f" (usually {nodes} with {gpus // nodes} GPUs each)" if nodes and gpus else ""
    return f" on several nodes{usual}"


def quote(offer: Offer, spec: PodSpec) -> Quote:
    """Estimate an offer's cost for a spec's resources; raise InvalidRequest if it has no price in USD."""
    quoted = _quote_if_priced(offer, spec)
    if quoted is None:
        raise InvalidRequest(f"The offer {sanitize(offer.cloud_id)} has no price in USD. Nothing was created")
    return quoted


def _quote_if_priced(offer: Offer, spec: PodSpec) -> Quote | None:
    """Estimate as `quote`; return None without a plausible price in USD."""
    if offer.price_hr is None or not offer.is_in_usd:
        return None
    disk_usd_hr = _extra_usd_hr(offer.disk, spec.disk_size)
    vcpus_usd_hr = _extra_usd_hr(offer.vcpu, spec.vcpus)
    memory_usd_hr = _extra_usd_hr(offer.memory, spec.memory)
    total_usd_hr = offer.price_hr + disk_usd_hr + vcpus_usd_hr + memory_usd_hr
    if not total_usd_hr <= _MAX_USD_HR:
        return None
    return Quote(
        offer,
        # Round up to a millionth: it is sent as the price ceiling as well.
        price_usd_hr=math.ceil(round(total_usd_hr * 1e6, 3)) / 1e6,
        disk_usd_hr=disk_usd_hr,
        vcpus_usd_hr=vcpus_usd_hr,
        memory_usd_hr=memory_usd_hr,
        prepaid_hr=max(spec.prepaid_for_hr or 0.0, offer.prepaid_time or 0.0),
    )


def _extra_usd_hr(limits: ResourceLimits, wanted: int | None) -> float:
    """Return the hourly cost of the amount above what the offer includes.

    Assume that nothing is included unless stated.
    """
    count = limits.default_count if wanted is None else wanted
    if count is None or not limits.price_per_unit:
        return 0.0
    included = (limits.default_count or 0) if limits.default_included_in_price else 0
    return max(0.0, count - included) * limits.price_per_unit


def cheapest_first(offers: list[Offer]) -> list[Offer]:
    """Sort offers by price: USD first, then other currencies, then those without a price."""

    def key(offer: Offer) -> tuple[int, float, str, str, int]:
        price = math.inf if offer.price_hr is None else offer.price_hr
        return (
            2 if offer.price_hr is None else int(not offer.is_in_usd),
            price,
            offer.provider or "",
            offer.cloud_id or "",
            offer.gpu_count or 0,
        )

    return sorted(offers, key=key)


def sort_offers(offers: list[Offer], order: str) -> list[Offer]:
    """Sort offers by one of `OFFER_ORDERS`: those with unknown stock, then those sold out, come last."""

    def key(offer: Offer) -> tuple[float, ...]:
        return (offer.stock, *_rank_offer(offer, order))

    return sorted(cheapest_first(offers), key=key)


def _rank_offer(offer: Offer, order: str) -> tuple[float, ...]:
    """Return the key of an offer in an order; it is empty for that by price."""
    if order == "start":
        minutes, level = offer.provisioning_time, (offer.stock_status or "").strip().upper()
        likely = _STOCK_LEVELS.index(level) if level in _STOCK_LEVELS else len(_STOCK_LEVELS)
        return (math.inf if minutes is None else minutes, likely)
    if order == "usd_gb_vram":
        usd = usd_gb_vram(offer)
        return (math.inf if usd is None else usd,)
    if order == "price_gpu_hr":
        is_unknown = offer.price_hr is None or not offer.gpu_count
        price = math.inf if is_unknown else (offer.price_hr or 0.0) / (offer.gpu_count or 1)
        return (not offer.is_in_usd, price)
    return ()


def usd_gb_vram(offer: Offer) -> float | None:
    """Return USD per hour and GB of GPU memory of an offer, or None.

    >>> usd_gb_vram(Offer(gpu_type="L4_24GB", gpu_count=2, prices={"onDemand": 0.96, "currency": "USD"}))
    0.02
    """
    total_gb = read_total_vram_gb(offer)
    if offer.price_hr is None or not offer.is_in_usd or not total_gb:
        return None
    return offer.price_hr / total_gb


def ignored_mismatches(spec: PodSpec) -> frozenset[str]:
    """Return the mismatches that do not hide an offer from the listing."""
    return frozenset({SOLD_OUT} if spec.max_price is not None else {SOLD_OUT, NO_USD_PRICE})


def mismatches(offer: Offer, spec: PodSpec, *, spot: bool = False) -> list[str]:
    """List why an offer does not fit a spec; empty if it fits.

    ``spot`` accepts spot offers only; else they fit by their ``cloud_id`` only.
    """
    # Requested properties.
    reasons = [
        f"{name} is {sanitize(has) or 'not stated'}, not {join_any(wanted)}"
        for name, wanted, has in (
            ("count", spec.count, offer.gpu_count),
            ("socket", spec.socket, offer.socket),
            ("provider", spec.provider, offer.provider),
            ("region", spec.region, offer.region),
            ("country", spec.country, offer.country),
            ("data center", spec.data_center_id, offer.data_center),
            ("security", spec.security, offer.security),
        )
        if wanted is not None and str(has).casefold() not in _fold_each(wanted)
    ]
    if spec.cloud_id is not None and offer.cloud_id != spec.cloud_id:
        reasons.append(f"cloud id is {sanitize(offer.cloud_id)}, not {sanitize(spec.cloud_id)}")
    # A service, or a cache in front of it, may ignore the filter.
    gpu_types = list_names(spec.gpu_type)
    if gpu_types and fold_letters(offer.gpu_type) not in map(fold_letters, gpu_types):
        reasons.append(f"GPU type is {sanitize(offer.gpu_type)}, not {join_any(gpu_types)}")
    # Fields that a create request needs.
    texts = (offer.cloud_id, offer.gpu_type, offer.provider, offer.socket, offer.data_center, offer.country)
    is_too_long = any(len(text or "") > LONGEST_NAME for text in (*texts, offer.security, *offer.images))
    if is_too_long or not all(
        (offer.cloud_id, offer.gpu_type, offer.gpu_count, offer.provider, spec.socket or offer.socket)
    ):
        reasons.append("its description is incomplete or too long")
    # Stock, and spot, which can be reclaimed at any time and so is never chosen by itself.
    if not offer.in_stock:
        reasons.append(SOLD_OUT)
    if spot and not offer.is_spot:
        reasons.append("not spot")
    elif offer.is_spot and not spot and spec.cloud_id is None:
        reasons.append("spot: choose it by its cloud_id")
    elif offer.unread_spot is not None and spec.cloud_id is None:
        reasons.append(f"may be spot: cannot read '{brief(offer.unread_spot)}'")
    # Image and amounts.
    if spec.image is not None and offer.images and spec.image not in offer.images:
        reasons.append(f"no image {sanitize(spec.image)}")
    for name, wanted, limits in (
        ("disk", spec.disk_size, offer.disk),
        ("vcpus", spec.vcpus, offer.vcpu),
        ("memory", spec.memory, offer.memory),
    ):
        reasons += range_errors(name, wanted, limits)
    reasons += list_shortfalls(offer, spec)
    # Price.
    if offer.unread_prepaid is not None:
        reasons.append(f"cannot read the prepaid time '{brief(offer.unread_prepaid)}'")
    if (offer.prepaid_time or 0.0) > _MAX_PREPAID_HR:
        reasons.append(f"prepaid for {offer.prepaid_time:g} h")
    quoted = _quote_if_priced(offer, spec)
    if quoted is None:
        reasons.append(NO_USD_PRICE)
    elif spec.max_price is not None and quoted.price_usd_hr > spec.max_price:
        reasons.append(f"over {format_usd_hr(spec.max_price)}")
    return reasons


def join_any(wanted: object) -> str:
    """Return a value of a spec for a message, or several of which any will do.

    >>> join_any(("A100_80GB", "H100_80GB")), join_any(8)
    ('A100_80GB or H100_80GB', '8')
    """
    return " or ".join(map(sanitize, wanted)) if isinstance(wanted, tuple) else sanitize(wanted)


def _fold_each(wanted: object) -> list[str]:
    return [str(each).casefold() for each in (wanted if isinstance(wanted, tuple) else (wanted,))]


def range_errors(name: str, wanted: int | None, limits: ResourceLimits) -> list[str]:
    """List why an amount is outside an offer's limits; empty if it is inside.

    >>> range_errors("disk", 205, ResourceLimits(min_count=20, max_count=1000, step=10))
    ['disk goes in steps of 10']
    """
    if wanted is None:
        return []
    min_count, max_count = limits.min_count, limits.max_count
    if min_count is None and max_count is None:
        # Not adjustable: the default is the only amount.
        min_count = max_count = limits.default_count
    if min_count is not None and wanted < min_count:
        return [f"{name} is at least {min_count:g}"]
    if max_count is not None and wanted > max_count:
        return [f"{name} is at most {max_count:g}"]
    # The API does not document whether steps count from zero or from the minimum, so accept both.
    if limits.step and wanted % limits.step and (wanted - (min_count or 0)) % limits.step:
        return [f"{name} goes in steps of {limits.step:g}"]
    return []


def image_for(offer: Offer, spec: PodSpec) -> str:
    """Return the spec's image, else the default one, else the offer's first."""
    if spec.image is not None:
        return spec.image
    usable = [image for image in offer.images if image != TEMPLATE_IMAGE]
    return DEFAULT_IMAGE if DEFAULT_IMAGE in usable or not usable else usable[0]

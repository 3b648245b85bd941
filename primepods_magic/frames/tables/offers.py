"""Frames of offers, the machines that can be rented, and of their GPU types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from primepods_magic.api.models import Offer
from primepods_magic.pods.offers import usd_gb_vram
from primepods_magic.pods.spec.requirements import read_total_vram_gb, read_vram_gb

from .schema import Column, build

__all__ = ["GPUS", "OFFERS", "gpus_frame", "offers_frame"]


def offers_frame(offers: Iterable[Offer]) -> pd.DataFrame:
    """Build a frame of offers, in the order given.

    ``vcpus, memory_gb, disk_gb`` and ``shared_disk_gb`` are what a machine comes with; the ``…_min…,
    …_max…`` and ``…_step…`` columns limit what a launch may ask for instead.

    >>> offer = Offer(gpu_type="H100_80GB", gpu_count=2, prices={"onDemand": 4.68, "currency": "USD"})
    >>> df = offers_frame([offer])
    >>> df[["price_hr", "price_gpu_hr", "gpu_memory_gb"]].to_dict("records")
    [{'price_hr': 4.68, 'price_gpu_hr': 2.34, 'gpu_memory_gb': 80.0}]
    """
    return build(OFFERS, offers)


def gpus_frame(offers: Iterable[Offer]) -> pd.DataFrame:
    """Build a frame of the GPU types of offers, cheapest GPU first; those that none can be rented of last.

    Only on-demand offers that are in stock and have a price in USD count.

    >>> offers = [Offer(gpu_type="L4_24GB", gpu_count=count, provider="vultr", prices={"onDemand": price})
    ...     for count, price in ((1, 0.6), (2, 1.0))]
    >>> gpus_frame(offers)[["gpu", "cheapest_usd_gpu_hr", "offers"]].to_dict("records")
    [{'gpu': 'L4_24GB', 'cheapest_usd_gpu_hr': 0.5, 'offers': 2}]
    """
    by_type: dict[str, list[Offer]] = {}
    for offer in offers:
        if offer.gpu_type:
            by_type.setdefault(offer.gpu_type, []).append(offer)
    rows = [_summarize_type(gpu_type, alike) for gpu_type, alike in by_type.items()]
    return build(GPUS, sorted(rows, key=lambda row: (row.price is None, row.price or 0.0, row.gpu)))


def _compute_price_gpu_hr(offer: Offer) -> float | None:
    if offer.price_hr is None or not offer.gpu_count:
        return None
    return offer.price_hr / offer.gpu_count


def _compute_gpus_per_node(offer: Offer) -> int | None:
    return offer.gpu_count // offer.nodes if offer.gpu_count and offer.nodes else None


def _read_gpu_memory_gb(offer: Offer) -> float | None:
    # The field holds the GB of one GPU at some providers and of the whole machine at others.
    vram_gb = read_vram_gb(offer.gpu_type)
    return offer.gpu_memory if vram_gb is None else vram_gb


def _build_range_columns(spec: str, name: str, unit: str, words: str) -> Iterator[Column[Offer]]:
    """Yield the columns with the limits of one resource."""
    each = "GB" if unit else "vCPU"
    yield Column(f"{name}_min{unit}", "Float64", f"{spec}.min_count", f"minimum {words} of a launch")
    yield Column(f"{name}_max{unit}", "Float64", f"{spec}.max_count", f"maximum {words} of a launch")
    yield Column(f"{name}_step{unit}", "Float64", f"{spec}.step", f"step between allowed amounts of {words}")
    price = f"USD per {each} and hour beyond the included amount"
    yield Column(f"{name}_price_usd{unit}_hr", "Float64", f"{spec}.price_per_unit", price)
    included = "whether the price includes the default amount"
    yield Column(f"{name}_is_included", "boolean", f"{spec}.default_included_in_price", included)
    notes = f"the provider's notes on the {words.removesuffix(' in GB')}"
    yield Column(f"{name}_info", "string", f"{spec}.additional_info", notes)


OFFERS: tuple[Column[Offer], ...] = (
    Column("gpu", "string", "gpu_type"),
    Column("gpu_count", "Int64"),
    Column("price_hr", "Float64", doc="price per hour of the whole offer, in currency", format="price"),
    Column(
        "price_gpu_hr",
        "Float64",
        _compute_price_gpu_hr,
        "price per GPU and hour, in currency",
        format="price",
    ),
    Column("currency", "string", "prices.currency", "currency of the prices, or of the amount"),
    Column("provider", "string"),
    Column("region", "string", doc="region"),
    Column("country", "string", doc="two-letter code of the country"),
    Column("data_center", "string", doc="the provider's id of the data center"),
    Column("socket", "string"),
    Column("security", "string", doc="secure_cloud or community_cloud"),
    Column("is_spot", "boolean"),
    Column("stock", "string", "stock_status", "Available, High, Medium, Low or Unavailable"),
    Column(
        "gpu_memory_gb",
        "Float64",
        _read_gpu_memory_gb,
        "memory of each GPU in GB, from the GPU type or else as stated by the provider",
    ),
    Column("usd_gb_vram", "Float64", usd_gb_vram, "USD per hour and GB of GPU memory", format="unit_price"),
    Column("vcpus", "Float64", "vcpu.default_count", format="number"),
    Column("memory_gb", "Float64", "memory.default_count", format="number"),
    Column("disk_gb", "Float64", "disk.default_count", format="number"),
    Column(
        "cloud_id",
        "string",
        doc="the provider's id of the machine; not unique without the data center",
        max_length=28,
    ),
    Column(
        "on_demand_price_hr",
        "Float64",
        "prices.on_demand",
        "price per hour of the whole offer, in currency; the spot price of a spot machine",
    ),
    Column(
        "community_price_hr",
        "Float64",
        "prices.community_price",
        "price per hour of the whole offer in the community cloud, in currency",
    ),
    Column("is_variable_price", "boolean", "prices.is_variable", "the price may change while the pod runs"),
    Column("prepaid_hr", "Float64", "prepaid_time", "hours that are charged up front, used or not"),
    Column(
        "provisioning_min",
        "Float64",
        "provisioning_time",
        "minutes until it is up, as stated by the provider",
    ),
    Column("internet_mbps", "Float64", "internet_speed", "megabits per second to the internet"),
    Column("nodes", "Int64", doc="machines of the offer; of a multi-node one, usual for its GPUs"),
    Column("gpus_per_node", "Int64", _compute_gpus_per_node, "GPUs of each node"),
    Column("interconnect_gbps", "Float64", "interconnect", "gigabits per second between nodes"),
    Column("interconnect_type", "string", doc="kind of network between nodes"),
    Column("images", "string", doc="available software images, one per line"),
    Column("shared_disk_gb", "Float64", "shared_disk.default_count"),
    *_build_range_columns("disk", "disk", "_gb", "disk in GB"),
    *_build_range_columns("shared_disk", "shared_disk", "_gb", "shared disk in GB"),
    *_build_range_columns("memory", "memory", "_gb", "memory in GB"),
    *_build_range_columns("vcpu", "vcpus", "", "vCPUs"),
)


@dataclass(frozen=True)
class _GpuType:
    """A GPU type, with the rentable offers of it."""

    gpu: str
    memory_gb: float | None
    price: float | None
    cheapest: Offer | None
    offers: tuple[Offer, ...]


def _summarize_type(gpu_type: str, alike: list[Offer]) -> _GpuType:
    rentable = [(price, offer) for offer in alike if (price := _read_usd_gpu_hr(offer)) is not None]
    price, cheapest = min(rentable, key=lambda pair: pair[0], default=(None, None))
    totals = [(read_total_vram_gb(offer), offer.gpu_count) for offer in alike]
    memory_gb = min((total_gb / count for total_gb, count in totals if total_gb and count), default=None)
    return _GpuType(gpu_type, memory_gb, price, cheapest, tuple(offer for _, offer in rentable))


def _read_usd_gpu_hr(offer: Offer) -> float | None:
    """Return USD per GPU and hour of an offer that can be rented now on demand, or None."""
    may_be_spot = offer.is_spot or offer.unread_spot is not None
    if may_be_spot or not offer.in_stock or not offer.is_in_usd or not offer.gpu_count:
        return None
    return None if offer.price_hr is None else offer.price_hr / offer.gpu_count


def _compute_usd_gb_vram(row: _GpuType) -> float | None:
    return min(filter(None, map(usd_gb_vram, row.offers)), default=None)


def _join_providers(row: _GpuType) -> str | None:
    return ", ".join(sorted({offer.provider for offer in row.offers if offer.provider})) or None


def _join_counts(row: _GpuType) -> str | None:
    return ", ".join(map(str, sorted({offer.gpu_count for offer in row.offers if offer.gpu_count}))) or None


_MEMORY_DOC = "memory of each GPU in GB; if the GPU type does not say it, it has at least this"
GPUS: tuple[Column[_GpuType], ...] = (
    Column("gpu", "string"),
    Column("gpu_memory_gb", "Float64", "memory_gb", _MEMORY_DOC, "number"),
    Column("cheapest_usd_gpu_hr", "Float64", "price"),
    Column("cheapest_provider", "string", "cheapest.provider"),
    Column(
        "offers", "Int64", lambda row: len(row.offers), "number of offers that can be rented now", "number"
    ),
    Column("gpu_counts", "string", _join_counts, "numbers of GPUs that one offer has"),
    Column("usd_gb_vram", "Float64", _compute_usd_gb_vram, format="unit_price"),
    Column("providers", "string", _join_providers, "providers that have it now", max_length=60),
)

"""Frame of offers, the machines that can be rented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from operator import attrgetter

import pandas as pd

from primepods_magic.api.models import Offer

from .schema import Column, build, lines

__all__ = ["offers_frame"]

_MEMORY_IN_TYPE = re.compile(r"_([0-9]+)GB(?![A-Za-z0-9])")


def offers_frame(offers: Iterable[Offer]) -> pd.DataFrame:
    """Build a frame of offers, in the order given.

    ``vcpus, memory_gb, disk_gb`` and ``shared_disk_gb`` are what a machine comes with; the ``…_min…,
    …_max…`` and ``…_step…`` columns limit what a launch may ask for instead.

    >>> offer = Offer(gpu_type="H100_80GB", gpu_count=2, prices={"onDemand": 4.68, "currency": "USD"})
    >>> df = offers_frame([offer])
    >>> df[["price_hr", "price_gpu_hr", "gpu_memory_gb"]].to_dict("records")
    [{'price_hr': 4.68, 'price_gpu_hr': 2.34, 'gpu_memory_gb': 80.0}]
    """
    return build(_OFFER_COLUMNS, offers)


def _compute_price_gpu_hr(offer: Offer) -> float | None:
    if offer.price_hr is None or not offer.gpu_count:
        return None
    return offer.price_hr / offer.gpu_count


def _read_gpu_memory_gb(offer: Offer) -> float | None:
    # The field holds the GB of one GPU at some providers and of the whole machine at others.
    match = _MEMORY_IN_TYPE.search(offer.gpu_type or "")
    return float(match[1]) if match else offer.gpu_memory


def _build_range_columns(spec: str, name: str, unit: str) -> Iterator[Column[Offer]]:
    """Yield the columns with the limits of one resource."""
    yield Column(f"{name}_min{unit}", "Float64", attrgetter(f"{spec}.min_count"))
    yield Column(f"{name}_max{unit}", "Float64", attrgetter(f"{spec}.max_count"))
    yield Column(f"{name}_step{unit}", "Float64", attrgetter(f"{spec}.step"))
    yield Column(f"{name}_price_usd{unit}_hr", "Float64", attrgetter(f"{spec}.price_per_unit"))
    yield Column(f"{name}_is_included", "boolean", attrgetter(f"{spec}.default_included_in_price"))
    yield Column(f"{name}_info", "string", attrgetter(f"{spec}.additional_info"))


_OFFER_COLUMNS: tuple[Column[Offer], ...] = (
    Column("gpu", "string", attrgetter("gpu_type")),
    Column("gpu_count", "Int64", attrgetter("gpu_count")),
    Column("price_hr", "Float64", attrgetter("price_hr")),
    Column("price_gpu_hr", "Float64", _compute_price_gpu_hr),
    Column("currency", "string", attrgetter("prices.currency")),
    Column("provider", "string", attrgetter("provider")),
    Column("region", "string", attrgetter("region")),
    Column("country", "string", attrgetter("country")),
    Column("data_center", "string", attrgetter("data_center")),
    Column("socket", "string", attrgetter("socket")),
    Column("security", "string", attrgetter("security")),
    Column("is_spot", "boolean", attrgetter("is_spot")),
    Column("stock", "string", attrgetter("stock_status")),
    Column("gpu_memory_gb", "Float64", _read_gpu_memory_gb),
    Column("vcpus", "Float64", attrgetter("vcpu.default_count")),
    Column("memory_gb", "Float64", attrgetter("memory.default_count")),
    Column("disk_gb", "Float64", attrgetter("disk.default_count")),
    Column("cloud_id", "string", attrgetter("cloud_id")),
    Column("on_demand_price_hr", "Float64", attrgetter("prices.on_demand")),
    Column("community_price_hr", "Float64", attrgetter("prices.community_price")),
    Column("is_variable_price", "boolean", attrgetter("prices.is_variable")),
    Column("prepaid_hr", "Float64", attrgetter("prepaid_time")),
    Column("provisioning_min", "Float64", attrgetter("provisioning_time")),
    Column("internet_mbps", "Float64", attrgetter("internet_speed")),
    Column("interconnect_gbps", "Float64", attrgetter("interconnect")),
    Column("interconnect_type", "string", attrgetter("interconnect_type")),
    Column("images", "string", lambda offer: lines(offer.images)),
    Column("shared_disk_gb", "Float64", attrgetter("shared_disk.default_count")),
    *_build_range_columns("disk", "disk", "_gb"),
    *_build_range_columns("shared_disk", "shared_disk", "_gb"),
    *_build_range_columns("memory", "memory", "_gb"),
    *_build_range_columns("vcpu", "vcpus", ""),
)

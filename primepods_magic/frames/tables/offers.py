"""Offers, the machines that can be rented, as DataFrames."""

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
    """Offers as a frame, in the order given.

    Prices are in ``currency``, which is USD for nearly all. A machine's ``vcpus, memory_gb, disk_gb``
    and ``shared_disk_gb`` are what it comes with; the ``…_min…, …_max…`` and ``…_step…`` columns say
    what may be asked for instead.

    Parameters
    ----------
    offers : iterable of Offer
        What the service says about each offer.

    Returns
    -------
    pandas.DataFrame
        ====================================  =======  ========================================
        ``gpu``                               string   GPU type
        ``gpu_count``                         Int64    GPUs of the whole offer
        ``price_hr, price_gpu_hr``            Float64  per hour: the whole offer, each GPU
        ``currency, provider, region``        string
        ``country, data_center, socket``      string
        ``security``                          string
        ``is_spot``                           boolean
        ``stock``                             string   Available, High, Medium, Low, Unavailable
        ``gpu_memory_gb``                     Float64  GB of each GPU
        ``vcpus, memory_gb, disk_gb``         Float64  memory and disk in GB
        ``cloud_id``                          string   not unique without the data center
        ``on_demand_price_hr``                Float64  per hour
        ``community_price_hr``                Float64  per hour
        ``is_variable_price``                 boolean
        ``prepaid_hr``                        Float64  hours charged up front
        ``provisioning_min``                  Float64  minutes until it is up
        ``internet_mbps``                     Float64  megabits per second
        ``interconnect_gbps``                 Float64  gigabits per second
        ``interconnect_type, images``         string   a line for each image
        ``shared_disk_gb``                    Float64  GB
        ``disk_min_gb, disk_max_gb, …``       Float64  GB; and so for shared_disk, memory, vcpus
        ``disk_price_usd_gb_hr, …``           Float64  USD per GB and hour (vCPUs: per vCPU and hour)
        ``disk_is_included, …``               boolean  whether what it comes with is in the price
        ``disk_info, …``                      string
        ====================================  =======  ========================================

        and after them, as ``object``, single values that the service sends beyond its documentation.

    Examples
    --------
    >>> offer = Offer(gpu_type="H100_80GB", gpu_count=2, prices={"onDemand": 4.68, "currency": "USD"})
    >>> df = offers_frame([offer])
    >>> df[["price_hr", "price_gpu_hr", "gpu_memory_gb"]].to_dict("records")
    [{'price_hr': 4.68, 'price_gpu_hr': 2.34, 'gpu_memory_gb': 80.0}]
    """
    return build(_OFFER_COLUMNS, offers)


def _price_gpu_hr(offer: Offer) -> float | None:
    if offer.price_hr is None or not offer.gpu_count:
        return None
    return offer.price_hr / offer.gpu_count


def _gpu_memory_gb(offer: Offer) -> float | None:
    # The field holds the GB of one GPU at some providers and of the whole machine at others.
    told = _MEMORY_IN_TYPE.search(offer.gpu_type or "")
    return float(told[1]) if told else offer.gpu_memory


def _range_columns(spec: str, name: str, unit: str) -> Iterator[Column[Offer]]:
    """What may be asked for in place of what the machine comes with."""
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
    Column("price_gpu_hr", "Float64", _price_gpu_hr),
    Column("currency", "string", attrgetter("prices.currency")),
    Column("provider", "string", attrgetter("provider")),
    Column("region", "string", attrgetter("region")),
    Column("country", "string", attrgetter("country")),
    Column("data_center", "string", attrgetter("data_center")),
    Column("socket", "string", attrgetter("socket")),
    Column("security", "string", attrgetter("security")),
    Column("is_spot", "boolean", attrgetter("is_spot")),
    Column("stock", "string", attrgetter("stock_status")),
    Column("gpu_memory_gb", "Float64", _gpu_memory_gb),
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
    *_range_columns("disk", "disk", "_gb"),
    *_range_columns("shared_disk", "shared_disk", "_gb"),
    *_range_columns("memory", "memory", "_gb"),
    *_range_columns("vcpu", "vcpus", ""),
)

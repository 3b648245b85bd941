"""Parts of pods and offers: ports, resources, attached disks, limits and prices."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from primepods_magic.api.http.urls import bare_address, bare_urls

from .lenient_types import Amount, ApiModel, Currency, Flag, Label, OfferPrice, Size, Text

__all__ = ["AttachedResource", "PortMapping", "Prices", "ResourceLimits", "Resources"]


def _read_external(value: object) -> object:
    return bare_address(value) if isinstance(value, str) else value


def _read_note(value: object) -> object:
    return bare_urls(value) if isinstance(value, str) else value


_Note = Annotated[Text, BeforeValidator(_read_note)]


class PortMapping(ApiModel):
    """A mapped port of a pod; ``external`` may be a complete URL, without user and query."""

    internal: Text = None
    external: Annotated[Text, BeforeValidator(_read_external)] = None
    protocol: Text = None
    used_by: Label = None
    description: Annotated[Label, BeforeValidator(_read_note)] = None


class Resources(ApiModel):
    """The resources of a pod: memory, disk and shared disk in GB, and the number of vCPUs."""

    memory: Size = None
    disk: Size = None
    shared_disk: Annotated[Size, Field(alias="shared_disk")] = None
    vcpus: Size = None


class AttachedResource(ApiModel):
    """A persistent disk attached to a pod; size in GB."""

    resource_type: Text = None
    id: Text = None
    status: Text = None
    is_detachable: Flag = None
    mount_path: _Note = None
    resource_path: _Note = None
    size: Size = None
    is_shared: Flag = None


class ResourceLimits(ApiModel):
    """Limits of a resource of an offer in units, and its price in USD per unit and hour."""

    min_count: Amount = None
    default_count: Amount = None
    max_count: Size = None
    step: Size = None
    price_per_unit: Amount = None
    default_included_in_price: Flag = None
    additional_info: _Note = None


class Prices(ApiModel):
    """Prices per hour of a whole offer, in ``currency``."""

    on_demand: OfferPrice = None
    community_price: OfferPrice = None
    is_variable: Flag = None
    currency: Currency = None

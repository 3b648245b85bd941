"""Routes that list offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query

from primepods_magic.sandbox.domain.disk_offers import disk_offers
from primepods_magic.sandbox.domain.offers import Offer, summary
from primepods_magic.sandbox.domain.records import DiskRecord
from primepods_magic.sandbox.http.api_keys import KeyDep
from primepods_magic.sandbox.schemas.enums import GpuType, Region, SecurityType, Socket
from primepods_magic.sandbox.schemas.responses import DiskOfferList, GpuOffer, GpuOfferList, OfferSummary
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .response import ApiResponse, ApiRoute

__all__ = ["router"]

router = APIRouter(prefix="/availability", route_class=ApiRoute)

Page = Annotated[int, Query(ge=1, le=2**53)]
PageSize = Annotated[int, Query(ge=1, le=100)]
LegacyPageSize = Annotated[int, Query(ge=1, le=500)]

Row = TypeVar("Row")


@dataclass(frozen=True)
class OfferFilter:
    """The filters of an availability request; None matches every offer."""

    regions: tuple[Region, ...] | None
    gpu_count: int | None
    gpu_type: GpuType | None
    socket: Socket | None
    security: SecurityType | None
    data_center_id: str | None
    cloud_id: str | None
    disks: tuple[DiskRecord | None, ...]
    """The disks to attach; None for an unknown disk."""

    def admits(self, offer: Offer) -> bool:
        pairs: tuple[tuple[object, object], ...] = (
            (self.gpu_count, offer.gpu_count),
            (self.gpu_type, offer.gpu_type),
            (self.socket, offer.socket),
            (self.security, offer.security),
            (self.data_center_id, offer.data_center),
            (self.cloud_id, offer.cloud_id),
        )
        return (
            all(value is None or value == has for value, has in pairs)
            and (self.regions is None or offer.region in self.regions)
            and all(
                disk is not None and (disk.provider, disk.data_center) == (offer.provider, offer.data_center)
                for disk in self.disks
            )
        )


async def _parse_filter(
    key: KeyDep,
    service: ServiceDep,
    regions: Annotated[list[Region] | None, Query()] = None,
    gpu_count: int | None = None,
    gpu_type: GpuType | None = None,
    socket: Socket | None = None,
    security: SecurityType | None = None,
    data_center_id: str | None = None,
    cloud_id: str | None = None,
    disks: Annotated[list[str] | None, Query()] = None,
) -> OfferFilter:
    return OfferFilter(
        regions=tuple(regions) if regions else None,
        gpu_count=gpu_count,
        gpu_type=gpu_type,
        socket=socket,
        security=security,
        data_center_id=data_center_id,
        cloud_id=cloud_id,
        disks=tuple(service.disk(disk_id, key.person) for disk_id in disks or ()),
    )


FilterDep = Annotated[OfferFilter, Depends(_parse_filter)]


@router.get("/gpus")
async def gpus(
    service: ServiceDep, filters: FilterDep, page: Page = 1, page_size: PageSize = 100
) -> ApiResponse[GpuOfferList]:
    """List single-machine offers."""
    return _make_page(_find_offers(service, filters, is_multinode=False), page, service.page(page_size))


@router.get("/multi-node")
async def multi_node(
    service: ServiceDep, filters: FilterDep, page: Page = 1, page_size: PageSize = 100
) -> ApiResponse[GpuOfferList]:
    """List offers of several connected machines."""
    return _make_page(_find_offers(service, filters, is_multinode=True), page, service.page(page_size))


@router.get("/disks")
async def disks(
    service: ServiceDep,
    regions: Annotated[list[Region] | None, Query()] = None,
    data_center_id: str | None = None,
    cloud_id: str | None = None,
    page: Page = 1,
    page_size: PageSize = 100,
) -> ApiResponse[DiskOfferList]:
    """List disk offers."""
    # No disk has a cloudId.
    offers = [
        offer.to_json()
        for offer in disk_offers()
        if cloud_id is None
        and (not regions or offer.region in regions)
        and data_center_id in (None, offer.data_center)
    ]
    return ApiResponse({"items": _cut_page(offers, page, service.page(page_size)), "totalCount": len(offers)})


@router.get("/gpu-summary")
async def gpu_summary(service: ServiceDep) -> ApiResponse[OfferSummary]:
    """Show the cheapest price of each GPU type and count, overall and by region."""
    return ApiResponse(summary(offer for offer in service.offers() if offer.nodes == 1))


@router.get("/multi-node-summary")
async def multi_node_summary(service: ServiceDep) -> ApiResponse[OfferSummary]:
    """Show the cheapest price of several connected machines by GPU type, count and region."""
    return ApiResponse(summary(offer for offer in service.offers() if offer.nodes > 1))


@router.get("")
async def by_type(
    service: ServiceDep, filters: FilterDep, page: Page = 1, page_size: LegacyPageSize = 500
) -> ApiResponse[dict[GpuType, list[GpuOffer]]]:
    """List single-machine offers by GPU type, for older clients."""
    return _group_by_type(_find_offers(service, filters, is_multinode=False), page, service.page(page_size))


@router.get("/clusters")
async def clusters_by_type(
    service: ServiceDep, filters: FilterDep, page: Page = 1, page_size: LegacyPageSize = 500
) -> ApiResponse[dict[GpuType, list[GpuOffer]]]:
    """List offers of several connected machines by GPU type, for older clients."""
    return _group_by_type(_find_offers(service, filters, is_multinode=True), page, service.page(page_size))


def _find_offers(service: SandboxService, filters: OfferFilter, *, is_multinode: bool) -> list[Offer]:
    return [
        offer for offer in service.offers() if (offer.nodes > 1) == is_multinode and filters.admits(offer)
    ]


def _make_page(offers: list[Offer], page: int, page_size: int) -> ApiResponse[GpuOfferList]:
    items = [offer.to_json() for offer in _cut_page(offers, page, page_size)]
    return ApiResponse({"items": items, "totalCount": len(offers)})


def _group_by_type(
    offers: list[Offer], page: int, page_size: int
) -> ApiResponse[dict[GpuType, list[GpuOffer]]]:
    table: dict[GpuType, list[GpuOffer]] = {}
    for offer in _cut_page(offers, page, page_size):
        table.setdefault(offer.gpu_type, []).append(offer.to_json())
    return ApiResponse(table)


def _cut_page(rows: list[Row], page: int, page_size: int) -> list[Row]:
    first = (page - 1) * page_size
    return rows[first : first + page_size]

"""What can be rented, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query

from primepods_magic.sandbox.domain.disk_offers import DiskOffer, disk_offers
from primepods_magic.sandbox.domain.offers import Offer, summary
from primepods_magic.sandbox.domain.records import DiskRecord
from primepods_magic.sandbox.http.api_keys import TheKey
from primepods_magic.sandbox.schemas.enums import GpuType, Region, SecurityType, Socket
from primepods_magic.sandbox.schemas.responses import DiskOfferList, GpuOffer, GpuOfferList, OfferSummary
from primepods_magic.sandbox.service.service import SandboxService, ServiceDep

from .response import ApiResponse

router = APIRouter(prefix="/availability")

Page = Annotated[int, Query(ge=1, le=2**53)]
PageSize = Annotated[int, Query(ge=1, le=100)]
LegacyPageSize = Annotated[int, Query(ge=1, le=500)]

Row = TypeVar("Row")


@dataclass(frozen=True)
class Wanted:
    """The filters of an availability request; None lets everything pass."""

    regions: tuple[Region, ...] | None
    gpu_count: int | None
    gpu_type: GpuType | None
    socket: Socket | None
    security: SecurityType | None
    data_center_id: str | None
    cloud_id: str | None
    disks: tuple[DiskRecord | None, ...]
    """Those that are to be attached; None for one that there is not."""

    def admits(self, offer: Offer) -> bool:
        """Whether an offer passes every filter."""
        pairs: tuple[tuple[object, object], ...] = (
            (self.gpu_count, offer.gpu_count),
            (self.gpu_type, offer.gpu_type),
            (self.socket, offer.socket),
            (self.security, offer.security),
            (self.data_center_id, offer.data_center),
            (self.cloud_id, offer.cloud_id),
        )
        return (
            all(wanted is None or wanted == has for wanted, has in pairs)
            and (self.regions is None or offer.region in self.regions)
            and all(disk is not None and _can_attach(disk, offer) for disk in self.disks)
        )


async def _wanted(
    key: TheKey,
    world: ServiceDep,
    regions: Annotated[list[Region] | None, Query()] = None,
    gpu_count: int | None = None,
    gpu_type: GpuType | None = None,
    socket: Socket | None = None,
    security: SecurityType | None = None,
    data_center_id: str | None = None,
    cloud_id: str | None = None,
    disks: Annotated[list[str] | None, Query()] = None,
) -> Wanted:
    return Wanted(
        regions=tuple(regions) if regions else None,
        gpu_count=gpu_count,
        gpu_type=gpu_type,
        socket=socket,
        security=security,
        data_center_id=data_center_id,
        cloud_id=cloud_id,
        disks=tuple(world.disk(disk_id, key.person) for disk_id in disks or ()),
    )


TheWanted = Annotated[Wanted, Depends(_wanted)]


@router.get("/gpus")
async def gpus(
    world: ServiceDep, wanted: TheWanted, page: Page = 1, page_size: PageSize = 100
) -> ApiResponse[GpuOfferList]:
    """Offers of a single machine."""
    return _paged(_found(world, wanted, is_multinode=False), page, world.page(page_size))


@router.get("/multi-node")
async def multi_node(
    world: ServiceDep, wanted: TheWanted, page: Page = 1, page_size: PageSize = 100
) -> ApiResponse[GpuOfferList]:
    """Offers of several machines that are connected."""
    return _paged(_found(world, wanted, is_multinode=True), page, world.page(page_size))


@router.get("/disks")
async def disks(
    world: ServiceDep,
    regions: Annotated[list[Region] | None, Query()] = None,
    data_center_id: str | None = None,
    cloud_id: str | None = None,
    page: Page = 1,
    page_size: PageSize = 100,
) -> ApiResponse[DiskOfferList]:
    """Offers of disks."""

    def admits(offer: DiskOffer) -> bool:
        return (
            (not regions or offer.region in regions)
            and data_center_id in (None, offer.data_center)
            # No disk is tied to a machine, so none has a cloudId.
            and cloud_id is None
        )

    found = [offer.wire() for offer in disk_offers() if admits(offer)]
    return ApiResponse({"items": _cut(found, page, world.page(page_size)), "totalCount": len(found)})


@router.get("/gpu-summary")
async def gpu_summary(world: ServiceDep) -> ApiResponse[OfferSummary]:
    """The cheapest price of each GPU type and count, over all and by region."""
    return ApiResponse(summary(offer for offer in world.offers() if offer.nodes == 1))


@router.get("/multi-node-summary")
async def multi_node_summary(world: ServiceDep) -> ApiResponse[OfferSummary]:
    """The same for several machines that are connected."""
    return ApiResponse(summary(offer for offer in world.offers() if offer.nodes > 1))


@router.get("")
async def by_type(
    world: ServiceDep, wanted: TheWanted, page: Page = 1, page_size: LegacyPageSize = 500
) -> ApiResponse[dict[GpuType, list[GpuOffer]]]:
    """Offers of a single machine by GPU type, as older clients ask for them."""
    return _by_type(_found(world, wanted, is_multinode=False), page, world.page(page_size))


@router.get("/clusters")
async def clusters_by_type(
    world: ServiceDep, wanted: TheWanted, page: Page = 1, page_size: LegacyPageSize = 500
) -> ApiResponse[dict[GpuType, list[GpuOffer]]]:
    """The same for several machines that are connected."""
    return _by_type(_found(world, wanted, is_multinode=True), page, world.page(page_size))


def _found(world: SandboxService, wanted: Wanted, *, is_multinode: bool) -> list[Offer]:
    return [offer for offer in world.offers() if (offer.nodes > 1) == is_multinode and wanted.admits(offer)]


def _paged(found: list[Offer], page: int, page_size: int) -> ApiResponse[GpuOfferList]:
    items = [offer.wire() for offer in _cut(found, page, page_size)]
    return ApiResponse({"items": items, "totalCount": len(found)})


def _by_type(found: list[Offer], page: int, page_size: int) -> ApiResponse[dict[GpuType, list[GpuOffer]]]:
    table: dict[GpuType, list[GpuOffer]] = {}
    for offer in _cut(found, page, page_size):
        table.setdefault(offer.gpu_type, []).append(offer.wire())
    return ApiResponse(table)


def _cut(rows: list[Row], page: int, page_size: int) -> list[Row]:
    first = (page - 1) * page_size
    return rows[first : first + page_size]


def _can_attach(disk: DiskRecord, offer: Offer) -> bool:
    return (disk.provider, disk.data_center) == (offer.provider, offer.data_center)
